package reference

import (
	"math"
)

// Scale returns the default scale of scores, 1/sqrt(headDim) (Vaswani et al. 2017, section 3.2.1).
func Scale(headDim int) float64 { return 1 / math.Sqrt(float64(headDim)) }

// Attention returns scaled dot-product attention of one head (Vaswani et al. 2017, equation 1)
//
//	s_ij = mask.Score(scale (q_i . k_j)), that is scale (q_i . k_j) + bias_ij, soft-capped before the sum where the mask says so
//	p_i  = softmax of s_ij over the visible j
//	o_i  = sum_j p_ij v_j over the visible j        q [Tq,D], k [Tk,D], v [Tk,Dv] -> o [Tq,Dv]
//
// Both sums run over the keys that mask.Visible admits. A hidden key is not there at all, whatever K and V hold for it; and
// a query that sees no key has an empty sum, which is 0.
//
// Among visible keys nothing is special: a score of NaN or +Inf, or scores that are all -Inf, make the row NaN as in
// Softmax, and p_ij = 0 times v_j = Inf is NaN.
func Attention(q, k, v Matrix, scale float64, mask Mask) Matrix {
	require(k.Rows == v.Rows, "Attention: k has %d rows, v has %d", k.Rows, v.Rows)
	requireScores("Attention", q, k, mask)
	o := NewMatrix(q.Rows, v.Cols)
	for i := range q.Rows {
		visible, scores := visibleScores(i, q, k, scale, mask)
		for n, p := range Softmax(scores) {
			axpy(o.Row(i), p, v.Row(visible[n]))
		}
	}
	return o
}

// AttentionGrad returns the gradients of Attention, o_i = sum_j p_ij v_j with p_i the softmax of s_ij = mask.Score(x_ij) over the visible j
// and x_ij = scale (q_i . k_j), from that of its result
//
//	dv_j  = sum_i p_ij do_i
//	dp_ij = do_i . v_j
//	ds_i  = SoftmaxGrad of dp_i
//	dx_ij = CapGrad of ds_ij, which is ds_ij without a soft cap
//	dq_i  = scale sum_j dx_ij k_j
//	dk_j  = scale sum_i dx_ij q_i        do [Tq,Dv] -> dq [Tq,D], dk [Tk,D], dv [Tk,Dv]
//
// All sums run over the pairs that mask.Visible admits. A hidden pair is not there at all, so a query that sees no key, and a key that no
// query sees, have gradient 0.
func AttentionGrad(q, k, v, do Matrix, scale float64, mask Mask) (dq, dk, dv Matrix) {
	require(k.Rows == v.Rows, "AttentionGrad: k has %d rows, v has %d", k.Rows, v.Rows)
	require(do.Rows == q.Rows && do.Cols == v.Cols, "AttentionGrad: do is %dx%d, the output is %dx%d", do.Rows, do.Cols, q.Rows, v.Cols)
	requireScores("AttentionGrad", q, k, mask)
	dq, dk, dv = NewMatrix(q.Rows, q.Cols), NewMatrix(k.Rows, k.Cols), NewMatrix(v.Rows, v.Cols)
	for i := range q.Rows {
		visible, scores := visibleScores(i, q, k, scale, mask)
		dp := make([]float64, len(visible))
		for n, j := range visible {
			dp[n] = dot(do.Row(i), v.Row(j))
		}
		for n, p := range Softmax(scores) {
			axpy(dv.Row(visible[n]), p, do.Row(i))
		}
		for n, ds := range SoftmaxGrad(scores, dp) {
			j := visible[n]
			dx := mask.CapGrad(scale*dot(q.Row(i), k.Row(j)), ds)
			axpy(dq.Row(i), scale*dx, k.Row(j))
			axpy(dk.Row(j), scale*dx, q.Row(i))
		}
	}
	return dq, dk, dv
}

