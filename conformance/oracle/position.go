package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Sinusoid gauges sinusoidal positions, whose angles SPEC.md wants in float64 and whose result is rounded once.
//
//	Acc = 2 (1 + log 10000) |angle| 2^-29
//	Eta = 1
//
// is what two correct angles of float64 may differ by, since the exponent is rounded before the power, in units of float32's roundoff. It
// is small beside the rounding of the result, except where that result is close to 0.
func Sinusoid(pos []int, dModel int) Gauges {
	g := newGauges(len(pos) * dModel)
	for i := range g.Acc {
		t, j := i/dModel, i%dModel&^1
		angle := float64(pos[t]) / math.Pow(10000, float64(j)/float64(dModel))
		g.Acc[i] = 2 * (1 + math.Log(10000)) * angle * 0x1p-29
		g.Eta[i] = 1
	}
	return g
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Sinusoid = func(pos []int, dModel int) (reference.Matrix, error) {
		y, err := reference.SinusoidalPositions(pos, dModel)
		if err != nil {
			return y, err
		}
		return like(y, h.one(y.Data, func(Model) Gauges { return Sinusoid(pos, dModel) })), nil
	}
	f.LearnedPositions = func(pos []int, table reference.Matrix) (reference.Matrix, error) {
		y, err := reference.LearnedPositions(pos, table)
		if err != nil {
			return y, err
		}
		return like(y, h.moved(y.Data)), nil
	}
})
