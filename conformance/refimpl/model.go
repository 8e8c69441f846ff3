package refimpl

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("gpt", func(f functions) op.Implementation { return op.GPT(f.gpt) })
var _ = offer("gpt.loss", func(f functions) op.Implementation { return op.GPTLoss(f.gptLoss) })
var _ = offer("gpt.loss.grad", func(f functions) op.Implementation { return op.GPTLossGrad(f.gptLossGrad) })
var _ = offer("gpt.cached", func(f functions) op.Implementation { return op.GPTCached(f.openGPTCached) })

// model returns the weights and the configuration of a whole model.
func model(a op.GPTAttrs, w op.GPTWeights) (reference.GPTWeights, reference.Config) {
	shape := w.Wq.Shape // [L, d, H*D]
	cfg := reference.Config{
		Vocab: w.Wte.Shape[0], Ctx: math.MaxInt, DModel: shape[1], Layers: shape[0],
		Heads: a.Heads, KVHeads: a.KVHeads, HeadDim: shape[2] / a.Heads, FFN: w.W1.Shape[2],
		Norm: reference.Norm(a.Norm), Activation: reference.Activation(a.Activation), Eps: a.Eps,
		Positions: reference.Positions(a.Positions), ScaleEmbedding: a.ScaleEmbedding, Windows: a.Windows,
		Tied: !w.Wout.Present(),
	}
	if w.Wpe.Present() {
		cfg.Ctx = w.Wpe.Shape[0]
	}
	gw := reference.GPTWeights{
		Wte: matrix(w.Wte), Wpe: matrix(w.Wpe), LNfGamma: w.LNfGamma.F64, LNfBeta: w.LNfBeta.F64, Wout: matrix(w.Wout),
	}
	wq, wk, wv, wo, w1, w2 := matrices(w.Wq), matrices(w.Wk), matrices(w.Wv), matrices(w.Wo), matrices(w.W1), matrices(w.W2)
	bq, bk, bv, bo, b1, b2 := vectors(w.Bq), vectors(w.Bk), vectors(w.Bv), vectors(w.Bo), vectors(w.B1), vectors(w.B2)
	g1, be1, g2, be2 := vectors(w.LN1Gamma), vectors(w.LN1Beta), vectors(w.LN2Gamma), vectors(w.LN2Beta)
	for l := range cfg.Layers {
		gw.Blocks = append(gw.Blocks, reference.BlockWeights{
			LN1Gamma: g1[l], LN1Beta: be1[l], LN2Gamma: g2[l], LN2Beta: be2[l],
			Attn: reference.MHAWeights{Wq: wq[l], Wk: wk[l], Wv: wv[l], Wo: wo[l], Bq: bq[l], Bk: bk[l], Bv: bv[l], Bo: bo[l]},
			FFN:  reference.FFNWeights{W1: w1[l], B1: b1[l], W2: w2[l], B2: b2[l]},
		})
	}
	return gw, cfg
}

func (f functions) gpt(a op.GPTArgs) error {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	out := matrices(a.Logits)
	for b, ids := range intRows(a.IDs) {
		logits, err := f.GPT(ids, w, cfg)
		if err != nil {
			return err
		}
		store(out[b].Data, logits)
	}
	return nil
}

func (f functions) gptLoss(a op.GPTLossArgs) error {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	targets := intRows(a.Targets)
	var losses []float64
	for b, ids := range intRows(a.IDs) {
		row, err := f.GPTLoss(ids, targets[b], a.IgnoreIndex, w, cfg)
		if err != nil {
			return err
		}
		losses = append(losses, row...)
	}
	copy(a.Loss.F64, f.Reduce(losses, slices.Concat(targets...), a.IgnoreIndex, reference.Reduction(a.Reduction)))
	return nil
}

func (f functions) gptLossGrad(a op.GPTLossGradArgs) error {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	dw, _ := model(a.GPTAttrs, op.GPTWeights{
		Wte: a.DWte, Wpe: a.DWpe, LNfGamma: a.DLNfGamma, LNfBeta: a.DLNfBeta, Wout: a.DWout,
		LN1Gamma: a.DLN1Gamma, LN1Beta: a.DLN1Beta, LN2Gamma: a.DLN2Gamma, LN2Beta: a.DLN2Beta,
		Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo,
		W1: a.DW1, B1: a.DB1, W2: a.DW2, B2: a.DB2,
	})
	add := sum(dw)
	targets := intRows(a.Targets)
	dlosses := f.ReduceGrad(a.DLoss.F64, slices.Concat(targets...), a.IgnoreIndex, reference.Reduction(a.Reduction))
	for b, ids := range intRows(a.IDs) {
		n := len(ids)
		grads, err := f.GPTLossGrad(ids, targets[b], a.IgnoreIndex, dlosses[b*n:(b+1)*n], w, cfg)
		if err != nil {
			return err
		}
		add(grads)
	}
	return nil
}

type gptCached struct {
	rows[*reference.GPTState]
	f   functions
	w   reference.GPTWeights
	cfg reference.Config
}

func (f functions) openGPTCached(a op.GPTCachedArgs) (op.Runner[op.GPTCachedArgs], error) {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	return &gptCached{f: f, w: w, cfg: cfg}, nil
}

func (c *gptCached) Run(a op.GPTCachedArgs) error {
	ids := intRows(a.IDs)
	states, err := c.step(len(ids), a.BeamIdx, func() *reference.GPTState { return reference.NewGPTState(c.cfg, a.Capacity) })
	if err != nil {
		return err
	}
	out := matrices(a.Logits)
	for b, state := range states {
		logits, err := c.f.GPTStep(state, ids[b], ints(a.Pos)[0], c.w, c.cfg)
		if err != nil {
			return err
		}
		store(out[b].Data, logits)
	}
	c.states = states
	return nil
}
