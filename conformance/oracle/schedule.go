package oracle

import (
	"github.com/assaykit/assay/reference"
)

// Rate gauges a learning rate y:
//
//	Acc = 16 lr + n |y|        a dozen operations on numbers of at most lr; n factors gamma, if a power multiplies
//	Eta = 1
func Rate(s reference.Schedule, t int) (Gauges, error) {
	y, err := s.Rate(t)
	g := newGauges(1)
	factors := 0
	switch s.Name {
	case reference.ScheduleStep:
		factors = t / s.StepSize
	case reference.ScheduleExponential:
		factors = t
	}
	g.Acc[0], g.Eta[0] = double*(16*s.LR+float64(factors)*y), 1
	return g, err
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Rate = func(s reference.Schedule, t int) (float64, error) {
		y, err := s.Rate(t)
		if err != nil {
			return 0, err
		}
		return h.one([]float64{y}, func(Model) Gauges { return there(Rate(s, t)) })[0], nil
	}
})
