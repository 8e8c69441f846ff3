package optimized

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

func (c config) training() []op.Implementation {
	return []op.Implementation{
		op.Open(opener(c, newInit)),
		op.Open(opener(c, newAdam)),
		op.Open(opener(c, newSGD)),
		op.Open(opener(c, newClipNorm)),
		op.Open(opener(c, newClipValue)),
		op.LearningRate(learningRate),
		op.Open(gradOpener(c, newGPTTrain)),
	}
}

// initial is the op init, and the task of it: weights from draws, in float64 and rounded once (SPEC.md INIT).
type initial struct {
	team  *team
	attrs op.InitAttrs
	sigma float64
	draws []int64
	w     []float32
}

func newInit(e *engine, a op.InitArgs) *initial { return &initial{team: e.team, attrs: a.InitAttrs} }

func (k *initial) Run(a op.InitArgs) error {
	for i, d := range a.Draws.I64 {
		if d < 0 || d > math.MaxUint32 {
			return fmt.Errorf("init: %w: draw %d is %d, want a number of 32 bits", op.ErrIndex, i, d)
		}
	}
	k.sigma = deviation(k.attrs, a.W.Shape[0], a.W.Shape[1])
	k.draws, k.w = a.Draws.I64, a.W.F32
	k.team.run(len(k.w), 2*costExp, k)
	k.draws, k.w = nil, nil
	return nil
}

// deviation returns the standard deviation of weights [in, out].
func deviation(a op.InitAttrs, in, out int) float64 {
	variance := a.Std * a.Std
	switch fan := float64(in); a.Scheme {
	case "xavier_uniform", "xavier_normal":
		variance = 2 / float64(in+out)
	case "kaiming_uniform", "kaiming_normal":
		if a.Mode == "fan_out" {
			fan = float64(out)
		}
		variance = 2 / ((1 + a.A*a.A) * fan)
	}
	return a.Gain * math.Sqrt(variance/float64(max(1, 2*a.Layers)))
}

func (k *initial) do(_, lo, hi int) {
	if !k.attrs.Normal() {
		limit := math.Sqrt(3) * k.sigma
		for i := lo; i < hi; i++ {
			k.w[i] = float32(limit * (float64(k.draws[i]>>8)*0x1p-23 - 1))
		}
		return
	}
	for i := lo; i < hi; i++ {
		u1, u2 := float64(k.draws[2*i]>>8+1)*0x1p-24, float64(k.draws[2*i+1]>>8)*0x1p-24
		k.w[i] = float32(k.sigma * math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2))
	}
}

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

// clipNorm is the op clip_norm, and the task of multiplying by its factor.
type clipNorm struct {
	op.ClipNormAttrs
	team   *team
	norms  norms
	factor float64
	y, g   []float32
}

func newClipNorm(e *engine, a op.ClipNormArgs) *clipNorm {
	return &clipNorm{ClipNormAttrs: a.ClipNormAttrs, team: e.team}
}

func (k *clipNorm) Run(a op.ClipNormArgs) error {
	norm := math.Sqrt(k.norms.addSquares(k.team, 0, a.G.F32))
	var err error
	if k.factor, err = clipFactor("clip_norm", norm, k.MaxNorm, k.Eps); err != nil {
		return err
	}
	a.Norm.F32[0] = float32(norm)
	k.y, k.g = a.Y.F32, a.G.F32
	k.team.run(len(k.g), costCopy, k)
	k.y, k.g = nil, nil
	return nil
}

func (k *clipNorm) do(_, lo, hi int) {
	y := k.y[lo:hi]
	for i, g := range k.g[lo:hi] {
		y[i] = float32(k.factor * float64(g))
	}
}

func newClipValue(e *engine, a op.ClipValueArgs) runner[op.ClipValueArgs] {
	limit := float32(a.Limit)
	clip := func(y, g []float32, _ int) {
		for i, v := range g {
			switch { // NaN is neither
			case v > limit:
				v = limit
			case v < -limit:
				v = -limit
			}
			y[i] = v
		}
	}
	return func(a op.ClipValueArgs) error {
		e.team.rows(a.Y.F32, a.G.F32, 1, costCopy, clip)
		return nil
	}
}

func learningRate(a op.LearningRateArgs) error {
	for i, t := range a.T.I64 {
		if t < 0 {
			return fmt.Errorf("learning_rate: %w: t[%d] is %d, the first step is 0", op.ErrPosition, i, t)
		}
		a.LR.F32[i] = float32(rate(a.ScheduleAttrs, int(min(t, math.MaxInt))))
	}
	return nil
}
