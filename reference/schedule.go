package reference

import (
	"fmt"
	"math"
)

// ScheduleName names how the learning rate goes on after the warmup.
type ScheduleName string

// The schedules.
const (
	ScheduleConstant     ScheduleName = "constant"
	ScheduleCosine       ScheduleName = "cosine"        // without warmup
	ScheduleWarmupCosine ScheduleName = "warmup_cosine" // the same after one
	ScheduleStep         ScheduleName = "step"
	ScheduleExponential  ScheduleName = "exponential"
	ScheduleInverseSqrt  ScheduleName = "inverse_sqrt"
)

// Schedule describes the learning rates of a training run. Steps count from 0.
type Schedule struct {
	Name         ScheduleName
	LR, MinLR    float64 // the highest rate, and the lowest after the warmup
	Warmup       int     // W steps
	WarmupStart  float64 // the share of LR with which the warmup starts
	WarmupOffset int     // 0: the warmup goes with t/W, 1: with (t+1)/W
	Total        int     // the step at which a cosine reaches MinLR
	Gamma        float64 // the factor of a step or exponential schedule
	StepSize     int     // how many steps one factor lasts
}

// Rate returns the learning rate of step t = 0, 1, ... A negative t is an error that wraps ErrPosition.
//
//	t < W:  Warmup(t), or for an inverse root lr (t+1)/W
//	else:   constant      lr
//	        cosine        CosineDecay(t), from 1 at t = W to 0 at t = total, and 0 after it:  min + (lr - min) decay
//	        step          max(min, lr gamma^floor(t / size))
//	        exponential   max(min, lr gamma^t)
//	        inverse root  max(min, lr sqrt(W / (t+1)))
func (s Schedule) Rate(t int) (float64, error) {
	if t < 0 {
		return 0, fmt.Errorf("reference: Schedule.Rate: step %d, the first is 0: %w", t, ErrPosition)
	}
	step := float64(t) + 1 // the paper's step_num
	if s.Name == ScheduleInverseSqrt && t < s.Warmup {
		return s.LR * step / float64(s.Warmup), nil
	}
	if t < s.Warmup {
		return s.LR * s.WarmupFactor(t), nil
	}
	switch s.Name {
	case ScheduleConstant:
		return s.LR, nil
	case ScheduleCosine, ScheduleWarmupCosine:
		return s.MinLR + float64((s.LR-s.MinLR)*s.CosineDecay(t)), nil
	case ScheduleStep:
		return math.Max(s.MinLR, s.LR*power(s.Gamma, t/s.StepSize)), nil
	case ScheduleExponential:
		return math.Max(s.MinLR, s.LR*power(s.Gamma, t)), nil
	}
	require(s.Name == ScheduleInverseSqrt, "Rate: unknown schedule %q", string(s.Name))
	return math.Max(s.MinLR, s.LR*math.Sqrt(float64(s.Warmup)/step)), nil // Vaswani et al. 2017, equation 3, with its peak as lr
}

// WarmupFactor returns the share of the peak that step t < W of a linear warmup has
//
//	s + (1 - s) (t + offset) / W        s = WarmupStart
func (s Schedule) WarmupFactor(t int) float64 {
	return s.WarmupStart + float64((1-s.WarmupStart)*(float64(t+s.WarmupOffset)/float64(s.Warmup)))
}

// CosineDecay returns (Loshchilov and Hutter 2017, equation 5, without restarts)
//
//	(1 + cos(pi p)) / 2 = sin^2(pi (1-p) / 2)        p = (t - W) / (total - W), at most 1
//
// The second form does not cancel where the decay ends.
func (s Schedule) CosineDecay(t int) float64 {
	left := float64(max(0, s.Total-t)) / float64(s.Total-s.Warmup)
	root := math.Sin(math.Pi / 2 * left)
	return root * root
}

// power returns x^n for x in (0, 1], n >= 0, as exp(n log x): math.Pow multiplies, and its error grows with n.
func power(x float64, n int) float64 { return math.Exp(float64(n) * math.Log(x)) }
