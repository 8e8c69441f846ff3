package precise

import (
	"math/big"
	"testing"
)

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
