package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// gelu maps the attribute approximate to the activation.
var gelu = map[string]reference.Activation{"none": reference.ActGELU, "tanh": reference.ActGELUTanh}

func eachRow(y, x op.Tensor, f func([]float64) []float64) error {
	out := matrix(y)
	for i, row := range vectors(x) {
		copy(out.Row(i), f(row))
	}
	return nil
}

func (f Functions) matMul(a op.MatMulArgs) error {
	as, bs, cs := matrices(a.A), matrices(a.B), matrices(a.C)
	for i := range cs {
		if a.TransposeA {
			as[i] = as[i].T()
		}
		if a.TransposeB {
			bs[i] = bs[i].T()
		}
		store(cs[i].Data, f.MatMul(as[i], bs[i]))
	}
	return nil
}

func (f Functions) linear(a op.LinearArgs) error {
	store(a.Y.F64, f.Linear(matrix(a.X), matrix(a.W), a.B.F64))
	return nil
}

func (f Functions) activate(y, x op.Tensor, act reference.Activation) error {
	store(y.F64, f.Activate(act, matrix(x)))
	return nil
}

func (f Functions) layerNorm(a op.LayerNormArgs) error {
	store(a.Y.F64, f.LayerNorm(matrix(a.X), a.Gamma.F64, a.Beta.F64, a.Eps))
	return nil
}

func (f Functions) embedding(a op.EmbeddingArgs) error {
	y, err := f.Embed(ints(a.IDs), matrix(a.Table))
	store(a.Y.F64, y)
	return err
}

func (f Functions) sinusoidalPositions(a op.SinusoidalPositionsArgs) error {
	y, err := f.Sinusoid(ints(a.Pos), a.DModel)
	store(a.Y.F64, y)
	return err
}

func (f Functions) learnedPositions(a op.LearnedPositionsArgs) error {
	y, err := f.LearnedPositions(ints(a.Pos), matrix(a.Table))
	store(a.Y.F64, y)
	return err
}

func (f Functions) crossEntropy(a op.CrossEntropyArgs) error {
	loss, err := f.Loss(matrix(a.Logits), ints(a.Targets), a.IgnoreIndex, reference.Reduction(a.Reduction))
	copy(a.Loss.F64, loss)
	return err
}

func (f Functions) attention(a op.AttentionArgs) error {
	d := a.Dims()
	q, k, v := matrices(a.Q), matrices(a.K), matrices(a.V)
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window, Softcap: a.Softcap})
	var out []reference.Matrix
	for b := range d.Batch {
		h, g := b*d.Heads, b*d.KVHeads
		out = append(out, f.GroupedAttention(q[h:h+d.Heads], k[g:g+d.KVHeads], v[g:g+d.KVHeads], a.EffectiveScale(),
			func(head int) reference.Mask { return maskOf(b, head) })...)
	}
	store(a.Out.F64, out...)
	return nil
}

func (f Functions) attentionScores(a op.AttentionScoresArgs) error {
	q, k := matrices(a.Q), matrices(a.K)
	heads, kvHeads := a.Q.Shape[1], a.K.Shape[1]
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window, Softcap: a.Softcap})
	for n, s := range matrices(a.S) {
		b, h := n/heads, n%heads
		keys := k[b*kvHeads+h/(heads/kvHeads)]
		store(s.Data, f.AttentionScores(q[n], keys, a.EffectiveScale(), maskOf(b, h), reference.Stage(a.Stage)))
	}
	return nil
}

func (f Functions) mha(a op.MHAArgs) error {
	w := mhaWeights(a.MHAWeights)
	cfg := reference.MHAConfig{Heads: a.Heads, KVHeads: a.KVHeads, Scale: a.EffectiveScale(), Causal: a.Causal, Window: a.Window}
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window})
	ys := matrices(a.Y)
	for b, x := range matrices(a.X) {
		store(ys[b].Data, f.MultiHead(x, w, cfg, func(head int) reference.Mask { return maskOf(b, head) }))
	}
	return nil
}

func (f Functions) ffn(a op.FFNArgs) error {
	w := reference.FFNWeights{W1: matrix(a.W1), B1: a.B1.F64, W2: matrix(a.W2), B2: a.B2.F64}
	store(a.Y.F64, f.FFN(matrix(a.X), w, reference.Activation(a.Activation)))
	return nil
}

func (f Functions) block(a op.BlockArgs) error {
	w, cfg := blockWeights(a.BlockWeights), blockConfig(a.BlockAttrs)
	ys := matrices(a.Y)
	for b, x := range matrices(a.X) {
		store(ys[b].Data, f.Block(x, w, cfg))
	}
	return nil
}

func blockConfig(a op.BlockAttrs) reference.BlockConfig {
	return reference.BlockConfig{
		Norm:       reference.Norm(a.Norm),
		MHA:        reference.MHAConfig{Heads: a.Heads, KVHeads: a.KVHeads, Causal: a.Causal, Window: a.Window},
		Activation: reference.Activation(a.Activation), Eps: a.Eps,
	}
}

func blockWeights(w op.BlockWeights) reference.BlockWeights {
	return reference.BlockWeights{
		LN1Gamma: w.LN1Gamma.F64, LN1Beta: w.LN1Beta.F64, LN2Gamma: w.LN2Gamma.F64, LN2Beta: w.LN2Beta.F64,
		Attn: mhaWeights(op.MHAWeights{Wq: w.Wq, Bq: w.Bq, Wk: w.Wk, Bk: w.Bk, Wv: w.Wv, Bv: w.Bv, Wo: w.Wo, Bo: w.Bo}),
		FFN:  reference.FFNWeights{W1: matrix(w.W1), B1: w.B1.F64, W2: matrix(w.W2), B2: w.B2.F64},
	}
}

func mhaWeights(w op.MHAWeights) reference.MHAWeights {
	return reference.MHAWeights{
		Wq: matrix(w.Wq), Wk: matrix(w.Wk), Wv: matrix(w.Wv), Wo: matrix(w.Wo),
		Bq: w.Bq.F64, Bk: w.Bk.F64, Bv: w.Bv.F64, Bo: w.Bo.F64,
	}
}
