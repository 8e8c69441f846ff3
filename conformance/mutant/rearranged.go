package mutant

import "math"

// rearrange puts other forms of the same formulas in place, those that fast kernels use. Each is as accurate as the obvious one.
func rearrange(p *plain) {
	p.expDiff = func(x, m float32) float32 { return float32(math.Exp2(float64((x - m) * float32(math.Log2E)))) }
	p.divide = func(x []float32, s float32) {
		inverse := 1 / s
		for j := range x {
			x[j] *= inverse
		}
	}
	p.normalize = func(d, variance, eps float32) float32 { return d * (1 / sqrt32(variance+eps)) }
	// Welford: the mean and the sum of squared deviations in one pass.
	p.variance = func(x []float32, _ float32) float32 {
		var mean, squares float32
		for i, v := range x {
			d := v - mean
			mean += d / float32(i+1)
			squares += float32(d * (v - mean))
		}
		return squares / float32(len(x))
	}
	p.geluErf = func(x float32) float32 {
		if x == -inf {
			return 0
		}
		return 0.5 * x * float32(math.Erfc(float64(-x*float32(1/math.Sqrt2))))
	}
	// x / (1 + exp(-2u)), the same as x/2 (1 + tanh(u)).
	p.geluTanh = func(x float32) float32 {
		if x == -inf {
			return 0
		}
		u := float32(math.Sqrt(2/math.Pi)) * x * (1 + float32(0.044715*x*x))
		return x / (1 + exp32(-2*u))
	}
	p.logProb = func(x, m, s float32) float32 { return (x - m) + log32(1/s) }
}
