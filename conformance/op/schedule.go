package op

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LearningRateArgs: the learning rates of steps, SPEC.md LR. Steps count from 0.
type LearningRateArgs struct {
	ScheduleAttrs
	T  Tensor `src:"t" type:"i64" shape:"N"`
	LR Tensor `dst:"lr" shape:"N"`
}

// ScheduleAttrs describe a schedule. LR is its highest rate and MinLR its lowest after the warmup. During Warmup steps the rate rises
// as WarmupStart + (1 - WarmupStart) (t + WarmupOffset) / Warmup.
type ScheduleAttrs struct {
	Schedule     string  `json:"schedule"`
	LR           float64 `json:"lr"`
	MinLR        float64 `json:"min_lr,omitempty"`
	Warmup       int     `json:"warmup,omitempty"`
	WarmupStart  float64 `json:"warmup_start,omitempty"`
	WarmupOffset int     `json:"warmup_offset,omitempty"`
	Total        int     `json:"total,omitempty"`
	Gamma        float64 `json:"gamma,omitempty"`
	StepSize     int     `json:"step_size,omitempty"`
}

func (LearningRateArgs) Op() string { return "learning_rate" }

var _ = add(LearningRateArgs{}, nil, Row{Family: "schedule", Group: "training"})

func (a *ScheduleAttrs) defaults() { *a = ScheduleAttrs{Schedule: "constant", LR: 1e-3} }

// scheduleReads are the attributes that each schedule reads, beside lr.
var scheduleReads = map[string]string{
	"constant": "warmup", "cosine": "min_lr total", "warmup_cosine": "min_lr warmup total", "step": "min_lr gamma step_size",
	"exponential": "min_lr gamma", "inverse_sqrt": "min_lr warmup",
}

// validate refuses attributes that the schedule does not read: they would be a wish that nothing grants.
func (a *ScheduleAttrs) validate() error {
	reads, ok := scheduleReads[a.Schedule]
	if !ok {
		return oneOf("schedule", a.Schedule, "constant", "cosine", "warmup_cosine", "step", "exponential", "inverse_sqrt")
	}
	err := errors.Join(nonNegative("lr", a.LR), nonNegative("min_lr", a.MinLR), atLeast("warmup", a.Warmup, 0))
	want := func(ok bool, format string, args ...any) {
		if !ok {
			err = errors.Join(err, fmt.Errorf("schedule = %q: "+format, append([]any{a.Schedule}, args...)...))
		}
	}
	for _, given := range []struct {
		name string
		set  bool
	}{
		{"min_lr", a.MinLR != 0}, {"warmup", a.Warmup != 0}, {"total", a.Total != 0}, {"gamma", a.Gamma != 0}, {"step_size", a.StepSize != 0},
	} {
		want(!given.set || slices.Contains(strings.Fields(reads), given.name), "%s is given, and not used", given.name)
	}
	switch a.Schedule {
	case "cosine", "warmup_cosine":
		want(a.Total > max(a.Warmup, 0), "total = %d: want more than warmup = %d", a.Total, a.Warmup)
	case "step", "exponential":
		want(a.Gamma > 0 && a.Gamma <= 1, "gamma = %v: want a number in (0, 1]", a.Gamma)
		want(a.Schedule != "step" || a.StepSize >= 1, "step_size = %d: want at least 1", a.StepSize)
	case "inverse_sqrt":
		want(a.Warmup >= 1, "warmup = %d: want at least 1", a.Warmup)
	}
	ramp := a.Warmup > 0 && a.Schedule != "inverse_sqrt"
	want(ramp || a.WarmupStart == 0 && a.WarmupOffset == 0, "warmup_start or warmup_offset is given, and no warmup uses it")
	want(a.WarmupStart >= 0 && a.WarmupStart <= 1, "warmup_start = %v: want a number in [0, 1]", a.WarmupStart)
	want(a.WarmupOffset == 0 || a.WarmupOffset == 1, "warmup_offset = %d: want 0 or 1", a.WarmupOffset)
	want(a.MinLR <= a.LR, "min_lr = %v: want at most lr = %v", a.MinLR, a.LR)
	return err
}

// LearningRate adapts f.
func LearningRate(f func(LearningRateArgs) error) Implementation { return Func(f) }
