package oracle

import (
	"github.com/assaykit/assay/reference"
)

// Score gauges the score of a sequence, given the logarithms of its tokens' probabilities.
//
//	Acc = (c(n) sum |l_i|) / divisor + 2 |score|        the sum; the power and the division
func (m Model) Score(logs []float64, n int, p reference.LengthPenalty) Gauges {
	sum := reference.Score(magnitude(logs), n, p) // of terms of one sign
	return Gauges{Acc: []float64{(m.c(len(logs)) + 2) * sum}, In: []float64{0}, Eta: []float64{1}}
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Score = func(logs []float64, n int, p reference.LengthPenalty) float64 {
		return h.one([]float64{reference.Score(logs, n, p)}, func(m Model) Gauges { return m.Score(logs, n, p) })[0]
	}
})
