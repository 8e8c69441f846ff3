package optimized

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// rate returns the learning rate of step t = 0, 1, ... (SPEC.md LR).
func rate(s op.ScheduleAttrs, t int) float64 {
	step := float64(t) + 1
	switch {
	case t < s.Warmup && s.Schedule == "inverse_sqrt":
		return s.LR * step / float64(s.Warmup)
	case t < s.Warmup:
		return s.LR * (s.WarmupStart + (1-s.WarmupStart)*float64(t+s.WarmupOffset)/float64(s.Warmup))
	}
	switch s.Schedule {
	case "cosine", "warmup_cosine": // (1 + cos(pi p)) / 2 = sin^2(pi (1-p) / 2)
		left := float64(max(0, s.Total-t)) / float64(s.Total-s.Warmup)
		root := math.Sin(math.Pi / 2 * left)
		return s.MinLR + (s.LR-s.MinLR)*root*root
	case "step":
		return math.Max(s.MinLR, s.LR*math.Exp(float64(t/s.StepSize)*math.Log(s.Gamma)))
	case "exponential":
		return math.Max(s.MinLR, s.LR*math.Exp(float64(t)*math.Log(s.Gamma)))
	case "inverse_sqrt":
		return math.Max(s.MinLR, s.LR*math.Sqrt(float64(s.Warmup)/step))
	}
	return s.LR
}

var _ = register("learning_rate", withoutEngine(op.LearningRate(learningRate)))

func learningRate(a op.LearningRateArgs) error {
	for i, t := range a.T.I64 {
		if t < 0 {
			return fmt.Errorf("learning_rate: %w: t[%d] is %d, the first step is 0", op.ErrPosition, i, t)
		}
		a.LR.F32[i] = float32(rate(a.ScheduleAttrs, int(min(t, math.MaxInt))))
	}
	return nil
}
