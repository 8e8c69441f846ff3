package mutant

import "github.com/assaykit/assay/conformance/op"

// mhaParts are the decisions in which multi-head attention goes wrong.
type mhaParts struct {
	headColumn func(h, c, heads, headDim int) int
	amendMHA   func(w *projections, s *setting)

	paths func(q, k, v matrix) matrix // where the gradient of a layer's input comes from
}

var _ = parts(func(p *plain) {
	p.mhaParts = mhaParts{
		headColumn: func(h, c, _, headDim int) int { return h*headDim + c },
		amendMHA:   func(*projections, *setting) {},
		paths:      func(q, k, v matrix) matrix { return p.add(p.add(q, k), v) },
	}
})

var _ = offer((*plain).mhaOp)

func (p *plain) mhaOp(a op.MHAArgs) error {
	w, s := p.mhaLayer(a.MHAAttrs, a.MHAWeights, a.Mask)
	copy(a.Y.F32, p.mha(rowsOf(a.X), a.X.Shape[0], w, s, nil).data)
	return nil
}

func (p *plain) mhaLayer(a op.MHAAttrs, w op.MHAWeights, mask op.Tensor) (projections, setting) {
	headDim := w.Wq.Shape[1] / a.Heads
	return projections{rowsOf(w.Wq), rowsOf(w.Wk), rowsOf(w.Wv), rowsOf(w.Wo), w.Bq.F32, w.Bk.F32, w.Bv.F32, w.Bo.F32, a.Heads, a.KVHeads},
		setting{causal: a.Causal, window: a.Window, scale: p.scale(a.Scale, scaling{headDim, headDim, a.Heads}), mask: mask}
}

// projections are the weights of multi-head attention.
type projections struct {
	wq, wk, wv, wo matrix
	bq, bk, bv, bo []float32
	heads, kvHeads int
}

// mha is multi-head self-attention of x, [B*T, d]. extend, where it is not nil, returns the keys and values to attend over, given the new ones.
func (p *plain) mha(x matrix, batch int, w projections, s setting, extend func(k, v []matrix) ([]matrix, []matrix)) matrix {
	p.amendMHA(&w, &s)
	q, k, v := p.projected(x, batch, w)
	if extend != nil {
		k, v = extend(k, v)
	}
	return p.linear(p.merge(p.attended(q, k, v, batch, s), batch), w.wo, w.bo)
}

// projected returns the queries, keys and values of each head.
func (p *plain) projected(x matrix, batch int, w projections) (q, k, v []matrix) {
	q = p.split(p.linear(x, w.wq, w.bq), batch, w.heads)
	k = p.split(p.linear(x, w.wk, w.bk), batch, w.kvHeads)
	v = p.split(p.linear(x, w.wv, w.bv), batch, w.kvHeads)
	return q, k, v
}

// attended returns the result of each head.
func (p *plain) attended(q, k, v []matrix, batch int, s setting) []matrix {
	out := make([]matrix, len(q))
	for n := range out {
		out[n] = newMatrix(q[n].rows, v[0].cols)
	}
	p.attention(out, q, k, v, batch, s)
	return out
}

// split cuts [B*T, heads*D] into the matrices of [B, heads, T, D].
func (p *plain) split(x matrix, batch, heads int) []matrix {
	seqLen, headDim := x.rows/batch, x.cols/heads
	out := make([]matrix, batch*heads)
	for n := range out {
		out[n] = newMatrix(seqLen, headDim)
		for t := range seqLen {
			for c := range headDim {
				out[n].row(t)[c] = x.row(n/heads*seqLen + t)[p.headColumn(n%heads, c, heads, headDim)]
			}
		}
	}
	return out
}

// merge is the inverse of split.
func (p *plain) merge(parts []matrix, batch int) matrix {
	heads, seqLen, headDim := len(parts)/batch, parts[0].rows, parts[0].cols
	x := newMatrix(batch*seqLen, heads*headDim)
	for n := range parts {
		for t := range seqLen {
			for c := range headDim {
				x.row(n/heads*seqLen + t)[p.headColumn(n%heads, c, heads, headDim)] = parts[n].row(t)[c]
			}
		}
	}
	return x
}

var _ = offer((*plain).mhaGradOp)

func (p *plain) mhaGradOp(a op.MHAGradArgs) error {
	w, s := p.mhaLayer(a.MHAAttrs, a.MHAWeights, a.Mask)
	var g blockGrads
	dx := p.mhaGrad(rowsOf(a.X), rowsOf(a.DY), a.X.Shape[0], w, s, &g)
	p.amendGrads(&g)
	p.giveAll([]op.Tensor{a.DWq, a.DBq, a.DWk, a.DBk, a.DWv, a.DBv, a.DWo, a.DBo}, g.attn())
	p.give(a.DX, dx.data)
	return nil
}

