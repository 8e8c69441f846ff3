package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// ClipNorm gauges y = g min(1, max / (norm + eps)) over n elements, and the norm:
//
//	norm: Acc = norm (c(n)/2 + 3)        the sum of squares under the root, and scaling that keeps squares from overflowing
//	      In  = norm
//	y:    Acc = |y| (c(n)/2 + 6)         the sum with eps, the quotient and its numerator; 0 where nothing is clipped
//	      In  = 2 |y|
//	Eta = 1
func (m Model) ClipNorm(maxNorm, eps float64, gs ...[]float64) (ys []Gauges, norm Gauges, err error) {
	clipped, length, err := reference.ClipNorm(maxNorm, eps, gs...)
	if err != nil {
		return nil, Gauges{}, err
	}
	n := 0
	for _, g := range gs {
		n += len(g)
	}
	root := m.c(n)/2 + 3
	norm = Gauges{Acc: []float64{root * length}, In: []float64{length}, Eta: []float64{1}}
	const clear = 1.001 // of a factor of 1 by more than rounding
	for _, y := range clipped {
		g := newGauges(len(y))
		for i, v := range y {
			g.Eta[i] = 1
			if maxNorm < clear*(length+eps) {
				g.Acc[i] = math.Abs(v) * (root + 3)
			}
			g.In[i] = 2 * math.Abs(v)
		}
		ys = append(ys, g)
	}
	return ys, norm, nil
}

// ClipValue gauges max(-limit, min(g, limit)): Acc = 0, In = |g| where it is not clipped.
func ClipValue(x []float64, limit float64) Gauges {
	g := newGauges(len(x))
	for i, v := range x {
		if math.Abs(v) < limit {
			g.In[i] = math.Abs(v)
		}
	}
	return g
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.ClipNorm = func(maxNorm, eps float64, gs ...[]float64) ([][]float64, float64, error) {
		ys, norm, err := reference.ClipNorm(maxNorm, eps, gs...)
		if err != nil {
			return nil, 0, err
		}
		y := h(call{out: append(ys, []float64{norm}), own: func(m Model) []Gauges {
			clipped, length, _ := m.ClipNorm(maxNorm, eps, gs...) // its errors are those above
			return append(clipped, length)
		}})
		return y[:len(gs)], y[len(gs)][0], nil
	}
	f.ClipValue = func(g []float64, limit float64) []float64 {
		return h.one(reference.ClipValue(g, limit), func(Model) Gauges { return ClipValue(g, limit) })
	}
})
