package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// EmbeddingGrad gauges the rows of dtable, sums of the n_v rows of dy that belong to id v.
//
//	Acc = c(n_v) sum |dy|, 0 where n_v = 1
//	In  = sum |dy|, Eta = 0
func (m Model) EmbeddingGrad(ids []int, rows int, dy reference.Matrix) Gauges {
	g := newGauges(rows * dy.Cols)
	counts := make([]int, rows)
	for t, id := range ids {
		counts[id]++
		for j, d := range dy.Row(t) {
			g.In[id*dy.Cols+j] += math.Abs(d)
		}
	}
	for i, sum := range g.In {
		if n := counts[i/dy.Cols]; n > 1 {
			g.Acc[i] = m.c(n) * sum
		}
	}
	return g
}
