package mutant

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// Gradients of attention and of layers. What the forward pass computed on the way is computed again.

func (p *plain) attentionGradOp(a op.AttentionGradArgs) error {
	d := a.Dims()
	s := setting{a.Causal, a.Window, p.scale(a.Scale, scaling{d.HeadDim, d.ValueDim, d.Heads}), a.Softcap, a.Mask}
	dq, dk, dv := p.attentionGrad(planes(a.Q), planes(a.K), planes(a.V), planes(a.DOut), d.Batch, s)
	for dst, parts := range map[*op.Tensor][]matrix{&a.DQ: dq, &a.DK: dk, &a.DV: dv} {
		for i, m := range planes(*dst) {
			copy(m.data, parts[i].data)
		}
	}
	return nil
}

// attentionGrad is the gradient of attention. Query heads that share a KV head add to its keys and values.
func (p *plain) attentionGrad(q, k, v, dout []matrix, batch int, s setting) (dq, dk, dv []matrix) {
	heads, kvHeads := len(q)/batch, len(k)/batch
	for g := range k {
		dk, dv = append(dk, newMatrix(k[g].rows, k[g].cols)), append(dv, newMatrix(v[g].rows, v[g].cols))
	}
	for n := range q {
		b, h := n/heads, n%heads
		g := b*kvHeads + p.kvHead(h, heads, kvHeads)
		hq, hk, hv := p.headGrad(q[n], k[g], v[g], dout[n], p.planeOf(s.mask, b, h), s)
		p.storeAll(hq.data)
		dq = append(dq, hq)
		p.addHead(dk[g], hk)
		p.addHead(dv[g], hv)
	}
	for g := range dk {
		p.storeAll(dk[g].data)
		p.storeAll(dv[g].data)
	}
	return dq, dk, dv
}

func addHead(dst, part matrix) {
	for i := range dst.data {
		dst.data[i] += part.data[i]
	}
}

// headGrad recomputes the probabilities of one head from the maximum and the sum of the forward pass, as flash attention does (Dao et al.
// 2022, algorithm 4).
func (p *plain) headGrad(q, k, v, dout matrix, admits func(at int) (bool, float32), s setting) (dq, dk, dv matrix) {
	dq, dk, dv = newMatrix(q.rows, q.cols), newMatrix(k.rows, k.cols), newMatrix(v.rows, v.cols)
	probs, dscores := newMatrix(k.rows, q.rows), newMatrix(k.rows, q.rows)
	seenBy := make([][]int, k.rows) // the queries that see each key
	back, backAdmits := p.backward(s), admits
	if !back.mask.Present() {
		backAdmits = func(int) (bool, float32) { return true, 0 }
	}
	for i := range q.rows {
		_, scores := p.seen(q, k, i, admits, s)
		if len(scores) == 0 {
			p.emptyGrad(dq.row(i))
			continue
		}
		m := p.rowMax(scores)
		sum := p.denominator(p.exponentials(scores, m))
		keys, w := p.seen(q, k, i, backAdmits, back)
		dp := make([]float32, len(keys))
		for n, j := range keys {
			w[n] = p.expDiff(w[n], m) / sum
			dp[n] = p.dot(dout.row(i), v.row(j))
		}
		ds := make([]float32, len(keys))
		mean := p.delta(w, dp, func() float32 {
			out := make([]float32, v.cols)
			for c := range out {
				out[c] = p.dot(w, gather(v.column(c), keys))
			}
			return p.dot(dout.row(i), out)
		})
		for n, j := range keys {
			ds[n] = w[n] * (dp[n] - mean)
			if back.softcap != 0 {
				ds[n] *= p.capSlope(float32(p.dot(q.row(i), k.row(j))*float32(s.scale)), float32(back.softcap))
			}
			probs.row(j)[i], dscores.row(j)[i] = w[n], ds[n]
			seenBy[j] = append(seenBy[j], i)
		}
		scale, _ := p.scaleGrads(float32(s.scale))
		for c := range dq.cols {
			dq.row(i)[c] = scale * p.dot(ds, gather(k.column(c), keys))
		}
	}
	_, scale := p.scaleGrads(float32(s.scale))
	for j, queries := range seenBy {
		queries = p.seenBy(queries, q)
		w, ds := gather(probs.row(j), queries), gather(dscores.row(j), queries)
		for c := range dk.cols {
			dk.row(j)[c] = scale * p.dot(ds, gather(q.column(c), queries))
		}
		for c := range dv.cols {
			dv.row(j)[c] = p.dot(w, gather(dout.column(c), queries))
		}
	}
	return dq, dk, dv
}

