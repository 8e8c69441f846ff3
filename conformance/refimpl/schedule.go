package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("learning_rate", func(f functions) op.Implementation { return op.LearningRate(f.learningRate) })

func (f functions) learningRate(a op.LearningRateArgs) error {
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
