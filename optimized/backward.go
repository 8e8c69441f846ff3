package optimized

import "github.com/assaykit/assay/conformance/op"

// gradScratch is what the gradients of one kernel compute with. They run one after another, and so share it.
//
// Gradients of parameters are added to what is there, so that those of several batches, or of several uses of a weight, add up; those of
// a layer's argument are overwritten.
type gradScratch struct {
	attn  *attentionGrad
	norm  layerNormGrad
	right packed // the right-hand side of the product that runs now

	qkv, mixed, hidden []float32 // inside a layer
	inner, half        []float32 // inside a block
	in, out            []float32 // of a block
}

// newGradEngine returns an engine whose layers have gradients.
func newGradEngine(c config) *engine {
	e := newEngine(c)
	e.grad = &gradScratch{attn: newAttentionGrad(e.team, e.kern), norm: layerNormGrad{team: e.team}}
	return e
}

// addWeights adds x^T dy, the gradient of the weights of a layer y = x W + b, to dw [in, out], and that of the bias to db unless that is
// empty.
func (e *engine) addWeights(dw, db []float32, x, dy view) {
	right := &e.grad.right
	right.resize(dy.rows, dy.cols, e.kern.NR)
	right.set(e.team, 0, 0, dy)
	e.gemm.add(dw, x.transposed(), right)
	if len(db) > 0 {
		e.team.addColumns(db, dy)
	}
}

// backward computes dx = dy W^T from dy [M, out], unless dx is nil, and adds to dw and db. x is what the layer was applied to.
func (l *linear) backward(e *engine, dx, dw, db, x, dy []float32) {
	rows := len(dy) / l.w.cols
	e.addWeights(dw, db, dense(x, rows, l.w.rows), dense(dy, rows, l.w.cols))
	if dx != nil {
		e.gemm.run(dx, dense(dy, rows, l.w.cols), &l.wt, nil)
	}
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

// ffnGrads are the gradients of an ffn's parameters.
type ffnGrads struct{ w1, b1, w2, b2 []float32 }

// backward computes the rows of dx from those of dy, which may be the same slice, and adds to the gradients of the weights.
func (l *ffn) backward(dx []float32, g ffnGrads, x, dy []float32, t *ffnTape) {
	hidden := grow(&l.grad.hidden, len(t.sums))
	l.down.backward(l.engine, hidden, g.w2, g.b2, t.acted, dy)
	l.team.gradRows(hidden, t.sums, hidden, 1, 2*l.act.cost, l.act.grad)
	l.up.backward(l.engine, dx, g.w1, g.b1, x, hidden)
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
