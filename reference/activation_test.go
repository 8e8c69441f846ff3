package reference

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestActivations(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name  string
		f     func(float64) float64
		x     float64
		want  float64
		units float64
	}{
		{"relu", ReLU, 3, 3, 0},
		{"relu", ReLU, -3, 0, 0},
		{"relu", ReLU, math.Copysign(0, -1), 0, 0},
		{"relu", ReLU, inf, inf, 0},
		{"relu", ReLU, -inf, 0, 0},
		{"relu", ReLU, nan, nan, 0},

		// x Phi(x), by mpmath at 30 digits. For large negative x the allowance is that of Phi's own sensitivity, x^2.
		{"gelu", GELU, 0, 0, 0},
		{"gelu", GELU, 1, 0.84134474606854294859, 4},
		{"gelu", GELU, -1, -0.15865525393145705141, 4},
		{"gelu", GELU, 2, 1.9544997361036415856, 4},
		{"gelu", GELU, -5, -1.4332578593959695584e-6, 25 + 4},
		{"gelu", GELU, -10, -7.619853024160526066e-23, 100 + 4},
		{"gelu", GELU, -30, -1.4720141781444561179e-196, 2*900 + 4},
		{"gelu", GELU, -50, 0, 0},
		{"gelu", GELU, inf, inf, 0},
		{"gelu", GELU, -inf, 0, 0},
		{"gelu", GELU, nan, nan, 0},

		{"gelu_tanh", GELUTanh, 0, 0, 0},
		{"gelu_tanh", GELUTanh, 1, 0.84119199060827670478, 4},
		{"gelu_tanh", GELUTanh, -1, -0.15880800939172329522, 4},
		{"gelu_tanh", GELUTanh, -5, -2.2917961966295060456e-7, 64},
		{"gelu_tanh", GELUTanh, -10, -1.2040923482098059937e-37, 256},
		{"gelu_tanh", GELUTanh, -1e200, 0, 0},
		{"gelu_tanh", GELUTanh, inf, inf, 0},
		{"gelu_tanh", GELUTanh, -inf, 0, 0},
		{"gelu_tanh", GELUTanh, nan, nan, 0},
	}
	for _, tt := range tests {
		got := Activation(tt.name).Apply(rowsOf([]float64{tt.x})).Data
		sameBits(t, got, []float64{tt.f(tt.x)})
		t.Run(tt.name, func(t *testing.T) { within(t, got, []float64{tt.want}, tt.units) })
	}
}

func TestGELUAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Halves of subnormal numbers are not numbers: 5e-324 becomes 0.
		x := rapid.Float64Range(-8, 8).Filter(func(x float64) bool { return x == 0 || math.Abs(x) >= 0x1p-1021 }).Draw(t, "x")
		for _, gelu := range []func(float64) float64{GELU, GELUTanh} {
			// Phi(x) + Phi(-x) = 1, and so for the approximation.
			within(t, []float64{gelu(x) - gelu(-x)}, []float64{x}, 8)
		}
		// The forms of the definition agree where they do not cancel.
		y := math.Abs(x)
		within(t, []float64{GELU(y)}, []float64{y / 2 * (1 + math.Erf(y/math.Sqrt2))}, 8)
		u := math.Sqrt(2/math.Pi) * (y + 0.044715*y*y*y)
		within(t, []float64{GELUTanh(y)}, []float64{y / 2 * (1 + math.Tanh(u))}, 8)
		// Hendrycks and Gimpel's approximation is within 0.0005 of GELU.
		if d := math.Abs(GELU(x) - GELUTanh(x)); d > 5e-4 {
			t.Fatalf("GELU(%v) and its approximation differ by %v", x, d)
		}
	})
}

var _ = derivative(func(s source) (all []differentiable) {
	for _, act := range []Activation{ActReLU, ActGELU, ActGELUTanh} {
		x := s.matrix(3, 5)
		for i, v := range x.Data {
			x.Data[i] = 2*v + math.Copysign(0.1, v) // the kink of ReLU is at 0
		}
		all = append(all, differentiable{"Apply " + string(act), [][]float64{x.Data}, func() []float64 { return act.Apply(x).Data },
			func(dy []float64) [][]float64 { return [][]float64{act.ApplyGrad(x, Matrix{3, 5, dy}).Data} }})
	}
	return all
})

func TestSpecialsOfActivationGrad(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	one := func(f func(x, dy float64) float64) func(x, dy float64) []float64 {
		return func(x, dy float64) []float64 { return []float64{f(x, dy)} }
	}
	checkSpecials(t, []special{
		{"relu at 0", one(ReLUGrad)(0, 3), []float64{0}},
		{"relu at -0", one(ReLUGrad)(math.Copysign(0, -1), 3), []float64{0}},
		{"relu below 0, NaN upstream", one(ReLUGrad)(-1, nan), []float64{0}},
		{"relu above 0, Inf upstream", one(ReLUGrad)(1, inf), []float64{inf}},
		{"relu at NaN", one(ReLUGrad)(nan, 3), []float64{nan}},
		{"gelu at -Inf", one(GELUGrad)(-inf, 3), []float64{0}},
		{"gelu at +Inf", one(GELUGrad)(inf, 3), []float64{3}},
		{"gelu at NaN", one(GELUGrad)(nan, 3), []float64{nan}},
		{"gelu at 0", one(GELUGrad)(0, 3), []float64{1.5}},
		{"gelu at the largest number", one(GELUGrad)(math.MaxFloat64, 3), []float64{3}},
		{"gelu at its negative", one(GELUGrad)(-math.MaxFloat64, 3), []float64{0}},
		{"tanh form at -Inf", one(GELUTanhGrad)(-inf, 3), []float64{0}},
		{"tanh form at +Inf", one(GELUTanhGrad)(inf, 3), []float64{3}},
		{"tanh form at NaN", one(GELUTanhGrad)(nan, 3), []float64{nan}},
		{"tanh form at 0", one(GELUTanhGrad)(0, 3), []float64{1.5}},
		{"tanh form at the largest number", one(GELUTanhGrad)(math.MaxFloat64, 3), []float64{3}},
		{"tanh form at its negative", one(GELUTanhGrad)(-math.MaxFloat64, 3), []float64{0}},
	})
}
