package reference

import "math"

// Scale returns the default scale of scores, 1/sqrt(headDim) (Vaswani et al. 2017, section 3.2.1).
func Scale(headDim int) float64 { return 1 / math.Sqrt(float64(headDim)) }

// Attention returns scaled dot-product attention of one head (Vaswani et al. 2017, equation 1)
//
//	s_ij = scale (q_i . k_j) + bias_ij
//	p_i  = softmax of s_ij over the visible j
//	o_i  = sum_j p_ij v_j over the visible j        q [Tq,D], k [Tk,D], v [Tk,Dv] -> o [Tq,Dv]
//
// Both sums run over the keys that mask.Visible admits. A hidden key is not there at all, whatever K and V hold for it; and
// a query that sees no key has an empty sum, which is 0.
//
// Among visible keys nothing is special: a score of NaN or +Inf, or scores that are all -Inf, make the row NaN as in
// Softmax, and p_ij = 0 times v_j = Inf is NaN.
func Attention(q, k, v Matrix, scale float64, mask Mask) Matrix {
	require(q.Cols == k.Cols, "Attention: q has head dim %d, k has %d", q.Cols, k.Cols)
	require(k.Rows == v.Rows, "Attention: k has %d rows, v has %d", k.Rows, v.Rows)
	require(mask.Allow == nil || len(mask.Allow) == q.Rows*k.Rows,
		"Attention: mask.Allow has %d elements, the scores are %dx%d", len(mask.Allow), q.Rows, k.Rows)
	require(mask.Bias == nil || len(mask.Bias) == q.Rows*k.Rows,
		"Attention: mask.Bias has %d elements, the scores are %dx%d", len(mask.Bias), q.Rows, k.Rows)
	o := NewMatrix(q.Rows, v.Cols)
	for i := range q.Rows {
		var visible []int
		var scores []float64
		for j := range k.Rows {
			if mask.Visible(i, j, q.Rows, k.Rows) {
				visible = append(visible, j)
				scores = append(scores, float64(scale*dot(q.Row(i), k.Row(j)))+mask.BiasAt(i, j, k.Rows))
			}
		}
		for n, p := range Softmax(scores) {
			axpy(o.Row(i), p, v.Row(visible[n]))
		}
	}
	return o
}
