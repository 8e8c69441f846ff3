package optimized

import "github.com/assaykit/assay/conformance/op"

// attentionGradOp is the op attention.grad: the forward pass again, for its result and its rows' statistics, and then the gradient.
type attentionGradOp struct {
	*engine
	cache *kvCache
	out   []float32
	stats []rowStat
}

func newAttentionGradOp(e *engine, _ op.AttentionGradArgs) *attentionGradOp {
	return &attentionGradOp{engine: e, cache: newKVCache(e.kern.NR, 0)}
}

func (k *attentionGradOp) Run(a op.AttentionGradArgs) error {
	d := a.Dims()
	if n := d.Batch * d.Heads * d.SeqQ; cap(k.stats) < n {
		k.stats = make([]rowStat, n)
	}
	out := contiguous(a.DOut)
	out.data = grow(&k.out, a.DOut.Len())
	m := newMask(d.SeqQ, d.SeqK, a.Causal, a.Window, a.Mask)
	k.cache.capacity = d.SeqK
	k.cache.begin(cacheShape{d.Batch, d.KVHeads, d.HeadDim, d.ValueDim}, 0, d.SeqK, nil)
	k.cache.append(k.team, contiguous(a.K), contiguous(a.V), d.SeqK)
	scores := scoring{a.EffectiveScale(), a.Softcap}
	k.attn.run(out, contiguous(a.Q), d.Heads, k.cache, m, scores, k.stats)
	k.grad.attn.run(attentionSaved{
		q: contiguous(a.Q), k: contiguous(a.K), v: contiguous(a.V), out: out,
		dout: contiguous(a.DOut), dq: contiguous(a.DQ), dk: contiguous(a.DK), dv: contiguous(a.DV),
		stats: k.stats, mask: m, scoring: scores,
		batch: d.Batch, heads: d.Heads, kvHeads: d.KVHeads, headDim: d.HeadDim, valueDim: d.ValueDim,
	})
	return nil
}

// A layer's gradient as an op is a forward pass into a scratch result, which nobody reads, and the gradient.

// mhaGradOp is the op mha.grad.
type mhaGradOp struct {
	*mha
	cache *kvCache
	y     []float32
}

func newMHAGradOp(e *engine, a op.MHAGradArgs) *mhaGradOp {
	l := newMHA(e, mhaWeightsOf(a.MHAWeights), a.Heads, a.KVHeads)
	l.scale, l.causal, l.window = a.EffectiveScale(), a.Causal, a.Window
	return &mhaGradOp{mha: l, cache: newKVCache(e.kern.NR, 0)}
}

func (k *mhaGradOp) Run(a op.MHAGradArgs) error {
	s := step{batch: a.X.Shape[0], seqLen: a.X.Shape[1], cache: k.cache}
	k.cache.capacity = s.seqLen
	g := op.MHAWeights{Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo}
	zero(a.DWq, a.DBq, a.DWk, a.DBk, a.DWv, a.DBv, a.DWo, a.DBo)
	k.apply(grow(&k.y, a.X.Len()), a.X.F32, s, a.Mask, &k.tape.mha)
	k.backward(a.DX.F32, mhaWeightsOf(g), a.X.F32, a.DY.F32, s, a.Mask, &k.tape.mha)
	return nil
}

// ffnGradOp is the op ffn.grad.
type ffnGradOp struct {
	*ffn
	y []float32
}

func newFFNGradOp(e *engine, a op.FFNGradArgs) *ffnGradOp {
	e.tape.ffn.keep = true
	return &ffnGradOp{ffn: newFFN(e, weights(a.W1), a.B1.F32, weights(a.W2), a.B2.F32, a.Activation)}
}

func (k *ffnGradOp) Run(a op.FFNGradArgs) error {
	zero(a.DW1, a.DB1, a.DW2, a.DB2)
	k.apply(grow(&k.y, a.X.Len()), a.X.F32, &k.tape.ffn)
	k.backward(a.DX.F32, ffnGrads{a.DW1.F32, a.DB1.F32, a.DW2.F32, a.DB2.F32}, a.X.F32, a.DY.F32, &k.tape.ffn)
	return nil
}

// blockGradOp is the op block.grad.
type blockGradOp struct {
	*block
	cache *kvCache
	y     []float32
}

func newBlockGradOp(e *engine, a op.BlockGradArgs) *blockGradOp {
	e.tape.ffn.keep = true
	return &blockGradOp{block: newBlock(e, blockWeightsOf(a.BlockWeights), a.BlockAttrs), cache: newKVCache(e.kern.NR, 0)}
}

func (k *blockGradOp) Run(a op.BlockGradArgs) error {
	s := step{batch: a.X.Shape[0], seqLen: a.X.Shape[1], cache: k.cache}
	k.cache.capacity = s.seqLen
	g := op.BlockWeights{
		LN1Gamma: a.DLN1Gamma, LN1Beta: a.DLN1Beta, Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo,
		LN2Gamma: a.DLN2Gamma, LN2Beta: a.DLN2Beta, W1: a.DW1, B1: a.DB1, W2: a.DW2, B2: a.DB2,
	}
	zero(g.LN1Gamma, g.LN1Beta, g.Wq, g.Bq, g.Wk, g.Bk, g.Wv, g.Bv, g.Wo, g.Bo, g.LN2Gamma, g.LN2Beta, g.W1, g.B1, g.W2, g.B2)
	k.apply(grow(&k.y, a.X.Len()), a.X.F32, s, &k.tape)
	k.backward(a.DX.F32, blockWeightsOf(g), a.DY.F32, s, &k.tape)
	k.tape.x = nil
	return nil
}

// gptLossGrad is the op gpt.loss.grad.
type gptLossGrad struct {
	*lossGrad
	weights []float64
}

func newGPTLossGrad(e *engine, a op.GPTLossGradArgs) *gptLossGrad {
	return &gptLossGrad{lossGrad: newLossGrad(newModel(e, a.GPTWeights, a.GPTAttrs), a.IgnoreIndex)}
}

func (k *gptLossGrad) Run(a op.GPTLossGradArgs) error {
	if err := k.check("gpt.loss.grad", a.IDs, a.Targets); err != nil {
		return err
	}
	g := op.GPTWeights{
		Wte: a.DWte, Wpe: a.DWpe,
		LN1Gamma: a.DLN1Gamma, LN1Beta: a.DLN1Beta, Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo,
		LN2Gamma: a.DLN2Gamma, LN2Beta: a.DLN2Beta, W1: a.DW1, B1: a.DB1, W2: a.DW2, B2: a.DB2,
		LNfGamma: a.DLNfGamma, LNfBeta: a.DLNfBeta, Wout: a.DWout,
	}
	zero(g.Wte, g.Wpe, g.LN1Gamma, g.LN1Beta, g.Wq, g.Bq, g.Wk, g.Bk, g.Wv, g.Bv, g.Wo, g.Bo,
		g.LN2Gamma, g.LN2Beta, g.W1, g.B1, g.W2, g.B2, g.LNfGamma, g.LNfBeta, g.Wout)
	k.weights = k.loss.upstream(k.weights, a.Targets.I64, a.DLoss.F32, a.Reduction)
	k.add(g, a.IDs, a.Targets, k.weights)
	return nil
}
