package reference

import "math"

// RMSNorm returns (Zhang and Sennrich 2019, section 4)
//
//	y_i = x_i / sqrt(ms + eps) * gamma_i
//	ms  = 1/d sum_i x_i^2
//
// without a mean that is subtracted and without a shift, with eps inside the root. x and gamma have d elements; eps >= 0.
//
// Special cases: a row of zeros gives 0 when eps > 0 and NaN, 0/0, when eps = 0. A NaN in x makes the whole row NaN; an infinity makes
// itself NaN and every finite element 0.
func RMSNorm(x, gamma []float64, eps float64) []float64 {
	require(len(gamma) == len(x), "RMSNorm: x has %d elements, gamma %d", len(x), len(gamma))
	r := rootMeanSquare(x, eps)
	y := make([]float64, len(x))
	for i, xi := range x {
		y[i] = xi / r * gamma[i]
	}
	return y
}

// RMSNormGrad returns the gradients of RMSNorm, y_i = xhat_i gamma_i with xhat_i = x_i / r, from that of its result
//
//	g_i      = dy_i gamma_i
//	dx_i     = (g_i - xhat_i 1/d sum_j g_j xhat_j) / r        r = sqrt(ms + eps)
//	dgamma_i = dy_i xhat_i
//
// The second term is what passes through r: dr/dx_i = xhat_i / d.
//
// Special cases as in RMSNorm: dx is g_i / sqrt(eps) on a row of zeros, and NaN throughout where the row holds a NaN or an infinity.
func RMSNormGrad(x, gamma []float64, eps float64, dy []float64) (dx, dgamma []float64) {
	require(len(gamma) == len(x) && len(dy) == len(x), "RMSNormGrad: x has %d elements, gamma %d, dy %d", len(x), len(gamma), len(dy))
	r := rootMeanSquare(x, eps)
	dx, dgamma = make([]float64, len(x)), make([]float64, len(x))
	sum := 0.0
	for i, xi := range x {
		dgamma[i] = dy[i] * (xi / r)
		sum = float64(dy[i]*gamma[i]*(xi/r)) + sum
	}
	mean := sum / float64(len(x))
	for i, xi := range x {
		dx[i] = (float64(dy[i]*gamma[i]) - float64(xi/r*mean)) / r
	}
	return dx, dgamma
}

// rootMeanSquare returns sqrt(1/d sum_i x_i^2 + eps).
func rootMeanSquare(x []float64, eps float64) float64 {
	sum := 0.0
	for _, xi := range x {
		sum = float64(xi*xi) + sum
	}
	return math.Sqrt(sum/float64(len(x)) + eps)
}

// RMSNormRows returns RMSNorm of each row: x [T,d], gamma [d] -> [T,d].
func RMSNormRows(x Matrix, gamma []float64, eps float64) Matrix {
	y := NewMatrix(x.Rows, x.Cols)
	for i := range x.Rows {
		copy(y.Row(i), RMSNorm(x.Row(i), gamma, eps))
	}
	return y
}

// RMSNormRowsGrad returns RMSNormGrad of each row, with dgamma summed over the rows: x and dy [T,d] -> dx [T,d], dgamma [d].
func RMSNormRowsGrad(x Matrix, gamma []float64, eps float64, dy Matrix) (dx Matrix, dgamma []float64) {
	require(x.Rows == dy.Rows, "RMSNormRowsGrad: x has %d rows, dy %d", x.Rows, dy.Rows)
	dx, dgamma = NewMatrix(x.Rows, x.Cols), make([]float64, x.Cols)
	for i := range x.Rows {
		dxi, dgammai := RMSNormGrad(x.Row(i), gamma, eps, dy.Row(i))
		copy(dx.Row(i), dxi)
		axpy(dgamma, 1, dgammai)
	}
	return dx, dgamma
}
