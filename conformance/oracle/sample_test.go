package oracle_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/vector"
)

// A sample has the numbers that the whole has: the same bits, and the same gauges where they are formulas. Propagated gauges are those of
// other signs, so they agree as estimates do.
func TestSampleIsPartOfTheWhole(t *testing.T) {
	for _, row := range op.Table() {
		if strings.HasPrefix(row.Name, "text.") || row.Name == "gpt.train" || row.Name == "gpt.generate" { // which nothing cuts
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, 2))
			compared := 0
			for _, c := range cases(t, row.Name) {
				fails := slices.ContainsFunc(c.Steps, func(s vector.Step) bool { return s.Error != "" })
				if fails || strings.HasSuffix(c.ID, "/opticks") || strings.Contains(c.ID, "ties") {
					continue
				}
				u := use(row.Name, c)
				steps, gauges, err := oracle.Random.Evaluate(u, oracle.Probes, oracle.Acc)
				if err != nil {
					t.Fatalf("%s: %v", c.ID, err)
				}
				results := steps[len(steps)-1]
				gauges = gauges[len(gauges)-len(results):]
				wanted := make([][]int, len(results))
				for i, r := range results {
					for range min(r.Len(), 6) {
						wanted[i] = append(wanted[i], rng.IntN(r.Len()))
					}
				}
				samples, err := oracle.Random.Sample(u, wanted, oracle.Probes, oracle.Acc)
				if err != nil {
					t.Fatalf("%s: %v", c.ID, err)
				}
				var some, all float64
				for i, s := range samples {
					for n, at := range wanted[i] {
						compared++
						if results[i].DType == op.I64 {
							if s.Ints[n] != results[i].I64[at] {
								t.Errorf("%s: result %d[%d] is %d in the sample, %d in the whole", c.ID, i, at, s.Ints[n], results[i].I64[at])
							}
							continue
						}
						want := results[i].F64[at]
						if math.Float64bits(s.Want[n]) != math.Float64bits(want) && !(math.IsNaN(want) && math.IsNaN(s.Want[n])) {
							t.Errorf("%s: result %d[%d] is %v in the sample, %v in the whole", c.ID, i, at, s.Want[n], want)
						}
						got, gauge := s.Gauges.Acc[n], gauges[i].Acc[at]
						if !row.Composite && got != gauge && !(math.IsNaN(got) && math.IsNaN(gauge)) {
							t.Errorf("%s: the gauge of result %d[%d] is %v in the sample, %v in the whole", c.ID, i, at, got, gauge)
						}
						some, all = some+got*got, all+gauge*gauge
					}
				}
				if ratio := math.Sqrt(some / all); row.Composite && all > 0 && !(ratio > 0.4 && ratio < 2.5) {
					t.Errorf("%s: gauges of the sample are %.2f times those of the whole", c.ID, ratio)
				}
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}
