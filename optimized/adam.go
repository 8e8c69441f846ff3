package optimized

import "math"

// adam is the task of one step of Adam on a tensor, in place and element by element (SPEC.md OPT-1 to OPT-9):
//
//	g = factor grad + decay param     decoupled: g = factor grad
//	m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
//	param -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)     decoupled: and rate decay param, of the old one
//
// in float64, rounded once for each result.
type adam struct {
	beta1, beta2, eps, decay float64
	decoupled                bool
	rate, factor             float64 // factor is that of clipping
	correct1, correct2       float64 // 1 - beta^t
	param, m, v, grad        []float32
}

// at makes s the step t = 1, 2, ...
func (s *adam) at(t int) {
	s.correct1, s.correct2 = biasCorrection(s.beta1, t), biasCorrection(s.beta2, t)
}

// biasCorrection returns 1 - beta^t, which does not cancel in this form.
func biasCorrection(beta float64, t int) float64 { return -math.Expm1(float64(t) * math.Log(beta)) }

// costAdam is what an element costs.
const costAdam = 30

// step takes the step on one tensor.
func (s *adam) step(t *team, param, m, v, grad []float32) {
	s.param, s.m, s.v, s.grad = param, m, v, grad
	t.run(len(param), costAdam, s)
	s.param, s.m, s.v, s.grad = nil, nil, nil, nil
}

func (s *adam) do(_, lo, hi int) {
	coupled, shrink := s.decay, 0.0
	if s.decoupled {
		coupled, shrink = 0, s.rate*s.decay
	}
	rate, root := s.rate/s.correct1, 1/s.correct2
	param, ms, vs := s.param[lo:hi], s.m[lo:hi], s.v[lo:hi]
	for i, grad := range s.grad[lo:hi] {
		p := float64(param[i])
		g := s.factor*float64(grad) + coupled*p
		m := s.beta1*float64(ms[i]) + (1-s.beta1)*g
		v := s.beta2*float64(vs[i]) + (1-s.beta2)*g*g
		ms[i], vs[i] = float32(m), float32(v)
		param[i] = float32(p - shrink*p - rate*m/(math.Sqrt(v*root)+s.eps))
	}
}
