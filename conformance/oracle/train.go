package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// Gauges of training: SPEC.md, A.11. Weights and rates are formed in float64, so their gauges count units of its roundoff, double.
const double = 0x1p-29

// Init gauges initial weights, w = sqrt(3) sigma (2u - 1) or sigma r cos a, r = sqrt(-2 log u1), a = 2 pi u2:
//
//	uniform: Acc = 12 |w| + 3 sqrt(3) sigma                      the roots and products of sigma, and of w; from one end, -limit + 2u limit cancels
//	normal:  Acc = (12 + 2 eps) |w| + 2 sigma r a |sin a|        and those of r; the rounding of pi and of the angle
//	Eta = 1
func Init(draws []int, in, out int, c reference.InitConfig) (Gauges, error) {
	w, err := reference.Init(draws, in, out, c)
	if err != nil {
		return Gauges{}, err
	}
	g := newGauges(len(w.Data))
	for i, x := range w.Data {
		g.Acc[i], g.Eta[i] = 12*math.Abs(x), 1
		if len(draws) == 2*len(w.Data) {
			angle := 2 * math.Pi * float64(draws[2*i+1]>>8) * 0x1p-24
			radius := c.Deviation(in, out) * math.Abs(reference.BoxMuller(draws[2*i], 0))
			g.Acc[i] += 2*eps*math.Abs(x) + 2*radius*angle*math.Abs(math.Sin(angle))
		} else {
			g.Acc[i] += 3 * math.Sqrt(3) * c.Deviation(in, out)
		}
		g.Acc[i] *= double
	}
	return g, nil
}

// Rate gauges a learning rate y:
//
//	Acc = 16 lr + n |y|        a dozen operations on numbers of at most lr; n factors gamma, if a power multiplies
//	Eta = 1
func Rate(s reference.Schedule, t int) (Gauges, error) {
	y, err := s.Rate(t)
	g := newGauges(1)
	factors := 0
	switch s.Name {
	case reference.ScheduleStep:
		factors = t / s.StepSize
	case reference.ScheduleExponential:
		factors = t
	}
	g.Acc[0], g.Eta[0] = double*(16*s.LR+float64(factors)*y), 1
	return g, err
}

// ClipNorm gauges y = g min(1, max / (norm + eps)) over n elements, and the norm:
//
//	norm: Acc = norm (c(n)/2 + 3)        the sum of squares under the root, and scaling that keeps squares from overflowing
//	      In  = norm
//	y:    Acc = |y| (c(n)/2 + 6)         the sum with eps, the quotient and its numerator; 0 where nothing is clipped
//	      In  = 2 |y|
//	Eta = 1
func (m Model) ClipNorm(maxNorm, eps float64, gs ...[]float64) (ys []Gauges, norm Gauges, err error) {
	clipped, length, err := reference.ClipNorm(maxNorm, eps, gs...)
	if err != nil {
		return nil, Gauges{}, err
	}
	n := 0
	for _, g := range gs {
		n += len(g)
	}
	root := m.c(n)/2 + 3
	norm = Gauges{Acc: []float64{root * length}, In: []float64{length}, Eta: []float64{1}}
	const clear = 1.001 // of a factor of 1 by more than rounding
	for _, y := range clipped {
		g := newGauges(len(y))
		for i, v := range y {
			g.Eta[i] = 1
			if maxNorm < clear*(length+eps) {
				g.Acc[i] = math.Abs(v) * (root + 3)
			}
			g.In[i] = 2 * math.Abs(v)
		}
		ys = append(ys, g)
	}
	return ys, norm, nil
}

// ClipValue gauges max(-limit, min(g, limit)): Acc = 0, In = |g| where it is not clipped.
func ClipValue(x []float64, limit float64) Gauges {
	g := newGauges(len(x))
	for i, v := range x {
		if math.Abs(v) < limit {
			g.In[i] = math.Abs(v)
		}
	}
	return g
}

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

// training sets the functions of training to ones that give their gauges.
func (m Model) training(f *refimpl.Functions, pick func(Gauges) []float64) {
	f.Init = func(draws []int, in, out int, c reference.InitConfig) (reference.Matrix, error) {
		g, err := Init(draws, in, out, c)
		return reference.Matrix{Rows: in, Cols: out, Data: pick(g)}, err
	}
	f.Rate = func(s reference.Schedule, t int) (float64, error) {
		g, err := Rate(s, t)
		return pick(g)[0], err
	}
	f.ClipValue = func(x []float64, limit float64) []float64 { return pick(ClipValue(x, limit)) }
	f.ClipNorm = func(maxNorm, eps float64, gs ...[]float64) (picked [][]float64, norm float64, err error) {
		ys, length, err := m.ClipNorm(maxNorm, eps, gs...)
		if err != nil {
			return nil, 0, err
		}
		for _, y := range ys {
			picked = append(picked, pick(y))
		}
		return picked, pick(length)[0], nil
	}
}

// training sets the functions of training to perturbed ones.
func (n noise) training(f *refimpl.Functions) {
	f.Rate = func(s reference.Schedule, t int) (float64, error) {
		y, err := s.Rate(t)
		if err != nil {
			return 0, err
		}
		rate := []float64{y}
		n.perturb(rate, func() Gauges { g, _ := Rate(s, t); return g })
		return rate[0], nil
	}
	f.ClipNorm = func(maxNorm, eps float64, gs ...[]float64) ([][]float64, float64, error) {
		ys, norm, err := reference.ClipNorm(maxNorm, eps, gs...)
		if err != nil {
			return nil, 0, err
		}
		gauges, length, _ := n.model.ClipNorm(maxNorm, eps, gs...)
		for i, y := range ys {
			n.perturb(y, func() Gauges { return gauges[i] })
		}
		result := []float64{norm}
		n.perturb(result, func() Gauges { return length })
		return ys, result[0], nil
	}
	f.Adam = func(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) reference.AdamState {
		next := reference.Adam(s, grad, lr, t, c)
		param, m, v := Adam(s, grad, lr, t, c)
		n.perturb(next.Param, func() Gauges { return param })
		n.perturb(next.M, func() Gauges { return m })
		n.perturb(next.V, func() Gauges { return v })
		return next
	}
	f.SGD = func(s reference.SGDState, grad []float64, lr float64, c reference.SGDConfig) reference.SGDState {
		next := reference.SGD(s, grad, lr, c)
		param, velocity := SGD(s, grad, lr, c)
		n.perturb(next.Param, func() Gauges { return param })
		n.perturb(next.Velocity, func() Gauges { return velocity })
		return next
	}
}
