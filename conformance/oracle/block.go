package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// rounded gauges n results whose only error is their own rounding, which is not part of a gauge: Acc = In = 0, Eta = 1.
func rounded(n int) Gauges {
	g := newGauges(n)
	for i := range g.Eta {
		g.Eta[i] = 1
	}
	return g
}

// scaledBy gauges x s: Acc = |x s|, the rounding of s; Eta = 1.
func scaledBy(x reference.Matrix, s float64) Gauges {
	g := rounded(len(x.Data))
	for i, v := range x.Data {
		g.Acc[i] = math.Abs(v * s)
	}
	return g
}

// The residual sums of a block, and the scaling of embeddings.
var _ = replace(func(f *reference.Primitives, h hook) {
	f.Add = func(a, b reference.Matrix) reference.Matrix {
		y := reference.Add(a, b)
		total := func(x [][]float64) []float64 { return reference.Add(like(a, x[0]), like(b, x[1])).Data }
		return like(y, h(call{
			out: [][]float64{y.Data},
			own: func(Model) []Gauges { return []Gauges{rounded(len(y.Data))} },
			// Of the heads that share keys, in the gradient of attention: their sum is part of its gauge.
			summed: &sum{in: [][]float64{a.Data, b.Data}, again: total, gauges: func(_ Model, _ [][]float64, g []Gauges) Gauges {
				return Gauges{
					Acc: total([][]float64{g[0].Acc, g[1].Acc}),
					In:  total([][]float64{g[0].In, g[1].In}),
					Eta: total([][]float64{g[0].Eta, g[1].Eta}),
				}
			}},
		})[0])
	}
	f.ScaleBy = func(x reference.Matrix, s float64) reference.Matrix {
		return like(x, h.one(reference.ScaleBy(x, s).Data, func(Model) Gauges { return scaledBy(x, s) }))
	}
})

var _ = cut("block", func(u Use, wanted [][]int) ([]piece, error) {
	attrs := op.BlockAttrs{}
	return cutRows(u, wanted, &attrs, func() int { return attrs.Heads })
})
