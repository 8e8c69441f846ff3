package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// scheduleParts are the decisions in which schedules go wrong, in float64.
type scheduleParts struct {
	stepOf   func(t int64) (int64, error)
	warmup   func(t int64, a op.ScheduleAttrs) float64
	progress func(t int64, a op.ScheduleAttrs) float64
	cosine   func(p float64, a op.ScheduleAttrs) float64
	gammaPow func(t int64, a op.ScheduleAttrs) float64
	floored  func(rate float64, a op.ScheduleAttrs) float64
	rootRate func(t int64, a op.ScheduleAttrs) float64
	rate     func(x float64) float32
}

var _ = parts(func(p *plain) {
	p.scheduleParts = scheduleParts{
		stepOf: stepOf, warmup: warmup, progress: progress, cosine: cosine, gammaPow: gammaPow,
		floored:  func(rate float64, a op.ScheduleAttrs) float64 { return max(a.MinLR, rate) },
		rootRate: func(t int64, a op.ScheduleAttrs) float64 { return a.LR * math.Sqrt(float64(a.Warmup)/(float64(t)+1)) },
		rate:     func(x float64) float32 { return float32(x) },
	}
})

var _ = offer((*plain).learningRateOp)

func (p *plain) learningRateOp(a op.LearningRateArgs) error {
	for i, t := range a.T.I64 {
		rate, err := p.rateOf(t, a.ScheduleAttrs)
		if err != nil {
			return fmt.Errorf("learning_rate: %w", err)
		}
		a.LR.F32[i] = rate
	}
	return nil
}

// rateOf is the rate of step t, formed in float64.
func (p *plain) rateOf(t int64, a op.ScheduleAttrs) (float32, error) {
	t, err := p.stepOf(t)
	if err != nil {
		return 0, err
	}
	var rate float64
	switch {
	case a.Schedule == "inverse_sqrt" && t < int64(a.Warmup):
		a.WarmupOffset = 1
		rate = a.LR * p.warmup(t, a)
	case t < int64(a.Warmup):
		rate = a.LR * p.warmup(t, a)
	case a.Schedule == "cosine", a.Schedule == "warmup_cosine":
		rate = p.cosine(p.progress(t, a), a)
	case a.Schedule == "step", a.Schedule == "exponential":
		rate = p.floored(a.LR*p.gammaPow(t, a), a)
	case a.Schedule == "inverse_sqrt":
		rate = p.floored(p.rootRate(t, a), a)
	default:
		rate = a.LR
	}
	return p.store(p.rate(rate)), nil
}

func stepOf(t int64) (int64, error) {
	if t < 0 {
		return 0, fmt.Errorf("%w: step %d: the first is 0", op.ErrPosition, t)
	}
	return t, nil
}

func warmup(t int64, a op.ScheduleAttrs) float64 {
	return a.WarmupStart + (1-a.WarmupStart)*float64(t+int64(a.WarmupOffset))/float64(a.Warmup)
}

// progress is how much of the cosine is behind step t, at most 1.
func progress(t int64, a op.ScheduleAttrs) float64 {
	return min(1, float64(t-int64(a.Warmup))/float64(a.Total-a.Warmup))
}

func cosine(p float64, a op.ScheduleAttrs) float64 {
	return a.MinLR + (a.LR-a.MinLR)*(1+math.Cos(math.Pi*p))/2
}

func gammaPow(t int64, a op.ScheduleAttrs) float64 {
	if a.Schedule == "step" {
		t /= int64(a.StepSize)
	}
	return math.Pow(a.Gamma, float64(t))
}

// scheduled returns the bug of a schedule that reads other attributes.
func scheduled(f func(a *op.ScheduleAttrs)) func(p *plain) {
	return func(p *plain) {
		p.warmup = func(t int64, a op.ScheduleAttrs) float64 { f(&a); return warmup(t, a) }
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { f(&a); return progress(t, a) }
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 { f(&a); return cosine(x, a) }
		p.floored = func(x float64, a op.ScheduleAttrs) float64 { f(&a); return max(a.MinLR, x) }
	}
}

