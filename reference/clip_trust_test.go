package reference

import (
	"math"
	"testing"
)

// CLIP-3: the norm is accurate whatever the order of elements whose squares overflow and underflow.
func TestGradientNormOfExtremes(t *testing.T) {
	for _, tt := range []struct {
		g    []float64
		want float64
	}{
		{[]float64{3e200, -4e200, 1e-200}, 5e200}, {[]float64{1e-200, 3e200, -4e200}, 5e200}, {[]float64{3e-200, 4e-200}, 5e-200},
		{[]float64{3e-320, 4e-320}, 5e-320}, {[]float64{0, 0}, 0}, {[]float64{math.MaxFloat64, 1}, math.MaxFloat64},
		{[]float64{1, math.Inf(-1)}, math.Inf(1)}, {[]float64{math.Inf(1), math.NaN()}, math.NaN()}, {nil, 0},
	} {
		got := GradientNorm(tt.g)
		if math.Abs(got-tt.want) > 1e-15*tt.want && !(got == tt.want) || math.IsNaN(got) != math.IsNaN(tt.want) {
			t.Errorf("GradientNorm(%v) is %v, want %v", tt.g, got, tt.want)
		}
		if whole, parts := GradientNorm(tt.g), GradientNorm(tt.g[:len(tt.g)/2], tt.g[len(tt.g)/2:]); whole != parts && !math.IsNaN(whole) {
			t.Errorf("GradientNorm(%v) is %v, in two parts %v", tt.g, whole, parts)
		}
	}
}
