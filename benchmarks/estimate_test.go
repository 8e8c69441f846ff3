package benchmarks

import (
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/tools/gengolden/gauge"
)

// TestEstimateAgreesWithMonteCarlo holds the gauges that an estimate carries to those that the golden vectors of composites have, which
// are measured. Both are root mean squares over a result, so they should be close.
func TestEstimateAgreesWithMonteCarlo(t *testing.T) {
	for _, w := range testWorkloads() {
		switch w.Op {
		case "mha", "ffn", "block", "gpt", "gpt.loss":
		default:
			continue
		}
		if w.Tokens > 100 { // too large to measure
			continue
		}
		p, err := prepare(w)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(w.Name, func(t *testing.T) {
			measured, err := gauge.Random.MonteCarlo(1, func(f refimpl.Functions, _ func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
				spec, src := p.spec, clone(p.inputs[0], op.F64)
				spec.Const = clone(spec.Const, op.F64)
				k, err := refimpl.With(f).Open(spec)
				if err != nil {
					return nil, err
				}
				dst, err := op.Shapes(spec, src, op.F64)
				if err != nil {
					return nil, err
				}
				return dst, k.Run(dst, src)
			})
			if err != nil {
				t.Fatal(err)
			}
			if ratio := rms(p.want[0][0].want.e) / rms(measured[0].Acc); !(ratio > 0.5 && ratio < 2) {
				t.Errorf("the gauge is %.3g times the measured one, want from 0.5 to 2", ratio)
			} else {
				t.Logf("%.3g times the measured gauge", ratio)
			}
		})
	}
}

func rms(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(x)))
}
