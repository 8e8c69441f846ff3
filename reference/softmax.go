package reference

import "math"

// Softmax returns
//
//	p_i = exp(x_i - m) / S        m = max_j x_j,  S = sum_j exp(x_j - m)
//
// Subtracting the maximum changes nothing in exact arithmetic and keeps exp from overflowing.
//
// Special cases:
//
//	a NaN or +Inf in x -> every p_i is NaN
//	every x_i = -Inf   -> every p_i is NaN (0/0)
//	x_i = -Inf, another x_j finite -> p_i = 0 exactly
//	x empty -> empty
func Softmax(x []float64) []float64 {
	m := maximum(x)
	p := make([]float64, len(x))
	sum := 0.0
	for i, xi := range x {
		p[i] = math.Exp(xi - m)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// SoftmaxGrad returns the gradient of Softmax, p_i = exp(x_i - m) / S, from that of its result
//
//	dx_i = p_i (dy_i - sum_j p_j dy_j)
//
// since dp_j/dx_i = p_i (1[i=j] - p_j). In exact arithmetic the elements of dx sum to 0. m cancels in p, and so has no gradient.
//
// Special cases: where p is NaN, so is dx.
func SoftmaxGrad(x, dy []float64) []float64 {
	require(len(x) == len(dy), "SoftmaxGrad: x has %d elements, dy %d", len(x), len(dy))
	p := Softmax(x)
	mean := dot(p, dy)
	dx := make([]float64, len(x))
	for i, pi := range p {
		dx[i] = pi * (dy[i] - mean)
	}
	return dx
}

// LogSoftmax returns
//
//	y_i = (x_i - m) - log S       m and S as in Softmax
//
// which is finite where Softmax underflows to 0. Special cases as in Softmax; x_i = -Inf gives -Inf when another is finite.
func LogSoftmax(x []float64) []float64 {
	m, logS := logSumExp(x)
	y := make([]float64, len(x))
	for i, xi := range x {
		y[i] = (xi - m) - logS
	}
	return y
}

// LogSoftmaxGrad returns the gradient of LogSoftmax, y_i = (x_i - m) - log S, from that of its result
//
//	dx_i = dy_i - p_i sum_j dy_j        p = softmax(x)
//
// since d(m + log S)/dx_i = p_i. Special cases: where p is NaN, so is dx.
func LogSoftmaxGrad(x, dy []float64) []float64 {
	require(len(x) == len(dy), "LogSoftmaxGrad: x has %d elements, dy %d", len(x), len(dy))
	sum := 0.0
	for _, d := range dy {
		sum += d
	}
	dx := make([]float64, len(x))
	for i, p := range Softmax(x) {
		dx[i] = dy[i] - float64(p*sum)
	}
	return dx
}

// logSumExp returns m = max_j x_j and log S = log sum_j exp(x_j - m), so that log sum_j exp(x_j) = m + log S.
//
// The largest term of S is exactly 1. It is left out of the sum and given back by log1p, so that log S keeps its relative
// accuracy when everything else is small. An infinite m, like a NaN, makes log S NaN.
func logSumExp(x []float64) (m, logS float64) {
	m = maximum(x)
	rest, seen := 0.0, false
	for _, xj := range x {
		if xj == m && !seen {
			seen = true
			continue
		}
		rest += math.Exp(xj - m)
	}
	return m, math.Log1p(rest) + (m - m)
}

// maximum returns the largest element: NaN or +Inf when there is a NaN, -Inf when x is empty.
func maximum(x []float64) float64 {
	m := math.Inf(-1)
	for _, xi := range x {
		m = math.Max(m, xi)
	}
	return m
}
