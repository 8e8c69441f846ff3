package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// activationParts are the decisions in which activations go wrong.
type activationParts struct {
	relu, geluErf, geluTanh func(x float32) float32

	reluGrad                    func(x, dy float32) float32
	geluErfSlope, geluTanhSlope func(x float32) float32
}

var _ = parts(func(p *plain) {
	p.activationParts = activationParts{
		relu: relu, geluErf: geluErf, geluTanh: geluTanh,
		reluGrad: reluGrad, geluErfSlope: geluErfSlope, geluTanhSlope: geluTanhSlope,
	}
})

var _ = offer((*plain).reluOp)

func (p *plain) reluOp(a op.ReLUArgs) error {
	for i, x := range a.X.F32 {
		a.Y.F32[i] = p.store(p.relu(x))
	}
	return nil
}

func relu(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

var _ = offer((*plain).reluGradOp)

func (p *plain) reluGradOp(a op.ReLUGradArgs) error {
	for i, x := range a.X.F32 {
		a.DX.F32[i] = p.store(p.reluGrad(x, a.DY.F32[i]))
	}
	return nil
}

func reluGrad(x, dy float32) float32 {
	switch {
	case x != x:
		return nan
	case x > 0:
		return dy
	}
	return 0
}

var _ = offer((*plain).geluOp)

func (p *plain) geluOp(a op.GELUArgs) error {
	f := p.geluErf
	if a.Approximate == "tanh" {
		f = p.geluTanh
	}
	for i, x := range a.X.F32 {
		a.Y.F32[i] = p.store(f(x))
	}
	return nil
}

// geluErf is x/2 (1 + erf(x / sqrt 2)), with its limit at -Inf.
func geluErf(x float32) float32 {
	if x == -inf {
		return 0
	}
	return 0.5 * x * (1 + float32(math.Erf(float64(x*float32(1/math.Sqrt2)))))
}

// geluTanh is x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), with its limit at -Inf.
func geluTanh(x float32) float32 {
	if x == -inf {
		return 0
	}
	cubic := x + float32(0.044715*x*x*x)
	return 0.5 * x * (1 + float32(math.Tanh(float64(float32(math.Sqrt(2/math.Pi))*cubic))))
}

var _ = offer((*plain).geluGradOp)

func (p *plain) geluGradOp(a op.GELUGradArgs) error {
	slope := p.geluErfSlope
	if a.Approximate == "tanh" {
		slope = p.geluTanhSlope
	}
	for i, x := range a.X.F32 {
		a.DX.F32[i] = p.store(a.DY.F32[i] * slope(x))
	}
	return nil
}

// geluErfSlope is Phi(x) + x phi(x), with its limits.
func geluErfSlope(x float32) float32 {
	if x == inf || x == -inf {
		return step(x)
	}
	cdf := 0.5 * (1 + float32(math.Erf(float64(x*float32(1/math.Sqrt2)))))
	return cdf + float32(x*density(x))
}

// density is that of the normal distribution.
func density(x float32) float32 { return float32(1/math.Sqrt(2*math.Pi)) * exp32(-0.5*x*x) }

// step is the limit of the slopes.
func step(x float32) float32 {
	if x > 0 {
		return 1
	}
	return 0
}

// geluTanhSlope is (1 + tanh u)/2 + x/2 (1 - tanh^2 u) u'. Where tanh is 1 or -1 the second term is 0, though u' may overflow.
func geluTanhSlope(x float32) float32 {
	root := float32(math.Sqrt(2 / math.Pi))
	tanh := tanh32(root * (x + float32(0.044715*x*x*x)))
	if tanh == 1 || tanh == -1 {
		return step(tanh)
	}
	return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*root*(1+float32(3*0.044715*x*x))
}

var _ = plant([]bug{
	{"relu-leaky", "relu", "ACT-1", "Multiplies negative elements by 0.01.", "", func(p *plain) {
		p.relu = func(x float32) float32 { return max(x, 0.01*x) }
	}},
	{"relu-nan-zero", "relu", "ACT-1", "Gives 0 for NaN: x > 0 ? x : 0.", "", func(p *plain) {
		p.relu = func(x float32) float32 {
			if x > 0 {
				return x
			}
			return 0
		}
	}},
	{"relu-six", "relu", "ACT-1", "Is clipped at 6.", "", func(p *plain) {
		p.relu = func(x float32) float32 { return min(relu(x), 6) }
	}},
})

var _ = plant([]bug{
	{"relu-grad-one-at-zero", "relu.grad", "GRAD-8", "Passes the gradient on at 0: x >= 0.", "", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 {
			if x == 0 {
				return dy
			}
			return reluGrad(x, dy)
		}
	}},
	{"relu-grad-product", "relu.grad", "GRAD-8", "Multiplies dy by 0 or 1, so that an infinite dy becomes NaN.", "", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 {
			if x != x {
				return nan
			}
			return dy * step(x)
		}
	}},
	{"relu-grad-nan-zero", "relu.grad", "GRAD-8", "Gives 0 where x is NaN.", "", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 {
			if x > 0 {
				return dy
			}
			return 0
		}
	}},
	{"relu-grad-guided", "relu.grad", "GRAD-8", "Passes positive gradients only.", "guided backpropagation", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 { return reluGrad(x, max(0, dy)) }
	}},
})

