package precise

import (
	"math"
	"testing"
)

// IEEE 754's rules for what is not finite, against the hardware's.
func TestSpecialsAreThoseOfFloat64(t *testing.T) {
	inf := math.Inf(1)
	values := []float64{math.NaN(), -inf, -2, -1, 0, 1, 2, 3, inf}
	same := func(name string, got number, want float64) {
		t.Helper()
		if got.isNaN() != math.IsNaN(want) {
			t.Errorf("%s: got %v, want %v", name, got.v, want)
		} else if !got.isNaN() {
			if v, _ := got.v.Float64(); math.Abs(v-want) > 1e-15*math.Abs(want) {
				t.Errorf("%s: got %v, want %v", name, v, want)
			}
		}
	}
	for _, x := range values {
		for _, y := range values {
			same("add", add(of(x), of(y)), x+y)
			same("sub", sub(of(x), of(y)), x-y)
			same("mul", mul(of(x), of(y)), x*y)
			same("quo", quo(of(x), of(y)), x/y)
			same("dot", dot([]number{of(x), of(2), of(y)}, []number{of(y), of(3), of(1)}), x*y+6+y)
			same("sum", sum(of(x), of(y), of(x)), x+y+x)
			if x >= 0 && y >= 0 || x != x || y != y {
				same("logSum", logSum([]number{of(x), of(y)}), math.Log(x+y))
			}
			if got := less(of(x), of(y)); got != (x < y) {
				t.Errorf("less(%v, %v) is %v", x, y, got)
			}
			if want := math.Max(x, y) + 0*(x+y); !math.IsInf(x, 0) && !math.IsInf(y, 0) {
				same("largest", largest([]number{of(x), of(y)}), want)
			}
		}
		same("neg", neg(of(x)), -x)
		same("exp", exp(of(x)), math.Exp(x))
		same("log", log(of(x)), math.Log(x))
		same("sqrt", sqrt(of(x)), math.Sqrt(x))
		same("tanh", tanh(of(x)), math.Tanh(x))
		same("relu", relu(of(x)), math.Max(x, 0))
	}
	same("log(1 + 2^-1000)", logSum([]number{one, of(0x1p-1000)}), 0x1p-1000)
}