// capSlope is the derivative of the soft cap.
func capSlope(scaled, softcap float32) float32 {
	t := tanh32(scaled / softcap)
	return 1 - t*t
}

func gather(x []float32, at []int) []float32 {
	out := make([]float32, len(at))
	for n, i := range at {
		out[n] = x[i]
	}
	return out
}

func (p *plain) mhaGradOp(a op.MHAGradArgs) error {
	w := projections{rowsOf(a.Wq), rowsOf(a.Wk), rowsOf(a.Wv), rowsOf(a.Wo), a.Bq.F32, a.Bk.F32, a.Bv.F32, a.Bo.F32, a.Heads, a.KVHeads}
	headDim := a.Wq.Shape[1] / a.Heads
	s := setting{causal: a.Causal, window: a.Window, scale: p.scale(a.Scale, scaling{headDim, headDim, a.Heads}), mask: a.Mask}
	var g blockGrads
	dx := p.mhaGrad(rowsOf(a.X), rowsOf(a.DY), a.X.Shape[0], w, s, &g)
	p.amendGrads(&g)
	dsts := []op.Tensor{a.DWq, a.DBq, a.DWk, a.DBk, a.DWv, a.DBv, a.DWo, a.DBo}
	for i, x := range g.attn() {
		p.give(dsts[i], x)
	}
	p.give(a.DX, dx.data)
	return nil
}

// blockGrads are the gradients of the parameters of a block.
type blockGrads struct {
	ln1Gamma, ln1Beta, ln2Gamma, ln2Beta []float32
	wq, wk, wv, wo, w1, w2               matrix
	bq, bk, bv, bo, b1, b2               []float32
}

func (g *blockGrads) attn() [][]float32 {
	return [][]float32{g.wq.data, g.bq, g.wk.data, g.bk, g.wv.data, g.bv, g.wo.data, g.bo}
}

func (g *blockGrads) ffn() [][]float32 { return [][]float32{g.w1.data, g.b1, g.w2.data, g.b2} }

// all returns them in the order of the op table.
func (g *blockGrads) all() [][]float32 {
	return slices.Concat([][]float32{g.ln1Gamma, g.ln1Beta}, g.attn(), [][]float32{g.ln2Gamma, g.ln2Beta}, g.ffn())
}

func (p *plain) mhaGrad(x, dy matrix, batch int, w projections, s setting, g *blockGrads) matrix {
	p.amendMHA(&w, &s)
	q := p.split(p.linear(x, w.wq, w.bq), batch, w.heads)
	k := p.split(p.linear(x, w.wk, w.bk), batch, w.kvHeads)
	v := p.split(p.linear(x, w.wv, w.bv), batch, w.kvHeads)
	out := make([]matrix, len(q))
	for n := range out {
		out[n] = newMatrix(q[n].rows, v[0].cols)
	}
	p.attention(out, q, k, v, batch, s)
	var dmerged matrix
	dmerged, g.wo, g.bo = p.linearGrad(p.merge(out, batch), w.wo, dy, w.bo)
	dq, dk, dv := p.attentionGrad(q, k, v, p.split(dmerged, batch, w.heads), batch, s)
	var xq, xk, xv matrix
	xq, g.wq, g.bq = p.linearGrad(x, w.wq, p.merge(dq, batch), w.bq)
	xk, g.wk, g.bk = p.linearGrad(x, w.wk, p.merge(dk, batch), w.bk)
	xv, g.wv, g.bv = p.linearGrad(x, w.wv, p.merge(dv, batch), w.bv)
	return p.paths(xq, xk, xv)
}

func (p *plain) ffnGradOp(a op.FFNGradArgs) error {
	w := feedForward{rowsOf(a.W1), rowsOf(a.W2), a.B1.F32, a.B2.F32, a.Activation}
	var g blockGrads
	dx := p.ffnGrad(rowsOf(a.X), rowsOf(a.DY), w, &g)
	p.amendGrads(&g)
	dsts := []op.Tensor{a.DW1, a.DB1, a.DW2, a.DB2}
	for i, x := range g.ffn() {
		p.give(dsts[i], x)
	}
	p.give(a.DX, dx.data)
	return nil
}

