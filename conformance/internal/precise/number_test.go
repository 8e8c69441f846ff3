package precise

import (
	"math"
	"math/big"
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

// The gradient of functions made of every primitive, against central differences: with 256 bits and steps of 2^-80, these are off by 2^-150.
func TestTapeAgreesWithDifferences(t *testing.T) {
	functions := map[string]func(x []number) number{
		"rational": func(x []number) number { return quo(sub(mul(x[0], x[1]), square(x[2])), add(x[1], neg(x[0]))) },
		"softmax":  func(x []number) number { _, es := exponentials(x); return quo(es[1], sum(es...)) },
		"loss":     func(x []number) number { return crossEntropyOf(x, 2) },
		"dot":      func(x []number) number { return dot(x, []number{x[1], x[1], of(3)}) },
		"norm":     func(x []number) number { return sqrt(dot(x, x)) },
		"log":      func(x []number) number { return mul(log(mul(x[0], x[0])), x[1]) },
		"gelu":     func(x []number) number { return add(geluErf(x[0]), geluErf(x[1])) },
		"gelu_tanh": func(x []number) number {
			return add(geluTanh(x[0]), geluTanh(x[1]))
		},
		"tanh": func(x []number) number { return tanh(mul(x[0], x[1])) },
		"relu": func(x []number) number { return add(relu(x[0]), relu(x[1])) },
	}
	point := []float64{0.75, -1.5, 2.25}
	step := of(0x1p-80)
	for name, f := range functions {
		tp := new(tape)
		xs := make([]number, len(point))
		for i, p := range point {
			xs[i] = tp.variable(of(p))
		}
		gradient := tp.gradient([]number{f(xs)}, []number{of(3)})
		for i := range point {
			shifted := func(h number) number {
				moved := make([]number, len(point))
				for j, p := range point {
					moved[j] = of(p)
				}
				moved[i] = add(moved[i], h)
				return f(moved)
			}
			want := mul(of(3), quo(sub(shifted(step), shifted(neg(step))), mul(two, step)))
			diff := new(big.Float).Abs(sub(gradient(xs[i]), want).v)
			if diff.Cmp(big.NewFloat(0x1p-140)) > 0 {
				t.Errorf("%s: derivative %d is %.40g, differences give %.40g", name, i, gradient(xs[i]).v, want.v)
			}
		}
	}
	tp := new(tape)
	if g := tp.gradient([]number{tp.variable(one)}, []number{one})(of(5)); !g.isZero() {
		t.Errorf("the derivative by a constant is %v", g.v)
	}
}
