package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// mha is multi-head self-attention with its projections. Those of queries, keys and values are one product: [q k v] = x [wq wk wv] + bias.
type mha struct {
	*engine
	qkv, out                *linear
	heads, kvHeads, headDim int
	scale                   float64
	causal                  bool
	window                  int
}

// mhaWeights are the projections as they are stored; a bias that is empty adds nothing.
type mhaWeights struct {
	wq, wk, wv, wo view
	bq, bk, bv, bo []float32
}

func mhaWeightsOf(w op.MHAWeights) mhaWeights {
	return mhaWeights{weights(w.Wq), weights(w.Wk), weights(w.Wv), weights(w.Wo), w.Bq.F32, w.Bk.F32, w.Bv.F32, w.Bo.F32}
}

func newMHA(e *engine, w mhaWeights, numHeads, kvHeads int) *mha {
	hd, gd := w.wq.cols, w.wk.cols
	l := &mha{engine: e, qkv: &linear{bias: make([]float32, hd+2*gd)}, out: new(linear), heads: numHeads, kvHeads: kvHeads, headDim: hd / numHeads}
	l.scale = 1 / math.Sqrt(float64(l.headDim))
	l.qkv.resize(e, w.wq.rows, hd+2*gd)
	l.out.resize(e, w.wo.rows, w.wo.cols)
	l.load(w)
	return l
}

// load packs weights of the shapes that newMHA was given.
func (l *mha) load(w mhaWeights) {
	hd, gd := w.wq.cols, w.wk.cols
	l.qkv.set(l.engine, 0, w.wq)
	l.qkv.set(l.engine, hd, w.wk)
	l.qkv.set(l.engine, hd+gd, w.wv)
	copy(l.qkv.bias, w.bq)
	copy(l.qkv.bias[hd:], w.bk)
	copy(l.qkv.bias[hd+gd:], w.bv)
	l.out.set(l.engine, 0, w.wo)
	l.out.bias = w.bo
}

// A step says where a run of tokens [batch, seqLen] stands: at position pos of a cache, after a reorder where beam is not empty.
type step struct {
	batch, seqLen int
	cache         *kvCache
	pos           int
	beam          []int64
}

// cacheShape returns the shape that the layer's cache has for a batch.
func (l *mha) cacheShape(batch int) cacheShape {
	return cacheShape{batch, l.kvHeads, l.headDim, l.headDim}
}

// mhaTape is what a forward pass leaves for the gradient.
type mhaTape struct {
	qkv, mixed []float32 // projections, and what the heads make of them
	stats      []rowStat
}

// apply computes y [batch*seqLen, d] from x of the same shape, which is not y. The tensor is a mask, or absent.
func (l *mha) apply(y, x []float32, s step, tensor op.Tensor, t *mhaTape) {
	rows := s.batch * s.seqLen
	grow(&t.stats, rows*l.heads)
	l.qkv.apply(l.gemm, grow(&t.qkv, rows*l.qkv.w.cols), x)
	grow(&t.mixed, rows*l.heads*l.headDim)
	q, k, v := l.split(t.qkv, s.seqLen)
	s.cache.begin(l.cacheShape(s.batch), s.pos, s.seqLen, s.beam)
	s.cache.append(l.team, k, v, s.seqLen)
	l.attn.run(l.merged(t.mixed, s.seqLen), q, l.heads, s.cache, newMask(s.seqLen, s.cache.length, l.causal, l.window, tensor), scoring{scale: l.scale}, t.stats)
	l.out.apply(l.gemm, y, t.mixed)
}

// backward computes dx from dy, both [batch*seqLen, d] and not the same, and adds to the gradients of the weights. x, the step, the mask
// and the tape are those of the forward pass.
func (l *mha) backward(dx []float32, g mhaWeights, x, dy []float32, s step, tensor op.Tensor, t *mhaTape) {
	sc, rows, hd, gd := l.grad, s.batch*s.seqLen, l.heads*l.headDim, l.kvHeads*l.headDim
	dmixed, dqkv := grow(&sc.mixed, rows*hd), grow(&sc.qkv, rows*(hd+2*gd))
	l.out.backward(l.engine, dmixed, g.wo.data, g.bo, t.mixed, dy)

	saved := attentionSaved{
		out: l.merged(t.mixed, s.seqLen), dout: l.merged(dmixed, s.seqLen), stats: t.stats,
		mask: newMask(s.seqLen, s.seqLen, l.causal, l.window, tensor), scoring: scoring{scale: l.scale},
		batch: s.batch, heads: l.heads, kvHeads: l.kvHeads, headDim: l.headDim, valueDim: l.headDim,
	}
	saved.q, saved.k, saved.v = l.split(t.qkv, s.seqLen)
	saved.dq, saved.dk, saved.dv = l.split(dqkv, s.seqLen)
	sc.attn.run(saved)

	in, out := dense(x, rows, l.qkv.w.rows), dense(dqkv, rows, hd+2*gd)
	l.addWeights(g.wq.data, g.bq, in, out.part(0, 0, rows, hd))
	l.addWeights(g.wk.data, g.bk, in, out.part(0, hd, rows, gd))
	l.addWeights(g.wv.data, g.bv, in, out.part(0, hd+gd, rows, gd))
	l.gemm.run(dx, out, &l.qkv.wt, nil)
}

// split returns the heads of projections [.., (heads + 2 kvHeads) headDim].
func (l *mha) split(qkv []float32, seqLen int) (q, k, v heads) {
	width := l.qkv.w.cols
	part := func(head int) heads { return heads{qkv[head*l.headDim:], seqLen * width, l.headDim, width} }
	return part(0), part(l.heads), part(l.heads + l.kvHeads)
}

// merged returns the heads of a matrix [.., heads headDim].
func (l *mha) merged(x []float32, seqLen int) heads {
	hd := l.heads * l.headDim
	return heads{x, seqLen * hd, l.headDim, hd}
}

var _ = register("mha", withEngine(newMHAOp))

// mhaOp is the op mha.
type mhaOp struct {
	*mha
	cache *kvCache
}

func newMHAOp(e *engine, a op.MHAArgs) *mhaOp {
	l := newMHA(e, mhaWeightsOf(a.MHAWeights), a.Heads, a.KVHeads)
	l.scale, l.causal, l.window = a.EffectiveScale(), a.Causal, a.Window
	return &mhaOp{l, newKVCache(e.kern.NR, 0)}
}

func (k *mhaOp) Run(a op.MHAArgs) error {
	batch, seqLen := a.X.Shape[0], a.X.Shape[1]
	k.cache.capacity = seqLen
	k.apply(a.Y.F32, a.X.F32, step{batch: batch, seqLen: seqLen, cache: k.cache}, a.Mask, &k.tape.mha)
	return nil
}

var _ = register("mha.grad", withGradients(newMHAGradOp))

// mhaGradOp is the op mha.grad: a forward pass into y, which nobody reads, and the gradient.
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
