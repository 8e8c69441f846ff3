package mutant

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// optimizerParts are the decisions in which optimizers go wrong, element by element.
type optimizerParts struct {
	coefficients  func(beta1, beta2 float64, t int) coefficients
	firstStep     func(step, runs int) int // t
	startMoments  func(m, v []float32) ([]float32, []float32)
	startVelocity func(v []float32) []float32
	moments       func(m, v, g float32, c coefficients) (float32, float32)
	adamMove      func(m, v, lr, eps float32, c coefficients) float32
	decay         func(a decayed) (grad, shrink float32)
	velocity      func(v, g float32, first bool, a op.SGDAttrs) float32
	sgdMove       func(v, g float32, a op.SGDAttrs) float32
}

var _ = parts(func(p *plain) {
	p.optimizerParts = optimizerParts{
		coefficients: coefficientsOf, firstStep: func(step, runs int) int { return step + runs }, moments: moments, adamMove: adamMove, decay: decay,
		startMoments: func(m, v []float32) ([]float32, []float32) { return m, v }, startVelocity: slices.Clone[[]float32],
		velocity: velocity, sgdMove: sgdMove,
	}
})

// decayed is a parameter that decays, its gradient, and how.
type decayed struct {
	param, grad, lr, weightDecay float32
	decoupled                    bool
}

// decay returns the gradient with coupled decay in it, and what decoupled decay takes from the parameter.
func decay(a decayed) (grad, shrink float32) {
	if a.decoupled {
		return a.grad, float32(a.lr*a.weightDecay) * a.param
	}
	return a.grad + float32(a.weightDecay*a.param), 0
}

// adam is the state of Adam for one tensor.
type adam struct{ param, m, v []float32 }

func newAdam(param, m, v []float32) *adam {
	s := &adam{slices.Clone(param), make([]float32, len(param)), make([]float32, len(param))}
	copy(s.m, m)
	copy(s.v, v)
	return s
}

func (s *adam) len() int {
	if s == nil {
		return 0
	}
	return len(s.m)
}

// adamStep is step t on one tensor.
func (p *plain) adamStep(s *adam, grad []float32, lr float32, a op.AdamAttrs, t int) {
	c := p.coefficients(a.Beta1, a.Beta2, t)
	for i := range s.param {
		g, shrink := p.decay(decayed{s.param[i], grad[i], lr, float32(a.WeightDecay), a.Decoupled})
		m, v := p.moments(s.m[i], s.v[i], g, c)
		move := p.adamMove(m, v, lr, float32(a.Eps), c)
		s.param[i], s.m[i], s.v[i] = p.store(s.param[i]-shrink-move), p.store(m), p.store(v)
	}
}

// coefficients of a step of Adam: float64, rounded once.
type coefficients struct{ beta1, beta2, rest1, rest2, correction1, correction2 float32 }

func coefficientsOf(beta1, beta2 float64, t int) coefficients {
	return coefficients{float32(beta1), float32(beta2), float32(1 - beta1), float32(1 - beta2),
		float32(1 - math.Pow(beta1, float64(t))), float32(1 - math.Pow(beta2, float64(t)))}
}

func moments(m, v, g float32, c coefficients) (float32, float32) {
	return float32(c.beta1*m) + float32(c.rest1*g), float32(c.beta2*v) + float32(float32(c.rest2*g)*g)
}

// adamMove is what a parameter loses: lr m_hat / (sqrt(v_hat) + eps). The roots are taken apart, so that v_hat cannot overflow.
func adamMove(m, v, lr, eps float32, c coefficients) float32 {
	return lr * ((m / c.correction1) / (sqrt32(v)/sqrt32(c.correction2) + eps))
}

type adamRunner struct {
	p    *plain
	s    *adam
	runs int
}

var _ = offerKernel((*plain).openAdam)

func (p *plain) openAdam(a op.AdamArgs) (op.Runner[op.AdamArgs], error) {
	m, v := p.startMoments(a.M.F32, a.V.F32)
	return &adamRunner{p: p, s: newAdam(a.Param.F32, m, v)}, nil
}

func (r *adamRunner) Run(a op.AdamArgs) error {
	r.runs++
	r.p.adamStep(r.s, a.Grad.F32, a.LR.F32[0], a.AdamAttrs, r.p.firstStep(a.Step, r.runs))
	copy(a.NewParam.F32, r.s.param)
	copy(a.NewM.F32, r.s.m)
	copy(a.NewV.F32, r.s.v)
	return nil
}

