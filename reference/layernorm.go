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
