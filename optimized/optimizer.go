package optimized

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

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
	shrink := 0.0
	if s.decoupled {
		shrink = s.rate * s.decay
	}
	rate, root := s.rate/s.correct1, 1/s.correct2
	param, ms, vs := s.param[lo:hi], s.m[lo:hi], s.v[lo:hi]
	for i, grad := range s.grad[lo:hi] {
		p := float64(param[i])
		g := s.factor * float64(grad)
		if !s.decoupled { // a parameter that is not finite does not reach the moments, times 0 either
			g += s.decay * p
		}
		m := s.beta1*float64(ms[i]) + (1-s.beta1)*g
		v := s.beta2*float64(vs[i]) + (1-s.beta2)*g*g
		ms[i], vs[i] = float32(m), float32(v)
		param[i] = float32(p - shrink*p - rate*m/(math.Sqrt(v*root)+s.eps))
	}
}

var _ = register("adam", withEngine(newAdam))

// adamOp is the op adam: a state that takes steps.
type adamOp struct {
	adam
	team        *team
	param, m, v []float32
	steps       int
}

func newAdam(e *engine, a op.AdamArgs) *adamOp {
	k := &adamOp{
		adam: adam{beta1: a.Beta1, beta2: a.Beta2, eps: a.Eps, decay: a.WeightDecay, decoupled: a.Decoupled, factor: 1}, team: e.team,
		param: slices.Clone(a.Param.F32), m: slices.Clone(a.M.F32), v: slices.Clone(a.V.F32), steps: a.Step,
	}
	if !a.M.Present() {
		k.m, k.v = make([]float32, len(k.param)), make([]float32, len(k.param))
	}
	return k
}

func (k *adamOp) Run(a op.AdamArgs) error {
	k.steps++
	k.rate = float64(a.LR.F32[0])
	k.at(k.steps)
	k.step(k.team, k.param, k.m, k.v, a.Grad.F32)
	copy(a.NewParam.F32, k.param)
	copy(a.NewM.F32, k.m)
	copy(a.NewV.F32, k.v)
	return nil
}

var _ = register("sgd", withEngine(newSGD))

// sgd is the op sgd, and the task of one of its steps: SPEC.md OPT-10 to OPT-13, in float64 and rounded once for each result.
type sgd struct {
	op.SGDAttrs
	team            *team
	param, velocity []float32
	moving          bool // there is a velocity
	rate            float64
	grad            []float32
}

func newSGD(e *engine, a op.SGDArgs) *sgd {
	k := &sgd{SGDAttrs: a.SGDAttrs, team: e.team, param: slices.Clone(a.Param.F32), velocity: slices.Clone(a.V.F32), moving: a.V.Present()}
	if !k.moving {
		k.velocity = make([]float32, len(k.param))
	}
	return k
}

const costSGD = 8

func (k *sgd) Run(a op.SGDArgs) error {
	k.rate, k.grad = float64(a.LR.F32[0]), a.Grad.F32
	k.team.run(len(k.param), costSGD, k)
	k.moving, k.grad = true, nil
	copy(a.NewParam.F32, k.param)
	copy(a.NewV.F32, k.velocity)
	return nil
}

func (k *sgd) do(_, lo, hi int) {
	accelerates := k.moving && k.Momentum != 0
	param, velocity := k.param[lo:hi], k.velocity[lo:hi]
	for i, grad := range k.grad[lo:hi] {
		p := float64(param[i])
		g := float64(grad) + k.WeightDecay*p
		v := g
		if accelerates {
			v = k.Momentum*float64(velocity[i]) + (1-k.Dampening)*g
		}
		along := v
		if k.Nesterov {
			along = g + k.Momentum*v
		}
		velocity[i], param[i] = float32(v), float32(p-k.rate*along)
	}
}
