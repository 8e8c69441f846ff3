package refimpl

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

func (f Functions) training() []op.Implementation {
	return []op.Implementation{
		op.Init(f.init),
		op.Adam(f.openAdam),
		op.SGD(f.openSGD),
		op.ClipNorm(f.clipNorm),
		op.ClipValue(f.clipValue),
		op.LearningRate(f.learningRate),
		op.GPTTrain(f.openGPTTrain),
	}
}

func (f Functions) init(a op.InitArgs) error {
	w, err := f.Init(ints(a.Draws), a.W.Shape[0], a.W.Shape[1], reference.InitConfig{
		Scheme: reference.InitScheme(a.Scheme), Gain: a.Gain, FanOut: a.Mode == "fan_out", A: a.A, Std: a.Std, Layers: a.Layers,
	})
	store(a.W.F64, w)
	return err
}

// adam holds a parameter tensor and its moments between Runs.
type adam struct {
	f     Functions
	cfg   reference.AdamConfig
	state reference.AdamState
	steps int
}

func (f Functions) openAdam(a op.AdamArgs) (op.Runner[op.AdamArgs], error) {
	k := &adam{f: f, state: reference.AdamState{Param: a.Param.F64, M: a.M.F64, V: a.V.F64}, steps: a.Step}
	if !a.M.Present() {
		k.state.M, k.state.V = make([]float64, a.Param.Len()), make([]float64, a.Param.Len())
	}
	k.cfg = reference.AdamConfig{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, WeightDecay: a.WeightDecay, Decoupled: a.Decoupled}
	return k, nil
}

func (k *adam) Run(a op.AdamArgs) error {
	k.steps++
	k.state = k.f.Adam(k.state, a.Grad.F64, a.LR.F64[0], k.steps, k.cfg)
	copy(a.NewParam.F64, k.state.Param)
	copy(a.NewM.F64, k.state.M)
	copy(a.NewV.F64, k.state.V)
	return nil
}

// sgd holds a parameter tensor and its velocity between Runs.
type sgd struct {
	f     Functions
	cfg   reference.SGDConfig
	state reference.SGDState
}

func (f Functions) openSGD(a op.SGDArgs) (op.Runner[op.SGDArgs], error) {
	return &sgd{f: f, state: reference.SGDState{Param: a.Param.F64, Velocity: a.V.F64},
		cfg: reference.SGDConfig{Momentum: a.Momentum, Dampening: a.Dampening, Nesterov: a.Nesterov, WeightDecay: a.WeightDecay}}, nil
}

func (k *sgd) Run(a op.SGDArgs) error {
	k.state = k.f.SGD(k.state, a.Grad.F64, a.LR.F64[0], k.cfg)
	copy(a.NewParam.F64, k.state.Param)
	copy(a.NewV.F64, k.state.Velocity)
	return nil
}

func (f Functions) clipNorm(a op.ClipNormArgs) error {
	ys, norm, err := f.ClipNorm(a.MaxNorm, a.Eps, a.G.F64)
	if err != nil {
		return err
	}
	copy(a.Y.F64, ys[0])
	a.Norm.F64[0] = norm
	return nil
}

func (f Functions) clipValue(a op.ClipValueArgs) error {
	copy(a.Y.F64, f.ClipValue(a.G.F64, a.Limit))
	return nil
}

func (f Functions) learningRate(a op.LearningRateArgs) error {
	s := schedule(a.ScheduleAttrs)
	for i, t := range ints(a.T) {
		rate, err := f.Rate(s, t)
		if err != nil {
			return err
		}
		a.LR.F64[i] = rate
	}
	return nil
}

func schedule(a op.ScheduleAttrs) reference.Schedule {
	return reference.Schedule{
		Name: reference.ScheduleName(a.Schedule), LR: a.LR, MinLR: a.MinLR, Warmup: a.Warmup, WarmupStart: a.WarmupStart,
		WarmupOffset: a.WarmupOffset, Total: a.Total, Gamma: a.Gamma, StepSize: a.StepSize,
	}
}

// gptTrain holds a training run between Runs.
type gptTrain struct {
	f     Functions
	attrs op.GPTAttrs
	cfg   reference.TrainConfig
	state reference.TrainState
}

func (f Functions) openGPTTrain(a op.GPTTrainArgs) (op.Runner[op.GPTTrainArgs], error) {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	k := &gptTrain{f: f, attrs: a.GPTAttrs, state: reference.NewTrainState(w), cfg: reference.TrainConfig{
		Model: cfg, IgnoreIndex: a.IgnoreIndex, MaxNorm: a.MaxNorm, Schedule: schedule(a.ScheduleAttrs),
		Adam: reference.AdamConfig{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.AdamEps, WeightDecay: a.WeightDecay, Decoupled: a.Decoupled},
	}}
	for _, group := range a.NoDecay {
		k.cfg.NoDecay = append(k.cfg.NoDecay, reference.ParameterGroup(group))
	}
	return k, nil
}

func (k *gptTrain) Run(a op.GPTTrainArgs) error {
	next, report, err := k.f.TrainStep(k.state, sequences(a.IDs), sequences(a.Targets), k.cfg)
	if err != nil {
		return err
	}
	k.state = next
	a.Loss.F64[0], a.Norm.F64[0], a.LR.F64[0] = report.Loss, report.Norm, report.LR
	n := a.NewGPTWeights
	dst, _ := model(k.attrs, op.GPTWeights{
		Wte: n.NewWte, Wpe: n.NewWpe, LNfGamma: n.NewLNfGamma, LNfBeta: n.NewLNfBeta, Wout: n.NewWout,
		LN1Gamma: n.NewLN1Gamma, LN1Beta: n.NewLN1Beta, LN2Gamma: n.NewLN2Gamma, LN2Beta: n.NewLN2Beta,
		Wq: n.NewWq, Bq: n.NewBq, Wk: n.NewWk, Bk: n.NewBk, Wv: n.NewWv, Bv: n.NewBv, Wo: n.NewWo, Bo: n.NewBo,
		W1: n.NewW1, B1: n.NewB1, W2: n.NewW2, B2: n.NewB2,
	})
	params := next.Weights.Parameters()
	for i, to := range dst.Parameters() {
		copy(to, params[i])
	}
	return nil
}

// sequences cuts the ints of a tensor into those of its last axis.
func sequences(t op.Tensor) [][]int {
	return slices.Collect(slices.Chunk(ints(t), t.Shape[len(t.Shape)-1]))
}
