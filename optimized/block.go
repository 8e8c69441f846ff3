package optimized

import "github.com/assaykit/assay/conformance/op"

// block is one decoder block.
type block struct {
	*engine
	preNorm  bool
	ln1, ln2 *layerNorm
	mha      *mha
	ffn      *ffn
}

// blockWeights are a block's parameters as they are stored.
type blockWeights struct {
	ln1Gamma, ln1Beta, ln2Gamma, ln2Beta []float32
	mha                                  mhaWeights
	w1, w2                               view
	b1, b2                               []float32
}

func newBlock(e *engine, w blockWeights, a op.BlockAttrs) *block {
	b := &block{
		engine: e, preNorm: a.Norm == "pre",
		ln1: newLayerNorm(w.ln1Gamma, w.ln1Beta, a.Eps), ln2: newLayerNorm(w.ln2Gamma, w.ln2Beta, a.Eps),
		mha: newMHA(e, w.mha, a.Heads, a.KVHeads),
		ffn: newFFN(e, w.w1, w.b1, w.w2, w.b2, a.Activation),
	}
	b.mha.causal, b.mha.window = a.Causal, a.Window
	return b
}

// apply computes y from x, which is not y:
//
//	pre:  y = a + ffn(ln2(a)),  a = x + mha(ln1(x))
//	post: y = ln2(a + ffn(a)),  a = ln1(x + mha(x))
func (b *block) apply(y, x []float32, s step) {
	tmp := grow(&b.normed, len(x))
	if b.preNorm {
		b.ln1.apply(b.team, tmp, x)
		b.mha.apply(y, tmp, s, op.Tensor{})
		b.add(y, x)
		b.ln2.apply(b.team, tmp, y)
		b.ffn.apply(tmp, tmp)
		b.add(y, tmp)
		return
	}
	b.mha.apply(y, x, s, op.Tensor{})
	b.add(y, x)
	b.ln1.apply(b.team, y, y)
	b.ffn.apply(tmp, y)
	b.add(y, tmp)
	b.ln2.apply(b.team, y, y)
}

func (b *block) add(y, x []float32) { b.team.rows(y, x, 1, costCopy, add) }

// blockOp is the op block.
type blockOp struct {
	*block
	cache *kvCache
}

func newBlockOp(e *engine, a op.BlockArgs) *blockOp {
	w := blockWeights{
		ln1Gamma: a.LN1Gamma.F32, ln1Beta: a.LN1Beta.F32, ln2Gamma: a.LN2Gamma.F32, ln2Beta: a.LN2Beta.F32,
		mha: mhaWeights{weights(a.Wq), weights(a.Wk), weights(a.Wv), weights(a.Wo), a.Bq.F32, a.Bk.F32, a.Bv.F32, a.Bo.F32},
		w1:  weights(a.W1), b1: a.B1.F32, w2: weights(a.W2), b2: a.B2.F32,
	}
	return &blockOp{newBlock(e, w, a.BlockAttrs), newKVCache(e.kern.NR, 0)}
}

func (k *blockOp) Run(a op.BlockArgs) error {
	batch, seqLen := a.X.Shape[0], a.X.Shape[1]
	k.cache.capacity = seqLen
	k.apply(a.Y.F32, a.X.F32, step{batch: batch, seqLen: seqLen, cache: k.cache})
	return nil
}