func (p *plain) mhaGrad(x, dy matrix, batch int, w projections, s setting, g *blockGrads) matrix {
	p.amendMHA(&w, &s)
	q, k, v := p.projected(x, batch, w)
	var dmerged matrix
	dmerged, g.wo, g.bo = p.linearGrad(p.merge(p.attended(q, k, v, batch, s), batch), w.wo, dy, w.bo)
	dq, dk, dv := p.attentionGrad(q, k, v, p.split(dmerged, batch, w.heads), batch, s)
	var xq, xk, xv matrix
	xq, g.wq, g.bq = p.linearGrad(x, w.wq, p.merge(dq, batch), w.bq)
	xk, g.wk, g.bk = p.linearGrad(x, w.wk, p.merge(dk, batch), w.bk)
	xv, g.wv, g.bv = p.linearGrad(x, w.wv, p.merge(dv, batch), w.bv)
	return p.paths(xq, xk, xv)
}

var _ = plant([]bug{
	{"mha-heads-interleaved", "mha", "MHA-2", "Deals columns to heads in turn.", "", func(p *plain) {
		p.headColumn = func(h, c, heads, _ int) int { return c*heads + h }
	}},
	{"mha-output-bias-missing", "mha", "MHA-1", "Does not add bo.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) { w.bo = nil }
	}},
	{"mha-query-bias-missing", "mha", "MHA-1", "Does not add bq.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) { w.bq = nil }
	}},
	{"mha-value-bias-missing", "mha", "MHA-1", "Does not add bv.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) { w.bv = nil }
	}},
	{"mha-queries-as-keys", "mha", "MHA-1", "Exchanges queries and keys.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) {
			if w.heads == w.kvHeads {
				w.wq, w.wk, w.bq, w.bk = w.wk, w.wq, w.bk, w.bq
			}
		}
	}},
	{"mha-scale-of-model", "mha", "MHA-5", "Makes the scale of the width of all heads.", "", func(p *plain) {
		p.scale = func(attr *float64, s scaling) float64 {
			return attentionScale(attr, scaling{headDim: s.headDim * s.heads})
		}
	}},
	{"mha-head-dim-of-model", "mha", "MHA-3", "Takes d over the number of heads for the head dimension of the scale.", "", func(p *plain) {
		p.amendMHA = func(w *projections, s *setting) { s.scale = attentionScale(nil, scaling{headDim: w.wq.rows / w.heads}) }
	}},
	{"mha-causal-ignored", "mha", "MHA-5", "Is not causal.", "", func(p *plain) {
		p.amendMHA = func(_ *projections, s *setting) { s.causal = false }
	}},
	{"mha-window-ignored", "mha", "MHA-5", "Ignores the window.", "", func(p *plain) {
		p.amendMHA = func(_ *projections, s *setting) { s.window = 0 }
	}},
	{"mha-mask-inverted", "mha", "MHA-5", "Hides where the mask is true.", "", func(p *plain) {
		p.boolMask = func(m bool) (bool, float32) { return !m, 0 }
	}},
	{"mha-heads-modulo", "mha", "MHA-4", "Deals query heads to KV heads in turn: h mod G.", "", func(p *plain) {
		p.kvHead = func(h, _, kvHeads int) int { return h % kvHeads }
	}},
})

var _ = plant([]bug{
	{"mha-grad-key-path-missing", "mha.grad", "GRAD-22", "Leaves the path through the keys out of dx.", "", func(p *plain) {
		p.paths = func(q, _, v matrix) matrix { return p.add(q, v) }
	}},
	{"mha-grad-value-path-missing", "mha.grad", "GRAD-22", "Leaves the path through the values out of dx.", "", func(p *plain) {
		p.paths = func(q, k, _ matrix) matrix { return p.add(q, k) }
	}},
	{"mha-grad-bias-first-row", "mha.grad", "GRAD-22", "Takes the gradients of the biases at the first position.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return p.columnSums(firstRow(dy)) }
	}},
	{"mha-grad-heads-interleaved", "mha.grad", "GRAD-2", "Deals columns to heads in turn.", "", func(p *plain) {
		p.headColumn = func(h, c, heads, _ int) int { return c*heads + h }
	}},
	{"mha-grad-causal-ignored", "mha.grad", "GRAD-2", "Is not causal in the backward pass.", "", backwards(func(s *setting) { s.causal = false })},
	{"mha-grad-groups-overwrite", "mha.grad", "GRAD-18", "Keeps the last of the query heads that share a KV head.", "", func(p *plain) {
		p.addHead = func(dst, part matrix) { copy(dst.data, part.data) }
	}},
	{"mha-grad-key-bias-of-queries", "mha.grad", "GRAD-23", "Gives the bias of the queries' gradient for that of the keys.", "", amended(func(_ *plain, g *blockGrads) {
		if len(g.bk) == len(g.bq) {
			g.bk = g.bq
		}
	})},
	{"mha-grad-output-weights-transposed", "mha.grad", "GRAD-22", "Stores dwo as [d, HD].", "", amended(func(_ *plain, g *blockGrads) { g.wo = transposed(g.wo) })},
})
