package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("gpt.train", func(f functions) op.Implementation { return op.GPTTrain(f.openGPTTrain) })

// gptTrain holds a training run between Runs.
type gptTrain struct {
	f     functions
	attrs op.GPTAttrs
	cfg   reference.TrainConfig
	state reference.TrainState
}

func (f functions) openGPTTrain(a op.GPTTrainArgs) (op.Runner[op.GPTTrainArgs], error) {
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
