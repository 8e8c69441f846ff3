package reference

import "math"

// LayerNorm returns (Ba, Kiros and Hinton 2016)
//
//	y_i = (x_i - mu) / sqrt(var + eps) * gamma_i + beta_i
//	mu  = 1/d sum_i x_i
//	var = 1/d sum_i (x_i - mu)^2
//
// in two passes, with the biased variance and eps inside the root. x, gamma and beta have d elements; eps >= 0.
//
// Special cases: a constant row (d = 1 is one) gives beta when eps > 0 and NaN, 0/0, when eps = 0; a NaN or an infinity
// in x makes the whole row NaN.
func LayerNorm(x, gamma, beta []float64, eps float64) []float64 {
	require(len(gamma) == len(x) && len(beta) == len(x),
		"LayerNorm: x has %d elements, gamma %d, beta %d", len(x), len(gamma), len(beta))
	mu, variance := moments(x)
	sigma := math.Sqrt(variance + eps)
	y := make([]float64, len(x))
	for i, xi := range x {
		y[i] = float64((xi-mu)/sigma*gamma[i]) + beta[i]
	}
	return y
}

// LayerNormGrad returns the gradients of LayerNorm, y_i = xhat_i gamma_i + beta_i with xhat_i = (x_i - mu)/sigma, from that of its result
//
//	g_i      = dy_i gamma_i
//	dx_i     = (g_i - 1/d sum_j g_j - xhat_i 1/d sum_j g_j xhat_j) / sigma        sigma = sqrt(var + eps)
//	dgamma_i = dy_i xhat_i
//	dbeta_i  = dy_i
//
// The second term is what passes through mu, the third what passes through sigma: dsigma/dx_i = xhat_i / d, also where eps > 0, because
// sigma dsigma = dvar/2 = 1/d (x_i - mu) dx_i.
//
// Special cases as in LayerNorm: dx is (g_i - mean g) / sqrt(eps) on a constant row, and NaN throughout, as is dgamma, where y is.
func LayerNormGrad(x, gamma []float64, eps float64, dy []float64) (dx, dgamma, dbeta []float64) {
	require(len(gamma) == len(x) && len(dy) == len(x),
		"LayerNormGrad: x has %d elements, gamma %d, dy %d", len(x), len(gamma), len(dy))
	d := float64(len(x))
	mu, variance := moments(x)
	sigma := math.Sqrt(variance + eps)
	dx, dgamma, dbeta = make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	sumG, sumGX := 0.0, 0.0
	for i, xi := range x {
		xhat, g := (xi-mu)/sigma, float64(dy[i]*gamma[i])
		dgamma[i] = dy[i] * xhat
		dbeta[i] = dy[i]
		sumG += g
		sumGX = float64(g*xhat) + sumGX
	}
	for i, xi := range x {
		xhat, g := (xi-mu)/sigma, float64(dy[i]*gamma[i])
		dx[i] = (g - sumG/d - float64(xhat*(sumGX/d))) / sigma
	}
	return dx, dgamma, dbeta
}

// moments returns the mean and the biased variance of x.
//
// The mean is corrected once by the mean of the deviations from it, which are small and nearly exact. So the deviations of
// a constant row are exactly 0, whatever the rounding of its sum was.
func moments(x []float64) (mu, variance float64) {
	d := float64(len(x))
	for _, xi := range x {
		mu += xi
	}
	mu /= d
	correction := 0.0
	for _, xi := range x {
		correction += xi - mu
	}
	mu += correction / d
	for _, xi := range x {
		variance = float64((xi-mu)*(xi-mu)) + variance
	}
	return mu, variance / d
}

// LayerNormRows returns LayerNorm of each row: x [T,d], gamma [d], beta [d] -> [T,d].
func LayerNormRows(x Matrix, gamma, beta []float64, eps float64) Matrix {
	y := NewMatrix(x.Rows, x.Cols)
	for i := range x.Rows {
		copy(y.Row(i), LayerNorm(x.Row(i), gamma, beta, eps))
	}
	return y
}

// LayerNormRowsGrad returns LayerNormGrad of each row, with dgamma and dbeta summed over the rows: x and dy [T,d] -> dx [T,d], dgamma [d],
// dbeta [d].
func LayerNormRowsGrad(x Matrix, gamma []float64, eps float64, dy Matrix) (dx Matrix, dgamma, dbeta []float64) {
	require(x.Rows == dy.Rows, "LayerNormRowsGrad: x has %d rows, dy %d", x.Rows, dy.Rows)
	dx, dgamma, dbeta = NewMatrix(x.Rows, x.Cols), make([]float64, x.Cols), make([]float64, x.Cols)
	for i := range x.Rows {
		dxi, dgammai, dbetai := LayerNormGrad(x.Row(i), gamma, eps, dy.Row(i))
		copy(dx.Row(i), dxi)
		axpy(dgamma, 1, dgammai)
		axpy(dbeta, 1, dbetai)
	}
	return dx, dgamma, dbeta
}