// coefficient returns the bug of coefficients of Adam that are formed wrongly.
func coefficient(f func(c *coefficients, beta1, beta2 float64, t int)) func(*plain) {
	return func(p *plain) {
		p.coefficients = func(beta1, beta2 float64, t int) coefficients {
			c := coefficientsOf(beta1, beta2, t)
			f(&c, beta1, beta2, t)
			return c
		}
	}
}

var _ = plant([]bug{
	{"adam-eps-under-root", "adam", "OPT-2", "Adds eps under the root.", "", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			return lr * (m / c.correction1) / sqrt32(v/c.correction2+eps)
		}
	}},
	{"adam-eps-before-correction", "adam", "OPT-2", "Adds eps to the root of v before its bias is corrected.", "pytorch #22628", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			return lr * sqrt32(c.correction2) / c.correction1 * m / (sqrt32(v) + eps)
		}
	}},
	{"adam-no-correction", "adam", "OPT-1", "Does not correct the bias of the moments.", "", coefficient(func(c *coefficients, _, _ float64, _ int) {
		c.correction1, c.correction2 = 1, 1
	})},
	{"adam-second-correction-missing", "adam", "OPT-1", "Does not correct the bias of v.", "", coefficient(func(c *coefficients, _, _ float64, _ int) {
		c.correction2 = 1
	})},
	{"adam-step-from-zero", "adam", "OPT-1", "Counts steps from 0 in the corrections, which are then those of the step before.", "", func(p *plain) {
		p.firstStep = func(step, runs int) int { return max(1, step+runs-1) }
	}},
	{"adam-gradient-not-squared", "adam", "OPT-1", "Has |g| for g^2 in v.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			m, _ = moments(m, v, g, c)
			return m, c.beta2*v + c.rest2*max(g, -g)
		}
	}},
	{"adam-betas-exchanged", "adam", "OPT-1", "Exchanges beta1 and beta2.", "", func(p *plain) {
		p.coefficients = func(beta1, beta2 float64, t int) coefficients { return coefficientsOf(beta2, beta1, t) }
	}},
	{"adam-old-moment", "adam", "OPT-1", "Moves the parameter by the first moment of the step before.", "", func(p *plain) {
		var old float32
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			old = m
			return moments(m, v, g, c)
		}
		p.adamMove = func(_, v, lr, eps float32, c coefficients) float32 { return adamMove(old, v, lr, eps, c) }
	}},
	{"adam-float32-coefficients", "adam", "OPT-3", "Forms 1 - beta2 in float32.", "", coefficient(func(c *coefficients, _, beta2 float64, _ int) {
		c.rest2 = 1 - float32(beta2)
	})},
	{"adam-float32-corrections", "adam", "OPT-3", "Forms 1 - beta2^t in float32.", "", coefficient(func(c *coefficients, _, beta2 float64, t int) {
		power := float32(1)
		for range t {
			power *= float32(beta2)
		}
		c.correction2 = 1 - power
	})},
	{"adam-decoupled-for-coupled", "adam", "OPT-4", "Decouples weight decay always.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.decoupled = true; return decay(a) }
	}},
	{"adam-decay-in-first-moment", "adam", "OPT-4", "Has coupled decay in the first moment only.", "", func(p *plain) {
		var added float32
		p.decay = func(a decayed) (float32, float32) {
			g, shrink := decay(a)
			added = g - a.grad
			return g, shrink
		}
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			m, _ = moments(m, v, g, c)
			_, v = moments(m, v, g-added, c)
			return m, v
		}
	}},
	{"adam-coupled-for-decoupled", "adam", "OPT-5", "Couples weight decay always.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.decoupled = false; return decay(a) }
	}},
	{"adam-decay-without-rate", "adam", "OPT-5", "Does not multiply decoupled decay by the rate.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.lr = 1; return decay(a) }
	}},
	{"adam-decay-sign", "adam", "OPT-5", "Adds decoupled decay to the parameter.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) {
			g, shrink := decay(a)
			return g, -shrink
		}
	}},
	{"adam-step-ignored", "adam", "OPT-6", "Ignores the steps behind the constants.", "", func(p *plain) {
		p.firstStep = func(_, runs int) int { return runs }
	}},
	{"adam-moments-restart", "adam", "OPT-6", "Begins with moments of 0 whatever it is given.", "", func(p *plain) {
		p.startMoments = func(m, v []float32) ([]float32, []float32) { return nil, nil }
	}},
	{"adam-zero-gradient-skipped", "adam", "OPT-7", "Leaves an element alone whose gradient is 0.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			if g == 0 {
				return m, v
			}
			return moments(m, v, g, c)
		}
	}},
	{"adam-zero-over-zero", "adam", "OPT-7", "Leaves eps out where v is 0.", "", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			if v == 0 {
				eps = 0
			}
			return adamMove(m, v, lr, eps, c)
		}
	}},
	{"adam-square-overflows", "adam", "OPT-8", "Squares the gradient before it multiplies by 1 - beta2.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			m, _ = moments(m, v, g, c)
			return m, c.beta2*v + c.rest2*float32(g*g)
		}
	}},
	{"adam-correction-overflows", "adam", "OPT-8", "Forms v_hat, which overflows, before its root.", "", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			return lr * ((m / c.correction1) / (sqrt32(v/c.correction2) + eps))
		}
	}},
	{"adam-nan-skipped", "adam", "OPT-9", "Takes a NaN in the gradient for 0.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) { return moments(m, v, withoutNaN(g), c) }
	}},
})

