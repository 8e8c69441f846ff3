package reference

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"pgregory.net/rapid"
)

// differentiable is a function of inputs that it reads at each call, with its gradient: the products of dy and its Jacobians with respect to
// each input, in their order. An input may be nil, and so then is its gradient.
type differentiable struct {
	name   string
	inputs [][]float64
	eval   func() []float64
	grad   func(dy []float64) [][]float64
}

// derivatives make what differentiables returns. The test file of a family adds its own.
var derivatives []func(s source) []differentiable

// derivative adds functions that have a gradient.
func derivative(of func(s source) []differentiable) struct{} {
	derivatives = append(derivatives, of)
	return struct{}{}
}

// differentiables are all functions of this package that have a gradient, at random inputs.
func differentiables(s source) (all []differentiable) {
	for _, of := range derivatives {
		all = append(all, of(s)...)
	}
	return all
}

// rowDerivative is a function of a row, which grad differentiates.
func rowDerivative(s source, name string, f func(x []float64) []float64, grad func(x, dy []float64) []float64) differentiable {
	x := s.vector(7)
	return differentiable{name, [][]float64{x}, func() []float64 { return f(x) }, func(dy []float64) [][]float64 { return [][]float64{grad(x, dy)} }}
}

// Every gradient is that of central differences.
//
// With L = sum_j dy_j y_j, a difference of four points h apart has the error h^4/30 |d^5 L| and the rounding of L, about 2^-53 |L| / h. At
// h = 1e-4 and with inputs of size 1 that is a few 1e-11 of L's and its derivatives' size, of which |L| + max |grad| is a measure.
func TestGradientsAreCentralDifferences(t *testing.T) {
	const h, tolerance = 1e-4, 1e-7
	central := fd.Formula{Stencil: []fd.Point{{Loc: -2, Coeff: 1. / 12}, {Loc: -1, Coeff: -2. / 3}, {Loc: 1, Coeff: 2. / 3}, {Loc: 2, Coeff: -1. / 12}},
		Derivative: 1, Step: h}
	for _, d := range differentiables(newSource(11)) {
		dy := newSource(12).vector(len(d.eval()))
		loss := func() float64 { return dot(d.eval(), dy) }
		worst := 0.0
		grads := d.grad(dy)
		if len(grads) != len(d.inputs) {
			t.Fatalf("%s: %d gradients of %d inputs", d.name, len(grads), len(d.inputs))
		}
		for n, x := range d.inputs {
			at := slices.Clone(x)
			if len(grads[n]) != len(x) {
				t.Fatalf("%s: gradient %d has %d elements, its input %d", d.name, n, len(grads[n]), len(x))
			}
			if len(x) == 0 {
				continue
			}
			want := fd.Gradient(nil, func(x []float64) float64 {
				copy(d.inputs[n], x)
				return loss()
			}, at, &fd.Settings{Formula: central})
			copy(x, at)
			scale := math.Abs(loss())
			for _, g := range grads[n] {
				scale = max(scale, math.Abs(g))
			}
			for i, w := range want {
				err := math.Abs(grads[n][i]-w) / scale
				worst = max(worst, err)
				if !(err <= tolerance) {
					t.Errorf("%s: gradient %d[%d] is %v, central differences give %v", d.name, n, i, grads[n][i], w)
				}
			}
		}
		t.Logf("%-30s worst %.1e", d.name, worst)
	}
}

// Gradients are linear in the upstream gradient.
func TestGradientsAreLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		for _, d := range differentiables(s) {
			n := len(d.eval())
			u, v := s.vector(n), s.vector(n)
			both := slices.Clone(v)
			axpy(both, 0.5, u)
			gu, gv, got := d.grad(u), d.grad(v), d.grad(both)
			size := maximum(rowOf(math.Abs)(slices.Concat(slices.Concat(gu...), slices.Concat(gv...)))) // one of them, dbk, is 0 but for rounding
			for i, want := range gv {
				want = slices.Clone(want)
				axpy(want, 0.5, gu[i])
				for k := range want {
					if err := math.Abs(got[i][k] - want[k]); !(err <= 1e-10*size) {
						t.Fatalf("%s: gradient %d[%d] of a sum is %v, the sum of gradients %v", d.name, i, k, got[i][k], want[k])
					}
				}
			}
		}
	})
}
