package reference

// GroupedAttention returns Attention for each of H query heads over G <= H heads of keys and values (Ainslie et al. 2023)
//
//	o_h = attention(q_h, k_g, v_g)        g = h / (H/G), rounded down
//
// G = H is multi-head attention, G = 1 is multi-query attention. masks gives each query head its mask.
func GroupedAttention(q, k, v []Matrix, scale float64, masks func(head int) Mask) []Matrix {
	return Exact.GroupedAttention(q, k, v, scale, masks)
}

// GroupedAttention is the function GroupedAttention, built from p.
func (p Primitives) GroupedAttention(q, k, v []Matrix, scale float64, masks func(head int) Mask) []Matrix {
	require(len(k) > 0 && len(q)%len(k) == 0, "GroupedAttention: %d query heads over %d key heads", len(q), len(k))
	require(len(k) == len(v), "GroupedAttention: %d key heads, %d value heads", len(k), len(v))
	group := len(q) / len(k)
	o := make([]Matrix, len(q))
	for h := range q {
		o[h] = p.Attention(q[h], k[h/group], v[h/group], scale, masks(h))
	}
	return o
}

// MHAWeights are the projections of multi-head attention: Wq [d, H*D], Wk and Wv [d, G*D], Wo [H*D, d]. H*D need not be d.
// A nil bias is absent.
type MHAWeights struct {
	Wq, Wk, Wv, Wo Matrix
	Bq, Bk, Bv, Bo []float64
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
	q := SplitHeads(p.Linear(x, w.Wq, w.Bq), cfg.Heads)
	k := SplitHeads(p.Linear(x, w.Wk, w.Bk), cfg.kvHeads())
	v := SplitHeads(p.Linear(x, w.Wv, w.Bv), cfg.kvHeads())

	scale := cfg.Scale
	if scale == 0 {
		scale = Scale(q[0].Cols)
	}
	maskOf := func(head int) Mask {
		var m Mask
		if masks != nil {
			m = masks(head)
		}
		m.Causal, m.Window = cfg.Causal, cfg.Window
		return m
	}
	return p.Linear(MergeHeads(attend(q, k, v, scale, maskOf)), w.Wo, w.Bo)
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
