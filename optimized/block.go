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

func blockWeightsOf(w op.BlockWeights) blockWeights {
	return blockWeights{
		ln1Gamma: w.LN1Gamma.F32, ln1Beta: w.LN1Beta.F32, ln2Gamma: w.LN2Gamma.F32, ln2Beta: w.LN2Beta.F32,
		mha: mhaWeightsOf(op.MHAWeights{Wq: w.Wq, Bq: w.Bq, Wk: w.Wk, Bk: w.Bk, Wv: w.Wv, Bv: w.Bv, Wo: w.Wo, Bo: w.Bo}),
		w1:  weights(w.W1), b1: w.B1.F32, w2: weights(w.W2), b2: w.B2.F32,
	}
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

// load packs weights of the shapes that newBlock was given. Vectors are not packed: those that it was given stay.
func (b *block) load(w blockWeights) {
	b.mha.load(w.mha)
	b.ffn.up.set(b.engine, 0, w.w1)
	b.ffn.down.set(b.engine, 0, w.w2)
}

// A tape is what a forward pass leaves for the gradient. Where there will be none, all blocks write over the same one.
type tape struct {
	x             []float32 // the block's argument, not a copy
	first, second []float32 // results of the normalizations in a pre-norm block, their arguments in a post-norm one
	middle        []float32 // a, the result of the first half
	mha           mhaTape
	ffn           ffnTape
}

// apply computes y from x, which is not y:
//
//	pre:  y = a + ffn(ln2(a)),  a = x + mha(ln1(x))
//	post: y = ln2(a + ffn(a)),  a = ln1(x + mha(x))
func (b *block) apply(y, x []float32, s step, t *tape) {
	n := len(x)
	t.x = x
	first, a, second := grow(&t.first, n), grow(&t.middle, n), grow(&t.second, n)
	if b.preNorm {
		b.ln1.apply(b.team, first, x)
		b.mha.apply(a, first, s, op.Tensor{}, &t.mha)
		b.add(a, x)
		b.ln2.apply(b.team, second, a)
		b.ffn.apply(y, second, &t.ffn)
		b.add(y, a)
		return
	}
	b.mha.apply(first, x, s, op.Tensor{}, &t.mha)
	b.add(first, x)
	b.ln1.apply(b.team, a, first)
	b.ffn.apply(second, a, &t.ffn)
	b.add(second, a)
	b.ln2.apply(b.team, y, second)
}

// backward computes dx from dy, which are not the same, and adds to the gradients of the weights. s and t are those of the forward pass:
//
//	pre:  da = dy + dln2(dffn(dy)),   dx = da + dln1(dmha(da))
//	post: ds = dln2(dy), da = ds + dffn(ds),   ds = dln1(da), dx = ds + dmha(ds)
func (b *block) backward(dx []float32, g blockWeights, dy []float32, s step, t *tape) {
	sc, n := b.grad, len(dy)
	inner, half := grow(&sc.inner, n), grow(&sc.half, n)
	ffn := ffnGrads{g.w1.data, g.b1, g.w2.data, g.b2}
	if b.preNorm {
		b.ffn.backward(inner, ffn, t.second, dy, &t.ffn)
		sc.norm.run(b.ln2, half, g.ln2Gamma, g.ln2Beta, t.middle, inner)
		b.add(half, dy)
		b.mha.backward(inner, g.mha, t.first, half, s, op.Tensor{}, &t.mha)
		sc.norm.run(b.ln1, dx, g.ln1Gamma, g.ln1Beta, t.x, inner)
		b.add(dx, half)
		return
	}
	sc.norm.run(b.ln2, half, g.ln2Gamma, g.ln2Beta, t.second, dy)
	b.ffn.backward(inner, ffn, t.middle, half, &t.ffn)
	b.add(inner, half)
	sc.norm.run(b.ln1, half, g.ln1Gamma, g.ln1Beta, t.first, inner)
	b.mha.backward(dx, g.mha, t.x, half, s, op.Tensor{}, &t.mha)
	b.add(dx, half)
}

func (b *block) add(y, x []float32) { b.team.rows(y, x, 1, costCopy, add) }

// add computes y + x into y.
func add(y, x []float32, _ int) {
	for i, v := range x {
		y[i] += v
	}
}

var _ = register("block", withEngine(newBlockOp))

// blockOp is the op block.
type blockOp struct {
	*block
	cache *kvCache
}

func newBlockOp(e *engine, a op.BlockArgs) *blockOp {
	return &blockOp{newBlock(e, blockWeightsOf(a.BlockWeights), a.BlockAttrs), newKVCache(e.kern.NR, 0)}
}

func (k *blockOp) Run(a op.BlockArgs) error {
	batch, seqLen := a.X.Shape[0], a.X.Shape[1]
	k.cache.capacity = seqLen
	k.apply(a.Y.F32, a.X.F32, step{batch: batch, seqLen: seqLen, cache: k.cache}, &k.tape)
	k.tape.x = nil
	return nil
}

var _ = register("block.grad", withGradients(newBlockGradOp))

// blockGradOp is the op block.grad: a forward pass into y, which nobody reads, and the gradient.
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
