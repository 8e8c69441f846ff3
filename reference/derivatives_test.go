package reference

import (
	"errors"
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

func TestRowGradientsAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 2 + s.IntN(20)
		x, dy := s.vector(n), s.vector(n)
		axpy(dy, 1, filled(n, 0.1)) // so that nothing is all but 0

		// A shift of the logits changes nothing, so their gradients sum to 0.
		size := 1 + maximum(rowOf(math.Abs)(dy))
		for name, dx := range map[string][]float64{"Softmax": SoftmaxGrad(x, dy), "LogSoftmax": LogSoftmaxGrad(x, dy),
			"CrossEntropy": CrossEntropyGrad(x, n/2, 1.7)} {
			if sum, _ := sumOf(dx); !(math.Abs(sum) <= 0x1p-53*64*float64(n)*size) {
				t.Fatalf("%s: the gradient sums to %v", name, sum)
			}
		}
		// LogSoftmax of a target is the loss with its sign turned.
		oneHot := make([]float64, n)
		oneHot[n/2] = -1.7
		within(t, LogSoftmaxGrad(x, oneHot), CrossEntropyGrad(x, n/2, 1.7), 64)

		// Without eps a shift and a scaling of a row change nothing: its gradient is orthogonal to ones and to the row.
		if n > 3 {
			gamma := s.vector(n)
			dx, _, _ := LayerNormGrad(x, gamma, 0, dy)
			xhat := LayerNorm(x, filled(n, 1), filled(n, 0), 0)
			products := make([]float64, n)
			for i := range dx {
				products[i] = dx[i] * xhat[i]
			}
			vanishes(t, "LayerNormGrad", dx, 1e5)
			vanishes(t, "LayerNormGrad times xhat", products, 1e5)
		}

		// EmbeddingGrad is the product with one-hot rows.
		ids, m := s.ids(n, 5), s.matrix(n, 3)
		hot := NewMatrix(n, 5)
		for i, id := range ids {
			hot.Data[i*5+id] = 1
		}
		sameBits(t, must(EmbeddingGrad(ids, 5, m)).Data, MatMul(hot.T(), m).Data)
	})
}

func TestSpecialsOfGradients(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	one := func(f func(x, dy float64) float64) func(x, dy float64) []float64 {
		return func(x, dy float64) []float64 { return []float64{f(x, dy)} }
	}
	for _, tt := range []struct {
		name      string
		got, want []float64
	}{
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
		{"softmax of one element", SoftmaxGrad([]float64{7}, []float64{3}), []float64{0}},
		{"softmax with a NaN", SoftmaxGrad([]float64{7, nan}, []float64{3, 1}), []float64{nan, nan}},
		{"softmax with -Inf", SoftmaxGrad([]float64{7, -inf}, []float64{3, 1}), []float64{0, 0}},
		{"softmax of equal elements", SoftmaxGrad([]float64{7, 7}, []float64{3, 1}), []float64{.5, -.5}},
		{"log-softmax of equal elements", LogSoftmaxGrad([]float64{7, 7}, []float64{3, 1}), []float64{1, -1}},
		{"log-softmax with underflow", LogSoftmaxGrad([]float64{0, -1000}, []float64{3, 1}), []float64{-1, 1}},
		{"cross-entropy of equal logits", CrossEntropyGrad([]float64{7, 7}, 1, 3), []float64{1.5, -1.5}},
		{"cross-entropy, confident", CrossEntropyGrad([]float64{0, -700}, 0, 1), []float64{-math.Exp(-700), math.Exp(-700)}},
		{"cross-entropy with a target of -Inf", CrossEntropyGrad([]float64{0, -inf}, 1, 2), []float64{2, -2}},
		{"cross-entropy with +Inf", CrossEntropyGrad([]float64{0, inf}, 1, 2), []float64{nan, nan}},
		{"mean of nothing", ReduceGrad([]float64{3}, []int{-1, -1}, -1, ReduceMean), []float64{0, 0}},
		{"none, NaN upstream of an ignored target", ReduceGrad([]float64{3, nan}, []int{2, -1}, -1, ReduceNone), []float64{3, 0}},
		{"mean", ReduceGrad([]float64{3}, []int{0, -1, 4}, -1, ReduceMean), []float64{1.5, 0, 1.5}},
		{"sum", ReduceGrad([]float64{3}, []int{0, -1, 4}, -1, ReduceSum), []float64{3, 0, 3}},
		{"soft cap at Inf", []float64{Mask{Softcap: 2}.CapGrad(inf, 3)}, []float64{0}},
		{"soft cap at 0", []float64{Mask{Softcap: 2}.CapGrad(0, 3)}, []float64{3}},
		{"no soft cap", []float64{Mask{}.CapGrad(inf, 3)}, []float64{3}},
	} {
		t.Run(tt.name, func(t *testing.T) { within(t, tt.got, tt.want, 4) })
	}
	for _, id := range []int{-1, 3, 4} {
		if _, err := EmbeddingGrad([]int{1, id}, 3, NewMatrix(2, 2)); !errors.Is(err, ErrIndex) {
			t.Errorf("EmbeddingGrad of id %d in a table of 3: error %v, want one that wraps ErrIndex", id, err)
		}
	}
	dx, dgamma, dbeta := LayerNormGrad([]float64{5, 5}, []float64{2, 2}, 0.25, []float64{3, 1})
	sameBits(t, slices.Concat(dx, dgamma, dbeta), []float64{4, -4, 0, 0, 3, 1})
	m, dgamma, dbeta := LayerNormRowsGrad(Matrix{2, 2, []float64{1, nan, 5, 5}}, []float64{2, 2}, 0.25, Matrix{2, 2, []float64{1, 1, 3, 1}})
	sameBits(t, slices.Concat(m.Data, dgamma, dbeta), []float64{nan, nan, 4, -4, nan, nan, 4, 2})
}