// visibleScores returns the keys that query i sees, and its scores there.
func visibleScores(i int, q, k Matrix, scale float64, mask Mask) (visible []int, scores []float64) {
	for j := range k.Rows {
		if mask.Visible(i, j, q.Rows, k.Rows) {
			visible = append(visible, j)
			scores = append(scores, mask.Score(float64(scale*dot(q.Row(i), k.Row(j))), i, j, k.Rows))
		}
	}
	return visible, scores
}

// Stage names what Attention forms on its way to the output.
type Stage string

// The stages, in order.
const (
	StageScores  Stage = "scores"  // scale (q_i . k_j)
	StageCapped  Stage = "capped"  // after the soft cap
	StageMasked  Stage = "masked"  // with the bias added, -Inf where the key is hidden
	StageWeights Stage = "weights" // p_ij, 0 where the key is hidden
)

// AttentionScores returns what Attention has at a stage, for every query and key: q [Tq,D], k [Tk,D] -> s [Tq,Tk]. The mask does nothing
// before StageMasked, its soft cap apart, and a query that sees no key has weights of 0.
func AttentionScores(q, k Matrix, scale float64, mask Mask, stage Stage) Matrix {
	requireScores("AttentionScores", q, k, mask)
	s := NewMatrix(q.Rows, k.Rows)
	for i := range q.Rows {
		row := s.Row(i)
		switch stage {
		case StageScores, StageCapped:
			for j := range row {
				row[j] = scale * dot(q.Row(i), k.Row(j))
				if stage == StageCapped {
					row[j] = mask.Cap(row[j])
				}
			}
			continue
		case StageMasked:
			for j := range row {
				row[j] = math.Inf(-1)
			}
		case StageWeights:
		default:
			require(false, "AttentionScores: unknown stage %q: use scores, capped, masked or weights", stage)
		}
		visible, scores := visibleScores(i, q, k, scale, mask)
		if stage == StageWeights {
			scores = Softmax(scores)
		}
		for n, j := range visible {
			row[j] = scores[n]
		}
	}
	return s
}

func requireScores(name string, q, k Matrix, mask Mask) {
	require(q.Cols == k.Cols, "%s: q has head dim %d, k has %d", name, q.Cols, k.Cols)
	require(mask.Allow == nil || len(mask.Allow) == q.Rows*k.Rows,
		"%s: mask.Allow has %d elements, the scores are %dx%d", name, len(mask.Allow), q.Rows, k.Rows)
	require(mask.Bias == nil || len(mask.Bias) == q.Rows*k.Rows,
		"%s: mask.Bias has %d elements, the scores are %dx%d", name, len(mask.Bias), q.Rows, k.Rows)
}

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

// GroupedAttentionGrad returns the gradients of GroupedAttention, o_h = attention(q_h, k_g, v_g), from that of its result
//
//	dq_h = that of head h
//	dk_g = sum of those of the heads that share g, and likewise dv_g        do H x [Tq,Dv]
func GroupedAttentionGrad(q, k, v, do []Matrix, scale float64, masks func(head int) Mask) (dq, dk, dv []Matrix) {
	return Exact.GroupedAttentionGrad(q, k, v, do, scale, masks)
}

// GroupedAttentionGrad is the function GroupedAttentionGrad, built from p.
func (p Primitives) GroupedAttentionGrad(q, k, v, do []Matrix, scale float64, masks func(head int) Mask) (dq, dk, dv []Matrix) {
	require(len(q) == len(do), "GroupedAttentionGrad: %d query heads, %d gradients", len(q), len(do))
	group := len(q) / len(k)
	for h := range q {
		dqh, dkh, dvh := p.AttentionGrad(q[h], k[h/group], v[h/group], do[h], scale, masks(h))
		dq = append(dq, dqh)
		if h%group == 0 {
			dk, dv = append(dk, dkh), append(dv, dvh)
			continue
		}
		dk[h/group], dv[h/group] = p.Add(dk[h/group], dkh), p.Add(dv[h/group], dvh)
	}
	return dq, dk, dv
}
