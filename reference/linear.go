package reference

// Linear returns the affine map of each row
//
//	y = x W + b        x [T,in], W [in,out], b [out] or nil for none -> y [T,out]
//
// The bias is added to the finished sum.
func Linear(x, w Matrix, b []float64) Matrix {
	y := MatMul(x, w)
	if b == nil {
		return y
	}
	require(len(b) == w.Cols, "Linear: b has %d elements, w is %dx%d", len(b), w.Rows, w.Cols)
	for i := range y.Rows {
		row := y.Row(i)
		for j, bj := range b {
			row[j] += bj
		}
	}
	return y
}

// LinearGrad returns the gradients of Linear, y = x W + b, from that of its result
//
//	dx   = dy W^T
//	dW   = x^T dy
//	db_j = sum_t dy_tj        dy [T,out] -> dx [T,in], dW [in,out], db [out], nil where b is
func LinearGrad(x, w Matrix, b []float64, dy Matrix) (dx, dw Matrix, db []float64) {
	dx, dw = MatMulGrad(x, w, dy)
	if b != nil {
		db = make([]float64, dy.Cols)
		addRows(db, dy)
	}
	return dx, dw, db
}

// addRows adds every row of m to sum.
func addRows(sum []float64, m Matrix) {
	for i := range m.Rows {
		for j, x := range m.Row(i) {
			sum[j] += x
		}
	}
}