type sgdRunner struct {
	p        *plain
	param, v []float32 // v is nil before the first step without a given one
}

var _ = offerKernel((*plain).openSGD)

func (p *plain) openSGD(a op.SGDArgs) (op.Runner[op.SGDArgs], error) {
	return &sgdRunner{p: p, param: slices.Clone(a.Param.F32), v: p.startVelocity(a.V.F32)}, nil
}

func (r *sgdRunner) Run(a op.SGDArgs) error {
	p, first := r.p, r.v == nil
	if first {
		r.v = make([]float32, len(r.param))
	}
	for i := range r.param {
		g, _ := p.decay(decayed{param: r.param[i], grad: a.Grad.F32[i], weightDecay: float32(a.WeightDecay)})
		v := p.velocity(r.v[i], g, first, a.SGDAttrs)
		r.param[i], r.v[i] = p.store(r.param[i]-float32(a.LR.F32[0]*p.sgdMove(v, g, a.SGDAttrs))), p.store(v)
	}
	copy(a.NewParam.F32, r.param)
	copy(a.NewV.F32, r.v)
	return nil
}

// velocity is g where there is no momentum and in a first step.
func velocity(v, g float32, first bool, a op.SGDAttrs) float32 {
	if a.Momentum == 0 || first {
		return g
	}
	return float32(float32(a.Momentum)*v) + float32(float32(1-a.Dampening)*g)
}

func sgdMove(v, g float32, a op.SGDAttrs) float32 {
	if a.Nesterov {
		return g + float32(float32(a.Momentum)*v)
	}
	return v
}

var _ = plant([]bug{
	{"sgd-decay-ignored", "sgd", "OPT-10", "Ignores weight decay.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { return a.grad, 0 }
	}},
	{"sgd-dampening-of-velocity", "sgd", "OPT-10", "Dampens the velocity, not the gradient.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			if a.Momentum == 0 || first {
				return g
			}
			return float32(a.Momentum)*float32(1-a.Dampening)*v + g
		}
	}},
	{"sgd-average", "sgd", "OPT-10", "Averages: multiplies the gradient by 1 - momentum.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			a.Dampening = a.Momentum
			return velocity(v, g, first, a)
		}
	}},
	{"sgd-first-step-dampened", "sgd", "OPT-11", "Dampens the first step, too.", "", func(p *plain) {
		p.velocity = func(v, g float32, _ bool, a op.SGDAttrs) float32 { return velocity(v, g, false, a) }
	}},
	{"sgd-first-step-always", "sgd", "OPT-11", "Begins with v = g although v is given.", "", func(p *plain) {
		p.startVelocity = func([]float32) []float32 { return nil }
	}},
	{"sgd-nesterov-ignored", "sgd", "OPT-12", "Ignores nesterov.", "", func(p *plain) {
		p.sgdMove = func(v, _ float32, _ op.SGDAttrs) float32 { return v }
	}},
	{"sgd-nesterov-velocity-only", "sgd", "OPT-12", "Moves by momentum v, without g, under nesterov.", "", func(p *plain) {
		p.sgdMove = func(v, g float32, a op.SGDAttrs) float32 {
			if a.Nesterov {
				return float32(a.Momentum) * v
			}
			return v
		}
	}},
	{"sgd-dampened-without-momentum", "sgd", "OPT-13", "Dampens the gradient where there is no momentum.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			if a.Momentum == 0 && !first {
				return float32(1-a.Dampening) * g
			}
			return velocity(v, g, first, a)
		}
	}},
	{"sgd-velocity-zero", "sgd", "OPT-13", "Keeps a velocity of 0 where there is no momentum.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			if a.Momentum == 0 {
				return 0
			}
			return velocity(v, g, first, a)
		}
		p.sgdMove = func(v, g float32, a op.SGDAttrs) float32 {
			if a.Momentum == 0 {
				return g
			}
			return sgdMove(v, g, a)
		}
	}},
})