func (p *plain) ffnGrad(x, dy matrix, w feedForward, g *blockGrads) matrix {
	p.amendFFN(&w)
	name := p.activation(w.activation)
	act := map[string]func(float32) float32{"relu": p.relu, "gelu": p.geluErf, "gelu_tanh": p.geluTanh}[name]
	times := func(slope func(float32) float32) func(x, dy float32) float32 {
		return func(x, dy float32) float32 { return dy * slope(x) }
	}
	back := map[string]func(x, dy float32) float32{"relu": p.reluGrad, "gelu": times(p.geluErfSlope), "gelu_tanh": times(p.geluTanhSlope)}[name]
	before := p.linear(x, w.w1, w.b1)
	after := newMatrix(before.rows, before.cols)
	for i := range after.data {
		after.data[i] = p.store(act(before.data[i]))
	}
	var dh, dx matrix
	dh, g.w2, g.b2 = p.linearGrad(p.hidden2(before, after), w.w2, dy, w.b2)
	for i := range dh.data {
		dh.data[i] = p.store(back(p.slopeAt(before.data[i], after.data[i]), dh.data[i]))
	}
	dx, g.w1, g.b1 = p.linearGrad(x, w.w1, dh, w.b1)
	return dx
}

func (p *plain) blockGradOp(a op.BlockGradArgs) error {
	w := blockWeights{
		norm: a.Norm, ln1: norm{a.LN1Gamma.F32, a.LN1Beta.F32, a.Eps}, ln2: norm{a.LN2Gamma.F32, a.LN2Beta.F32, a.Eps},
		attn:   projections{rowsOf(a.Wq), rowsOf(a.Wk), rowsOf(a.Wv), rowsOf(a.Wo), a.Bq.F32, a.Bk.F32, a.Bv.F32, a.Bo.F32, a.Heads, a.KVHeads},
		ffn:    feedForward{rowsOf(a.W1), rowsOf(a.W2), a.B1.F32, a.B2.F32, a.Activation},
		causal: a.Causal, window: a.Window,
	}
	var g blockGrads
	dx := p.blockGrad(rowsOf(a.X), rowsOf(a.DY), a.X.Shape[0], w, &g)
	dsts := []op.Tensor{a.DLN1Gamma, a.DLN1Beta, a.DWq, a.DBq, a.DWk, a.DBk, a.DWv, a.DBv, a.DWo, a.DBo, a.DLN2Gamma, a.DLN2Beta,
		a.DW1, a.DB1, a.DW2, a.DB2}
	for i, x := range g.all() {
		p.give(dsts[i], x)
	}
	p.give(a.DX, dx.data)
	return nil
}

// gradSublayers are the gradients of the functions that a block connects: each is given the function's input and dy.
type gradSublayers struct{ attn, ffn, ln1, ln2 func(x, dy matrix) matrix }

func (p *plain) blockGrad(x, dy matrix, batch int, w blockWeights, g *blockGrads) matrix {
	p.amendBlock(&w)
	headDim := w.attn.wq.cols / w.attn.heads
	s := setting{causal: w.causal, window: w.window, scale: p.scale(nil, scaling{headDim, headDim, w.attn.heads})}
	forward := sublayers{
		attn: func(x matrix) matrix { return p.mha(x, batch, w.attn, s, nil) },
		ffn:  func(x matrix) matrix { return p.ffn(x, w.ffn) },
		ln1:  func(x matrix) matrix { return p.layerNorm(x, w.ln1) },
		ln2:  func(x matrix) matrix { return p.layerNorm(x, w.ln2) },
	}
	dx := p.wireGrad(w.norm, x, dy, forward, gradSublayers{
		attn: func(x, dy matrix) matrix { return p.mhaGrad(x, dy, batch, w.attn, s, g) },
		ffn:  func(x, dy matrix) matrix { return p.ffnGrad(x, dy, w.ffn, g) },
		ln1: func(x, dy matrix) (dx matrix) {
			dx, g.ln1Gamma, g.ln1Beta = p.layerNormGrad(x, dy, w.ln1)
			return dx
		},
		ln2: func(x, dy matrix) (dx matrix) {
			dx, g.ln2Gamma, g.ln2Beta = p.layerNormGrad(x, dy, w.ln2)
			return dx
		},
	})
	p.amendGrads(g)
	return dx
}

// residualGrad goes through the sublayers of a block from the end: both sides of a residual sum pass the gradient on.
func (p *plain) residualGrad(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix {
	if norm == "post" {
		sum := p.add(x, s.attn(x))
		a := s.ln1(sum)
		dr := g.ln2(p.add(a, s.ffn(a)), dy)
		da := p.add(dr, g.ffn(a, dr))
		ds := g.ln1(sum, da)
		return p.add(ds, g.attn(x, ds))
	}
	normed := s.ln1(x)
	a := p.add(x, s.attn(normed))
	da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
	return p.add(da, g.ln1(x, g.attn(normed, da)))
}
