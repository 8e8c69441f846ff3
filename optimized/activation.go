package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// An activation is an elementwise function, its gradient, and what one element costs.
type activation struct {
	f    spanFunc
	grad gradFunc
	cost int
}

// activations by the name that composites give them.
var activations = map[string]activation{
	"relu":      {relu, reluGrad, costCopy},
	"gelu":      {gelu, geluGrad, 2 * costExp},
	"gelu_tanh": {geluTanh, geluTanhGrad, 2 * costExp},
}

// apply computes y from x, which may be y.
func (a activation) apply(t *team, y, x []float32) { t.rows(y, x, 1, a.cost, a.f) }

var _ = register("relu", withEngine(newReLU))

func newReLU(e *engine, _ op.ReLUArgs) runner[op.ReLUArgs] {
	return func(a op.ReLUArgs) error {
		activations["relu"].apply(e.team, a.Y.F32, a.X.F32)
		return nil
	}
}

var _ = register("relu.grad", withGradients(newReLUGrad))

func newReLUGrad(e *engine, _ op.ReLUGradArgs) runner[op.ReLUGradArgs] {
	return func(a op.ReLUGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, 1, costCopy, reluGrad)
		return nil
	}
}

// relu computes max(x, 0); NaN of NaN.
func relu(y, x []float32, _ int) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// reluGrad computes dy where x > 0, and 0 where it is not; NaN where x is.
func reluGrad(dx, x, dy []float32, _ int) {
	for i, v := range x {
		switch {
		case v > 0:
			dx[i] = dy[i]
		case v <= 0:
			dx[i] = 0
		default:
			dx[i] = v
		}
	}
}

// approximate maps the attribute of the op gelu to the activation.
var approximate = map[string]string{"none": "gelu", "tanh": "gelu_tanh"}

var _ = register("gelu", withEngine(newGELU))

func newGELU(e *engine, a op.GELUArgs) runner[op.GELUArgs] {
	act := activations[approximate[a.Approximate]]
	return func(a op.GELUArgs) error {
		act.apply(e.team, a.Y.F32, a.X.F32)
		return nil
	}
}

var _ = register("gelu.grad", withGradients(newGELUGrad))

func newGELUGrad(e *engine, a op.GELUGradArgs) runner[op.GELUGradArgs] {
	act := activations[approximate[a.Approximate]]
	return func(a op.GELUGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, 1, act.cost, act.grad)
		return nil
	}
}

// gelu computes x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2, as (x + |x|)/2 - |x| Phi(-|x|), which does not cancel for negative x.
func gelu(y, x []float32, _ int) {
	for i, v := range x {
		switch {
		case v <= -14.5: // x Phi(x) is less than half the smallest float32
			y[i] = 0
		case v >= 6: // Phi(x) rounds to 1
			y[i] = v
		default:
			t := math.Abs(float64(v))
			y[i] = float32((float64(v)+t)/2 - t*normalTail(t))
		}
	}
}

// geluGrad computes dy (Phi(x) + x phi(x)). Where x is negative, both have the factor exp(-x^2/2), as in normalTail.
func geluGrad(dx, x, dy []float32, _ int) {
	for i, v := range x {
		slope := 1.0
		switch {
		case v <= -14.5: // the slope is less than the smallest float32
			slope = 0
		case v >= 14.5:
		default:
			t := math.Abs(float64(v))
			slope = normalTail(t) - t*exp(-t*t/2)*(math.Sqrt2/2/math.SqrtPi)
			if v > 0 {
				slope = 1 - slope
			}
		}
		dx[i] = float32(slope * float64(dy[i]))
	}
}

// normalTail returns Phi(-t), the probability that a normal deviate exceeds t, for 0 <= t <= 14.5 to a relative error of 7e-9; NaN of NaN.
//
//	Phi(-t) = exp(-t^2/2) p(z),   z = (t - 3.5) / (t + 3.5)
//
// The other factor is smooth, and in z nearly a parabola; p interpolates it at the 11 Chebyshev nodes of z's interval, relative to its size.
func normalTail(t float64) float64 {
	z := (t - 3.5) / (t + 3.5)
	p := 1.34021321272e-04 + z*(-5.16443248256e-05+z*-2.06968882733e-05)
	p = -1.38166049183e-03 + z*(3.89856871784e-04+z*p)
	p = 1.90656481694e-02 + z*(-1.56136648475e-03+z*p)
	p = 1.25855251682e-01 + z*(-6.16394298106e-02+z*p)
	p = 1.06345153632e-01 + z*(-1.87139698597e-01+z*p)
	return exp(-t*t/2) * p
}

// geluTanh computes x/2 (1 + tanh u) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3). The second form does not cancel.
func geluTanh(y, x []float32, _ int) {
	const twice = 2 * math.Sqrt2 / (math.SqrtPi) // 2 sqrt(2/pi)
	for i, v := range x {
		switch {
		case v <= -15: // x exp(2u) is less than half the smallest float32
			y[i] = 0
		case v >= 10: // exp(-2u) is less than half a unit of 1
			y[i] = v
		default:
			x := float64(v)
			y[i] = float32(x / (1 + exp(-twice*(x+0.044715*x*x*x))))
		}
	}
}

// geluTanhGrad computes dy (s + 2 x u' s (1 - s)), where gelu_tanh is x s, s = 1 / (1 + exp(-2u)).
func geluTanhGrad(dx, x, dy []float32, _ int) {
	const twice = 2 * math.Sqrt2 / (math.SqrtPi) // 2 sqrt(2/pi)
	for i, v := range x {
		slope := 1.0
		switch {
		case v <= -15: // the slope is less than the smallest float32
			slope = 0
		case v >= 15:
		default:
			x := float64(v)
			e := exp(-twice * (x + 0.044715*x*x*x))
			s := 1 / (1 + e)
			slope = s + x*twice*(1+3*0.044715*x*x)*s*(e*s)
		}
		dx[i] = float32(slope * float64(dy[i]))
	}
}
