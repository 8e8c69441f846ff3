package reference

// MHAWeights are the projections of multi-head attention: Wq [d, H*D], Wk and Wv [d, G*D], Wo [H*D, d]. H*D need not be d.
// A nil bias is absent. Gradients with respect to weights are weights too.
type MHAWeights struct {
	Wq, Wk, Wv, Wo Matrix
	Bq, Bk, Bv, Bo []float64
}

// Parameters returns the data of every weight, in the order of SPEC.md's table; nil for one that is absent.
func (w MHAWeights) Parameters() [][]float64 {
	return [][]float64{w.Wq.Data, w.Bq, w.Wk.Data, w.Bk, w.Wv.Data, w.Bv, w.Wo.Data, w.Bo}
}

// MHAConfig says how the projections are split into heads and what each query sees.
type MHAConfig struct {
	Heads   int
	KVHeads int     // 0: as many as Heads
	Scale   float64 // 0: 1/sqrt(D)
	Causal  bool
	Window  int
}

func (c MHAConfig) kvHeads() int {
	if c.KVHeads == 0 {
		return c.Heads
	}
	return c.KVHeads
}

func (c MHAConfig) scale(w MHAWeights) float64 {
	if c.Scale == 0 {
		return Scale(w.Wq.Cols / c.Heads)
	}
	return c.Scale
}

// maskOf completes masks, which may be nil, with what the configuration says.
func (c MHAConfig) maskOf(masks func(head int) Mask) func(head int) Mask {
	return func(head int) Mask {
		var m Mask
		if masks != nil {
			m = masks(head)
		}
		m.Causal, m.Window = c.Causal, c.Window
		return m
	}
}

// MultiHead returns self-attention with several heads (Vaswani et al. 2017, section 3.2.2)
//
//	q = x Wq + bq,  k = x Wk + bk,  v = x Wv + bv
//	y = [o_0 ... o_H-1] Wo + bo,  o = grouped attention of the heads of q, k, v        x [T,d] -> y [T,d]
//
// masks may be nil. Where it is not, masks(h) gives Allow and Bias of head h; Causal and Window are always those of cfg.
func (p Primitives) MultiHead(x Matrix, w MHAWeights, cfg MHAConfig, masks func(head int) Mask) Matrix {
	return p.multiHead(x, w, cfg, masks, p.GroupedAttention)
}

// attender is how heads of queries meet keys and values. GroupedAttention is one, over the sequence itself; over a cache,
// see Primitives.over. It is the only difference between the two, so everything above attention is written once.
type attender func(q, k, v []Matrix, scale float64, masks func(head int) Mask) []Matrix

func (p Primitives) multiHead(x Matrix, w MHAWeights, cfg MHAConfig, masks func(head int) Mask, attend attender) Matrix {
	q, k, v := p.projected(x, w, cfg)
	return p.Linear(MergeHeads(attend(q, k, v, cfg.scale(w), cfg.maskOf(masks))), w.Wo, w.Bo)
}

// projected returns the heads of q, k and v.
func (p Primitives) projected(x Matrix, w MHAWeights, cfg MHAConfig) (q, k, v []Matrix) {
	q = SplitHeads(p.Linear(x, w.Wq, w.Bq), cfg.Heads)
	k = SplitHeads(p.Linear(x, w.Wk, w.Bk), cfg.kvHeads())
	v = SplitHeads(p.Linear(x, w.Wv, w.Bv), cfg.kvHeads())
	return q, k, v
}

// MultiHeadGrad returns the gradients of MultiHead, y = [o_0 ... o_H-1] Wo + bo, from that of its result. From the last step to the first:
//
//	do, dWo, dbo = those of Linear at y = o Wo + bo
//	dq, dk, dv   = those of GroupedAttention
//	dx, dWq, dbq = those of Linear at q = x Wq + bq, likewise for k and v; the three dx add        dy [T,d] -> dx [T,d]
//
// In exact arithmetic dbk is 0: q_i . bk is the same for every key of query i, and softmax does not see it.
func (p Primitives) MultiHeadGrad(x Matrix, w MHAWeights, cfg MHAConfig, masks func(head int) Mask, dy Matrix) (dx Matrix, dw MHAWeights) {
	scale, maskOf := cfg.scale(w), cfg.maskOf(masks)
	q, k, v := p.projected(x, w, cfg)
	o := MergeHeads(p.GroupedAttention(q, k, v, scale, maskOf))

	do, dWo, dBo := p.LinearGrad(o, w.Wo, w.Bo, dy)
	dq, dk, dv := p.GroupedAttentionGrad(q, k, v, SplitHeads(do, cfg.Heads), scale, maskOf)
	dxq, dWq, dBq := p.LinearGrad(x, w.Wq, w.Bq, MergeHeads(dq))
	dxk, dWk, dBk := p.LinearGrad(x, w.Wk, w.Bk, MergeHeads(dk))
	dxv, dWv, dBv := p.LinearGrad(x, w.Wv, w.Bv, MergeHeads(dv))
	return p.Add(p.Add(dxq, dxk), dxv), MHAWeights{Wq: dWq, Wk: dWk, Wv: dWv, Wo: dWo, Bq: dBq, Bk: dBk, Bv: dBv, Bo: dBo}
}

// SplitHeads cuts x [T, H*D] into H matrices [T,D]: head h is columns h*D to (h+1)*D - 1.
func SplitHeads(x Matrix, heads int) []Matrix {
	require(heads > 0 && x.Cols%heads == 0, "SplitHeads: %d columns into %d heads", x.Cols, heads)
	headDim := x.Cols / heads
	split := make([]Matrix, heads)
	for h := range split {
		split[h] = x.Columns(h*headDim, (h+1)*headDim)
	}
	return split
}

// MergeHeads is the inverse of SplitHeads: H matrices [T,D] -> [T, H*D].
func MergeHeads(heads []Matrix) Matrix {
	rows, headDim := heads[0].Rows, heads[0].Cols
	x := NewMatrix(rows, len(heads)*headDim)
	for h, head := range heads {
		require(head.Rows == rows && head.Cols == headDim, "MergeHeads: head 0 is %dx%d, head %d is %dx%d", rows, headDim, h, head.Rows, head.Cols)
		for t := range rows {
			copy(x.Row(t)[h*headDim:], head.Row(t))
		}
	}
	return x
}
