package oracle

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// Adam gauges one step, given exact moments and parameters. With w = weight decay, D = sqrt(v_hat) + eps and s = lr m_hat / D:
//
//	E_g   = 2 w |p| + |g|                              coupled decay only
//	m':     (1 - b1) E_g + 2 b1 |m| + 3 (1 - b1) (|g| + |m|)
//	v':     2 (1 - b2) |g| E_g + 2 b2 v + 4 (1 - b2) (g^2 + v)
//	param': lr / D (E_m + |m'|) / (1 - b1^t) + |s| sqrt(v_hat) / D (E_v + v') / (2 v') + 8 |s|
//	        + 3 lr w |p| + |p|                         decoupled decay only
//	Eta = 2 for m', 0 for v', 2 + 2 |lr| / D / (1 - b1^t) for param'
//
// The forms m + (1 - b1)(g - m) and m b1 + g (1 - b1) are both within it, and any order of the corrections. A moment is rounded before it
// is used. Squares that underflow are not admitted: no case has gradients so small that are not 0.
func Adam(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) (param, m, v Gauges) {
	next := reference.Adam(s, grad, lr, t, c)
	correct1, correct2 := reference.BiasCorrection(c.Beta1, t), reference.BiasCorrection(c.Beta2, t)
	param, m, v = newGauges(len(grad)), newGauges(len(grad)), newGauges(len(grad))
	for i, g := range grad {
		p, errG := math.Abs(s.Param[i]), 0.0
		if c.WeightDecay != 0 && !c.Decoupled {
			g += c.WeightDecay * s.Param[i]
			errG = 2*c.WeightDecay*p + math.Abs(g)
		}
		m0, g := math.Abs(s.M[i]), math.Abs(g)
		m.Acc[i] = (1-c.Beta1)*errG + 2*c.Beta1*m0 + 3*(1-c.Beta1)*(g+m0)
		v.Acc[i] = 2*(1-c.Beta2)*g*errG + 2*c.Beta2*s.V[i] + 4*(1-c.Beta2)*(g*g+s.V[i])
		m.Eta[i] = 2

		m1, v1 := math.Abs(next.M[i]), next.V[i]
		root := math.Sqrt(v1 / correct2)
		divisor := root + c.Eps
		moved := math.Abs(lr) * m1 / correct1 / divisor
		param.Acc[i] = math.Abs(lr)/divisor*(m.Acc[i]+m1)/correct1 + 8*moved
		param.Eta[i] = 2 + math.Abs(lr)/divisor*2/correct1
		if v1 > 0 {
			param.Acc[i] += moved * root / divisor * (v.Acc[i] + v1) / (2 * v1)
		}
		if c.Decoupled && c.WeightDecay != 0 {
			param.Acc[i] += 3*math.Abs(lr)*c.WeightDecay*p + p
		}
	}
	return param, m, v
}

// SGD gauges one step, given exact parameters and velocity. With g decayed as in Adam, and s the gradient that is followed:
//
//	v':     (1 - dampening) E_g + 2 momentum |v| + 2 (1 - dampening) |g|;  E_g where v' = g
//	s:      E_v + |v'|;  Nesterov: E_g + |g| + momentum (E_v + 2 |v'|) + |s|
//	param': |lr| (E_s + |s|)
//	Eta = 2, and |lr| times that of s
func SGD(s reference.SGDState, grad []float64, lr float64, c reference.SGDConfig) (param, velocity Gauges) {
	next := reference.SGD(s, grad, lr, c)
	param, velocity = newGauges(len(grad)), newGauges(len(grad))
	for i, g := range grad {
		errG := 0.0
		if c.WeightDecay != 0 {
			g += c.WeightDecay * s.Param[i]
			errG = 2*c.WeightDecay*math.Abs(s.Param[i]) + math.Abs(g)
		}
		errV := errG
		if c.Momentum != 0 && s.Velocity != nil {
			keep := math.Abs(1 - c.Dampening)
			errV = keep*errG + 2*c.Momentum*math.Abs(s.Velocity[i]) + 2*keep*math.Abs(g)
		}
		v := math.Abs(next.Velocity[i])
		step, errStep := v, errV+v
		if c.Nesterov {
			step = math.Abs(g + c.Momentum*next.Velocity[i])
			errStep = errG + math.Abs(g) + c.Momentum*(errV+2*v) + step
		}
		velocity.Acc[i], velocity.Eta[i] = errV, 2
		param.Acc[i], param.Eta[i] = math.Abs(lr)*(errStep+step), 2+4*math.Abs(lr)
	}
	return param, velocity
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Adam = func(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) reference.AdamState {
		next := reference.Adam(s, grad, lr, t, c)
		y := h(call{out: [][]float64{next.Param, next.M, next.V}, own: func(Model) []Gauges {
			param, m, v := Adam(s, grad, lr, t, c)
			return []Gauges{param, m, v}
		}})
		return reference.AdamState{Param: y[0], M: y[1], V: y[2]}
	}
	f.SGD = func(s reference.SGDState, grad []float64, lr float64, c reference.SGDConfig) reference.SGDState {
		next := reference.SGD(s, grad, lr, c)
		y := h(call{out: [][]float64{next.Param, next.Velocity}, own: func(Model) []Gauges {
			param, velocity := SGD(s, grad, lr, c)
			return []Gauges{param, velocity}
		}})
		return reference.SGDState{Param: y[0], Velocity: y[1]}
	}
})

var (
	_ = cut("adam", cutElements)
	_ = cut("sgd", cutElements)
)

// cutElements keeps the elements that are wanted of any result: of every constant, and of the gradient of every step.
func cutElements(u Use, wanted [][]int) ([]piece, error) {
	keep := ascending(slices.Concat(wanted...))
	p := piece{Use: Use{Spec: u.Spec}}
	p.Spec.Const = nil
	for _, t := range u.Spec.Const {
		p.Spec.Const = append(p.Spec.Const, elements(t, keep))
	}
	for _, s := range u.Steps {
		p.Steps = append(p.Steps, Step{Src: []op.Tensor{elements(s.Src[0], keep), s.Src[1]}})
	}
	for _, at := range wanted {
		places := make([]int, len(at))
		for n, i := range at {
			places[n], _ = slices.BinarySearch(keep, i)
		}
		p.at = append(p.at, places)
	}
	return []piece{p}, nil
}
