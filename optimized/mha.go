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

func newMHA(e *engine, w mhaWeights, numHeads, kvHeads int) *mha {
	hd, gd := w.wq.cols, w.wk.cols
	qkv := &linear{bias: make([]float32, hd+2*gd)}
	qkv.w.resize(w.wq.rows, hd+2*gd, e.kern.NR)
	qkv.w.set(e.team, 0, w.wq)
	qkv.w.set(e.team, hd, w.wk)
	qkv.w.set(e.team, hd+gd, w.wv)
	copy(qkv.bias, w.bq)
	copy(qkv.bias[hd:], w.bk)
	copy(qkv.bias[hd+gd:], w.bv)
	headDim := hd / numHeads
	return &mha{engine: e, qkv: qkv, out: newLinear(e, w.wo, w.bo), heads: numHeads, kvHeads: kvHeads, headDim: headDim,
		scale: 1 / math.Sqrt(float64(headDim))}
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

// apply computes y [batch*seqLen, d] from x of the same shape, which is not y. The tensor is a mask, or absent.
func (l *mha) apply(y, x []float32, s step, tensor op.Tensor) {
	rows, hd, width := s.batch*s.seqLen, l.heads*l.headDim, l.qkv.w.cols
	qkv, mixed := grow(&l.projected, rows*width), grow(&l.mixed, rows*hd)
	l.qkv.apply(l.gemm, qkv, x)
	part := func(at int) heads { return heads{qkv[at:], s.seqLen * width, l.headDim, width} }
	s.cache.begin(l.cacheShape(s.batch), s.pos, s.seqLen, s.beam)
	s.cache.append(l.team, part(hd), part(hd+l.kvHeads*l.headDim), s.seqLen)
	l.attn.run(heads{mixed, s.seqLen * hd, l.headDim, hd}, part(0), l.heads, s.cache,
		newMask(s.seqLen, s.cache.length, l.causal, l.window, tensor), scoring{scale: l.scale})
	l.out.apply(l.gemm, y, mixed)
}

// mhaOp is the op mha.
type mhaOp struct {
	*mha
	cache *kvCache
}

func newMHAOp(e *engine, a op.MHAArgs) *mhaOp {
	l := newMHA(e, mhaWeights{
		weights(a.Wq), weights(a.Wk), weights(a.Wv), weights(a.Wo), a.Bq.F32, a.Bk.F32, a.Bv.F32, a.Bo.F32,
	}, a.Heads, a.KVHeads)
	l.scale, l.causal, l.window = a.EffectiveScale(), a.Causal, a.Window
	return &mhaOp{l, newKVCache(e.kern.NR, 0)}
}

func (k *mhaOp) Run(a op.MHAArgs) error {
	batch, seqLen := a.X.Shape[0], a.X.Shape[1]
	k.cache.capacity = seqLen
	k.apply(a.Y.F32, a.X.F32, step{batch: batch, seqLen: seqLen, cache: k.cache}, a.Mask)
	return nil
}