var _ = plant([]bug{
	{"gelu-tanh-for-erf", "gelu", "ACT-2", "Computes the tanh form where the erf form is wanted.", "", func(p *plain) { p.geluErf = geluTanh }},
	{"gelu-erf-for-tanh", "gelu", "ACT-3", "Computes the erf form where the tanh form is wanted.", "", func(p *plain) { p.geluTanh = geluErf }},
	{"gelu-sigmoid", "gelu", "ACT-2", "Computes x sigmoid(1.702 x).", "", func(p *plain) {
		p.geluErf = func(x float32) float32 { return x / (1 + exp32(-1.702*x)) }
	}},
	{"gelu-cubic-coefficient", "gelu", "ACT-3", "Has 0.04471 for 0.044715.", "", func(p *plain) {
		p.geluTanh = func(x float32) float32 {
			if x == -inf {
				return 0
			}
			return 0.5 * x * (1 + float32(math.Tanh(math.Sqrt(2/math.Pi)*float64(x+float32(0.04471*x*x*x)))))
		}
	}},
	{"gelu-nan-at-minus-infinity", "gelu", "ACT-4", "Gives -Inf * 0, NaN, at -Inf.", "", func(p *plain) {
		p.geluErf = func(x float32) float32 {
			if x == -inf {
				return nan
			}
			return geluErf(x)
		}
	}},
})

var _ = plant([]bug{
	{"gelu-grad-density-missing", "gelu.grad", "GRAD-9", "Leaves x phi(x) out.", "", func(p *plain) {
		p.geluErfSlope = func(x float32) float32 { return 0.5 * (1 + float32(math.Erf(float64(x/math.Sqrt2)))) }
	}},
	{"gelu-grad-density-unscaled", "gelu.grad", "GRAD-9", "Has exp(-x^2/2) / 2 for the density.", "", func(p *plain) {
		p.geluErfSlope = func(x float32) float32 {
			if x-x != 0 {
				return geluErfSlope(x)
			}
			return geluErfSlope(x) - x*density(x) + 0.5*x*exp32(-0.5*x*x)
		}
	}},
	{"gelu-grad-tanh-for-erf", "gelu.grad", "GRAD-9", "Differentiates the tanh form where the erf form is wanted.", "", func(p *plain) { p.geluErfSlope = geluTanhSlope }},
	{"gelu-grad-erf-for-tanh", "gelu.grad", "GRAD-10", "Differentiates the erf form where the tanh form is wanted.", "", func(p *plain) { p.geluTanhSlope = geluErfSlope }},
	{"gelu-grad-cubic-derivative", "gelu.grad", "GRAD-10", "Forgets the 3 in the derivative of the cube.", "", func(p *plain) {
		p.geluTanhSlope = func(x float32) float32 {
			root := float32(math.Sqrt(2 / math.Pi))
			tanh := tanh32(root * (x + 0.044715*x*x*x))
			if tanh == 1 || tanh == -1 {
				return step(tanh)
			}
			return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*root*(1+0.044715*x*x)
		}
	}},
	{"gelu-grad-nan-at-infinity", "gelu.grad", "GRAD-11", "Gives Inf * 0, NaN, at infinities.", "", func(p *plain) {
		p.geluErfSlope = func(x float32) float32 {
			return 0.5*(1+float32(math.Erf(float64(x/math.Sqrt2)))) + x*density(x)
		}
	}},
	{"gelu-grad-square-overflows", "gelu.grad", "GRAD-11", "Multiplies 0 by x^2, which overflows, far from 0.", "", func(p *plain) {
		p.geluTanhSlope = func(x float32) float32 {
			root := float32(math.Sqrt(2 / math.Pi))
			tanh := tanh32(root * (x + 0.044715*x*x*x))
			if x-x != 0 {
				return step(x)
			}
			return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*root*(1+3*0.044715*x*x)
		}
	}},
})
