package reference

import (
	"fmt"
	"math"
)

// GradientNorm returns the Euclidean norm of all the elements of gs together, as of one vector
//
//	norm = 2^e sqrt(sum (g / 2^e)^2)        2^e the power of two above max |g|
//
// so that no square overflows or underflows that matters. Zeros and no elements give 0; a NaN or an infinity gives NaN or
// +Inf.
func GradientNorm(gs ...[]float64) float64 {
	largest := 0.0
	for _, g := range gs {
		for _, x := range g {
			largest = math.Max(largest, math.Abs(x))
		}
	}
	_, e := math.Frexp(largest)
	sum := 0.0
	for _, g := range gs {
		for _, x := range g {
			x = math.Ldexp(x, -e)
			sum = float64(x*x) + sum
		}
	}
	return math.Ldexp(math.Sqrt(sum), e)
}

// ClipNorm returns gradients scaled down to a joint norm, and the norm before (Pascanu et al. 2013, algorithm 1)
//
//	y = g min(1, maxNorm / (norm + eps))        norm = GradientNorm(gs...), maxNorm > 0
//
// Gradients that are short enough, zeros among them, come back as they are; none becomes longer. A norm that is not finite is
// an error that wraps ErrNumber: no factor would make anything of such gradients.
func ClipNorm(maxNorm, eps float64, gs ...[]float64) (ys [][]float64, norm float64, err error) {
	norm = GradientNorm(gs...)
	if math.IsNaN(norm) || math.IsInf(norm, 1) {
		return nil, 0, fmt.Errorf("reference: ClipNorm: the norm is %v: %w", norm, ErrNumber)
	}
	coefficient := math.Min(1, maxNorm/(norm+eps))
	for _, g := range gs {
		y := make([]float64, len(g))
		for i, x := range g {
			y[i] = coefficient * x
		}
		ys = append(ys, y)
	}
	return ys, norm, nil
}

// ClipValue returns max(-limit, min(g, limit)), element by element. NaN stays NaN.
func ClipValue(g []float64, limit float64) []float64 {
	y := make([]float64, len(g))
	for i, x := range g {
		y[i] = math.Max(-limit, math.Min(x, limit))
	}
	return y
}
