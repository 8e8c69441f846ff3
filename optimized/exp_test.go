package optimized

import (
	"math"
	"testing"
)

// ulps returns how far got is from want in units in the last place of a float32 of want's size.
func ulps(got float32, want float64) float64 {
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// sweep calls f with float32 numbers in [lo, hi], step bit patterns apart, and with the ends.
func sweep(lo, hi float32, step uint32, f func(x float32)) {
	f(lo)
	f(hi)
	for bits := uint32(0); bits < 0x7f800000; bits += step {
		x := math.Float32frombits(bits)
		for _, x := range []float32{x, -x} {
			if lo <= x && x <= hi {
				f(x)
			}
		}
	}
}

func TestExp(t *testing.T) {
	if got := exp(0); got != 1 {
		t.Errorf("exp(0) = %v, want 1", got)
	}
	worst, at := 0.0, float32(0)
	sweep(-104, 88.7, 997, func(x float32) {
		if e := ulps(float32(exp(float64(x))), math.Exp(float64(x))); e > worst {
			worst, at = e, x
		}
	})
	if worst > 0.51 {
		t.Errorf("exp is %.3f ULP off at %v, want at most 0.51", worst, at)
	}
	sweep(-110, 0, 997, func(x float32) {
		if got, want := float32(expNegative(float64(x))), float32(exp(float64(x))); got != want {
			t.Errorf("expNegative(%v) = %v, want %v", x, got, want)
		}
	})
	relative := 0.0
	for x := -708.0; x <= 708; x += 0.0137 {
		relative = max(relative, math.Abs(exp(x)/math.Exp(x)-1))
	}
	if relative > 6e-10 {
		t.Errorf("exp has a relative error of %.3g, want at most 6e-10", relative)
	}
	inf, nan := math.Inf(1), math.NaN()
	for _, x := range []float64{-105, -106, -1e300, -inf} {
		if got := float32(expNegative(x)); got != 0 {
			t.Errorf("expNegative(%v) = %v, want 0", x, got)
		}
	}
	if !math.IsNaN(exp(nan)) || !math.IsNaN(expNegative(nan)) {
		t.Error("the exponential of NaN is a number")
	}
}

func TestTanh(t *testing.T) {
	for x := -25.0; x <= 25; x += 0.00137 {
		if got, want := tanh(x), math.Tanh(x); math.Abs(got-want) > 1e-8*math.Abs(want) {
			t.Fatalf("tanh(%v) = %v, want %v", x, got, want)
		}
	}
	inf, nan := math.Inf(1), math.NaN()
	for x, want := range map[float64]float64{0: 0, inf: 1, -inf: -1, 1e-300: 1e-300, 1e300: 1, -1e300: -1} {
		if got := tanh(x); got != want {
			t.Errorf("tanh(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(tanh(nan)) {
		t.Error("the tangent of NaN is a number")
	}
}
