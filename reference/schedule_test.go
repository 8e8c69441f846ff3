package reference

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// anySchedule draws one that validates.
func anySchedule(t *rapid.T) Schedule {
	s := Schedule{LR: rapid.Float64Range(1e-6, 10).Draw(t, "lr")}
	s.Name = rapid.SampledFrom([]ScheduleName{ScheduleConstant, ScheduleCosine, ScheduleWarmupCosine, ScheduleStep, ScheduleExponential,
		ScheduleInverseSqrt}).Draw(t, "name")
	warmup := rapid.IntRange(1, 50).Draw(t, "warmup")
	switch s.Name {
	case ScheduleConstant, ScheduleWarmupCosine:
		s.Warmup, s.WarmupOffset = warmup, rapid.IntRange(0, 1).Draw(t, "offset")
		s.WarmupStart = rapid.Float64Range(0, 1).Draw(t, "start")
	case ScheduleInverseSqrt:
		s.Warmup = warmup
	}
	if s.Name != ScheduleConstant {
		s.MinLR = s.LR * rapid.Float64Range(0, 1).Draw(t, "floor")
	}
	s.Total = s.Warmup + rapid.IntRange(1, 200).Draw(t, "after warmup")
	s.Gamma, s.StepSize = rapid.Float64Range(0.01, 1).Draw(t, "gamma"), rapid.IntRange(1, 20).Draw(t, "size")
	return s
}

// A rate rises during the warmup, joins what follows, and falls from there, never above lr nor below the floor.
func TestScheduleShape(t *testing.T) {
	const slack = 1 + 1e-12
	rapid.Check(t, func(t *rapid.T) {
		s := anySchedule(t)
		before := math.Inf(-1)
		for step := range s.Total + 20 {
			rate := must(s.Rate(step))
			switch {
			case rate > s.LR*slack:
				t.Fatalf("step %d: %v is above lr = %v", step, rate, s.LR)
			case step >= s.Warmup && rate*slack < s.MinLR:
				t.Fatalf("step %d: %v is below the floor %v", step, rate, s.MinLR)
			case step > 0 && step <= s.Warmup && s.Name != ScheduleInverseSqrt && rate*slack < before:
				t.Fatalf("step %d of a warmup of %d: %v after %v", step, s.Warmup, rate, before)
			case step > s.Warmup && rate > before*slack:
				t.Fatalf("step %d after a warmup of %d: %v after %v", step, s.Warmup, rate, before)
			case step == s.Warmup && step > 0 && math.Abs(rate-before) > s.LR/float64(s.Warmup)*slack:
				t.Fatalf("from %v to %v where a warmup of %d ends", before, rate, s.Warmup)
			case step >= s.Total && (s.Name == ScheduleCosine || s.Name == ScheduleWarmupCosine) && rate != s.MinLR:
				t.Fatalf("step %d: %v after the end at %d", step, rate, s.Total)
			}
			before = rate
		}
	})
}

// The forms that papers and frameworks print.
func TestScheduleAsPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySchedule(t)
		n := rapid.IntRange(0, s.Total).Draw(t, "step")
		x := float64(n)
		want := s.LR
		switch w := float64(s.Warmup); {
		case s.Name == ScheduleInverseSqrt: // Vaswani et al. 2017: d^-0.5 min(step^-0.5, step warmup^-1.5), d^-0.5 warmup^-0.5 the peak
			want = s.LR * math.Sqrt(w) * math.Min(math.Pow(x+1, -0.5), (x+1)*math.Pow(w, -1.5))
			if n >= s.Warmup {
				want = math.Max(want, s.MinLR)
			}
		case n < s.Warmup:
			want = s.LR * (s.WarmupStart*(1-(x+float64(s.WarmupOffset))/w) + (x+float64(s.WarmupOffset))/w)
		case s.Name == ScheduleCosine || s.Name == ScheduleWarmupCosine:
			want = s.MinLR + (s.LR-s.MinLR)*(1+math.Cos(math.Pi*(x-w)/(float64(s.Total)-w)))/2
		case s.Name == ScheduleStep:
			want = math.Max(s.MinLR, s.LR*math.Pow(s.Gamma, float64(n/s.StepSize)))
		case s.Name == ScheduleExponential:
			want = math.Max(s.MinLR, s.LR*math.Pow(s.Gamma, x))
		}
		if got := must(s.Rate(n)); math.Abs(got-want) > 1e-13*s.LR {
			t.Fatalf("step %d of %+v: %v, printed %v", n, s, got, want)
		}
	})
}

func TestScheduleEdges(t *testing.T) {
	if _, err := (Schedule{Name: ScheduleConstant}).Rate(-1); !errors.Is(err, ErrPosition) {
		t.Errorf("step -1: got error %v, want ErrPosition", err)
	}
	for _, tt := range []struct {
		s    Schedule
		t    int
		want float64
	}{
		{Schedule{Name: ScheduleCosine, LR: 0.5, MinLR: 0.125, Total: 10}, 0, 0.5},
		{Schedule{Name: ScheduleCosine, LR: 0.5, MinLR: 0.125, Total: 10}, 10, 0.125},
		{Schedule{Name: ScheduleCosine, LR: 0.5, MinLR: 0.125, Total: 10}, math.MaxInt, 0.125},
		{Schedule{Name: ScheduleWarmupCosine, LR: 0.5, Warmup: 4, Total: 10}, 0, 0},
		{Schedule{Name: ScheduleWarmupCosine, LR: 0.5, Warmup: 4, Total: 10}, 4, 0.5},
		{Schedule{Name: ScheduleWarmupCosine, LR: 0.5, Warmup: 4, WarmupOffset: 1, Total: 10}, 0, 0.125},
		{Schedule{Name: ScheduleWarmupCosine, LR: 0.5, Warmup: 4, WarmupOffset: 1, Total: 10}, 3, 0.5},
		{Schedule{Name: ScheduleConstant, LR: 0.5, Warmup: 4, WarmupStart: 0.5}, 2, 0.375},
		{Schedule{Name: ScheduleStep, LR: 0.5, Gamma: 0.25, StepSize: 3}, 2, 0.5},
		{Schedule{Name: ScheduleStep, LR: 0.5, Gamma: 0.25, StepSize: 3, MinLR: 0.0625}, 6, 0.0625},
		{Schedule{Name: ScheduleInverseSqrt, LR: 0.5, Warmup: 4}, 3, 0.5},
		{Schedule{Name: ScheduleInverseSqrt, LR: 0.5, Warmup: 4}, 15, 0.25},
	} {
		within(t, []float64{must(tt.s.Rate(tt.t))}, []float64{tt.want}, 2)
	}
}
