package optimized

import (
	"math"
	"testing"
)

func TestGELUAccuracy(t *testing.T) {
	forms := []struct {
		name string
		f    spanFunc
		want func(x float64) float64
	}{
		{"erf", gelu, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }},
		{"tanh", geluTanh, func(x float64) float64 { return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }},
	}
	for _, form := range forms {
		worst, at := 0.0, float32(0)
		y := make([]float32, 1)
		sweep(-40, 40, 1999, func(x float32) {
			form.f(y, []float32{x}, 1)
			if e := ulps(y[0], form.want(float64(x))); e > worst {
				worst, at = e, x
			}
		})
		t.Logf("gelu, %s form: %.3f ULP at %v", form.name, worst, at)
		if worst > 0.7 {
			t.Errorf("gelu, %s form, is %.3f ULP off at %v, want at most 0.7", form.name, worst, at)
		}
		inf := float32(math.Inf(1))
		form.f(y, []float32{-inf}, 1)
		if y[0] != 0 {
			t.Errorf("gelu, %s form, of -Inf is %v, want 0", form.name, y[0])
		}
		for _, x := range []float32{inf, math.MaxFloat32, 100} {
			if form.f(y, []float32{x}, 1); y[0] != x {
				t.Errorf("gelu, %s form, of %v is %v", form.name, x, y[0])
			}
		}
		if form.f(y, []float32{-math.MaxFloat32}, 1); y[0] != 0 {
			t.Errorf("gelu, %s form, of the smallest number is %v, want 0", form.name, y[0])
		}
		if form.f(y, []float32{float32(math.NaN())}, 1); y[0] == y[0] {
			t.Errorf("gelu, %s form, of NaN is %v", form.name, y[0])
		}
	}
}