var _ = plant([]bug{
	{"learning-rate-from-one", "learning_rate", "LR-1", "Counts steps from 1.", "", func(p *plain) {
		p.stepOf = func(t int64) (int64, error) {
			t, err := stepOf(t)
			return t + 1, err
		}
	}},
	{"learning-rate-negative-step", "learning_rate", "LR-1", "Takes a negative step for the first.", "", func(p *plain) {
		p.stepOf = func(t int64) (int64, error) { return max(0, t), nil }
	}},
	{"learning-rate-warmup-offset-ignored", "learning_rate", "LR-2", "Warms up with t/W whatever the offset is.", "", scheduled(func(a *op.ScheduleAttrs) {
		if a.Schedule != "inverse_sqrt" {
			a.WarmupOffset = 0
		}
	})},
	{"learning-rate-warmup-offset-always", "learning_rate", "LR-2", "Warms up with (t + 1)/W whatever the offset is.", "", scheduled(func(a *op.ScheduleAttrs) {
		a.WarmupOffset = 1
	})},
	{"learning-rate-warmup-start-ignored", "learning_rate", "LR-2", "Warms up from 0.", "", scheduled(func(a *op.ScheduleAttrs) {
		a.WarmupStart = 0
	})},
	{"learning-rate-warmup-start-added", "learning_rate", "LR-2", "Adds the warmup's start, and rises beyond the peak.", "", func(p *plain) {
		p.warmup = func(t int64, a op.ScheduleAttrs) float64 {
			return a.WarmupStart + float64(t+int64(a.WarmupOffset))/float64(a.Warmup)
		}
	}},
	{"learning-rate-warmup-from-floor", "learning_rate", "LR-2", "Warms up from min_lr.", "", func(p *plain) {
		p.warmup = func(t int64, a op.ScheduleAttrs) float64 { return max(a.MinLR/a.LR, warmup(t, a)) }
	}},
	{"learning-rate-cosine-from-zero", "learning_rate", "LR-3", "Starts the cosine at step 0, behind the warmup.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { return min(1, float64(t)/float64(a.Total)) }
	}},
	{"learning-rate-cosine-after-total", "learning_rate", "LR-3", "Lets the cosine take total steps after the warmup.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { return min(1, float64(t-int64(a.Warmup))/float64(a.Total)) }
	}},
	{"learning-rate-cosine-ends-early", "learning_rate", "LR-3", "Ends the cosine at total - 1.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 {
			return min(1, float64(t-int64(a.Warmup))/float64(max(1, a.Total-a.Warmup-1)))
		}
	}},
	{"learning-rate-floor-added", "learning_rate", "LR-3", "Adds min_lr to the cosine of the whole rate.", "", func(p *plain) {
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 { return a.MinLR + a.LR*(1+math.Cos(math.Pi*x))/2 }
	}},
	{"learning-rate-linear", "learning_rate", "LR-3", "Falls in a line.", "", func(p *plain) {
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 { return a.LR - (a.LR-a.MinLR)*x }
	}},
	{"learning-rate-rises-again", "learning_rate", "LR-4", "Lets the cosine rise again after its end.", "PyTorch's CosineAnnealingLR", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 {
			return float64(t-int64(a.Warmup)) / float64(a.Total-a.Warmup)
		}
	}},
	{"learning-rate-zero-after-total", "learning_rate", "LR-4", "Is 0 from total on.", "", func(p *plain) {
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 {
			if x == 1 {
				return 0
			}
			return cosine(x, a)
		}
	}},
	{"learning-rate-gamma-floor-ignored", "learning_rate", "LR-5", "Falls below min_lr.", "", func(p *plain) {
		p.floored = func(rate float64, _ op.ScheduleAttrs) float64 { return rate }
	}},
	{"learning-rate-step-late", "learning_rate", "LR-5", "Takes each step of the schedule one step late.", "", func(p *plain) {
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			if a.Schedule == "step" {
				t = max(0, t-1)
			}
			return gammaPow(t, a)
		}
	}},
	{"learning-rate-step-smooth", "learning_rate", "LR-5", "Does not round t / step_size down.", "", func(p *plain) {
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			return math.Pow(a.Gamma, float64(t)/float64(max(1, a.StepSize)))
		}
	}},
	{"learning-rate-gamma-once", "learning_rate", "LR-5", "Multiplies by gamma once.", "", func(p *plain) {
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			if t < int64(max(1, a.StepSize)) {
				return 1
			}
			return a.Gamma
		}
	}},
	{"learning-rate-root-from-zero", "learning_rate", "LR-6", "Counts steps from 0 after the warmup of inverse_sqrt.", "", func(p *plain) {
		p.rootRate = func(t int64, a op.ScheduleAttrs) float64 { return a.LR * math.Sqrt(float64(a.Warmup)/float64(t)) }
	}},
	{"learning-rate-root-overflows", "learning_rate", "LR-6", "Adds 1 to the last step that 64 bits can count.", "", func(p *plain) {
		p.rootRate = func(t int64, a op.ScheduleAttrs) float64 { return a.LR * math.Sqrt(float64(a.Warmup)/float64(t+1)) }
	}},
	{"learning-rate-root-of-warmup-missing", "learning_rate", "LR-6", "Does not multiply inverse_sqrt by the root of the warmup.", "", func(p *plain) {
		p.rootRate = func(t int64, a op.ScheduleAttrs) float64 { return a.LR / math.Sqrt(float64(t)+1) }
	}},
	{"learning-rate-float32", "learning_rate", "LR-7", "Forms rates in float32.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { return float64(float32(progress(t, a))) }
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 {
			lr, floor := float32(a.LR), float32(a.MinLR)
			return float64(floor + (lr-floor)*(1+float32(math.Cos(float64(float32(math.Pi)*float32(x)))))/2)
		}
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			power := float32(1)
			if a.Schedule == "step" {
				t /= int64(a.StepSize)
			}
			for range min(t, 1<<12) {
				power *= float32(a.Gamma)
			}
			return float64(power)
		}
	}},
})
