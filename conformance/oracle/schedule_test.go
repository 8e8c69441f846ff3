package oracle

import (
	"math"
	"testing"

	"github.com/assaykit/assay/reference"
)

// ratio64 is the largest error in units of the bound of numbers that are computed and stored in float64, as INIT-6 and LR-7 want.
func ratio64(got, want []float64, g Gauges) float64 {
	largest := 0.0
	for i, w := range want {
		if diff := math.Abs(got[i] - w); diff > 0 {
			largest = max(largest, diff/(2*0x1p-53*(g.Acc[i]/double+math.Abs(w))))
		}
	}
	return largest
}

// Rates in the forms that they are printed in, which cancel and multiply, stay inside the bound in float64; in float32 they do not.
func TestRateGauge(t *testing.T) {
	printed := func(s reference.Schedule, t int) float64 {
		switch s.Name {
		case reference.ScheduleCosine:
			return s.MinLR + (s.LR-s.MinLR)*(1+math.Cos(math.Pi*float64(t)/float64(s.Total)))/2
		case reference.ScheduleExponential:
			y := s.LR
			for range t {
				y *= s.Gamma
			}
			return y
		}
		return s.LR * math.Sqrt(float64(s.Warmup)) * min(math.Pow(float64(t+1), -0.5), float64(t+1)*math.Pow(float64(s.Warmup), -1.5))
	}
	for _, s := range []reference.Schedule{
		{Name: reference.ScheduleCosine, LR: 0.1, MinLR: 0.003, Total: 999}, {Name: reference.ScheduleCosine, LR: 0.7, Total: 998},
		{Name: reference.ScheduleExponential, LR: 0.3, Gamma: 0.997}, {Name: reference.ScheduleInverseSqrt, LR: 0.01, Warmup: 77},
	} {
		inside, outside := 0.0, 0.0
		for step := range 999 {
			want, err := s.Rate(step)
			g, gaugeErr := Rate(s, step)
			if err != nil || gaugeErr != nil {
				t.Fatal(err, gaugeErr)
			}
			y := printed(s, step)
			inside = max(inside, ratio64([]float64{y}, []float64{want}, g))
			outside = max(outside, ratio64([]float64{float64(float32(y))}, []float64{want}, g))
		}
		t.Logf("%-12s %.2f times the bound", s.Name, inside)
		if !(inside < 1) || !(outside > 1000) {
			t.Errorf("%s: as printed %.3g times the bound, want less than 1; rounded to float32 %.3g, want much more", s.Name, inside, outside)
		}
	}
}
