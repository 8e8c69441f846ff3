package reference

// MatMul returns the product
//
//	c_ij = sum_k a_ik b_kj        a [M,K], b [K,N] -> c [M,N]
//
// summed in the order k = 0, 1, ... No term is skipped, so 0 * Inf and 0 * NaN make the NaN that they should.
func MatMul(a, b Matrix) Matrix {
	require(a.Cols == b.Rows, "MatMul: a is %dx%d, b is %dx%d", a.Rows, a.Cols, b.Rows, b.Cols)
	c := NewMatrix(a.Rows, b.Cols)
	for i := range a.Rows {
		row := c.Row(i)
		for k, aik := range a.Row(i) {
			axpy(row, aik, b.Row(k))
		}
	}
	return c
}

// MatMulGrad returns the gradients of MatMul, c = a b, from that of its result
//
//	da = dc b^T
//	db = a^T dc        dc [M,N] -> da [M,K], db [K,N]
func MatMulGrad(a, b, dc Matrix) (da, db Matrix) {
	require(dc.Rows == a.Rows && dc.Cols == b.Cols, "MatMulGrad: a is %dx%d, b is %dx%d, dc is %dx%d", a.Rows, a.Cols, b.Rows, b.Cols, dc.Rows, dc.Cols)
	return MatMul(dc, b.T()), MatMul(a.T(), dc)
}

// axpy adds a x to y, element by element.
func axpy(y []float64, a float64, x []float64) {
	y = y[:len(x)]
	for j, xj := range x {
		y[j] = float64(a*xj) + y[j]
	}
}

// dot returns sum_k x_k y_k, summed in the order k = 0, 1, ...
func dot(x, y []float64) float64 {
	sum := 0.0
	for k, xk := range x {
		sum = float64(xk*y[k]) + sum
	}
	return sum
}
