package oracle

import "github.com/assaykit/assay/reference"

// A product is gauged as Linear without a bias: see Linear.
var _ = replace(func(f *reference.Primitives, h hook) {
	f.MatMul = func(a, b reference.Matrix) reference.Matrix {
		c := product(a, b)
		return like(c, h.one(c.Data, func(m Model) Gauges { return m.Linear(a, b, nil) }))
	}
	f.MatMulGrad = func(a, b, dc reference.Matrix) (da, db reference.Matrix) {
		da, db = product(dc, b.T()), product(a.T(), dc)
		y := h(call{out: [][]float64{da.Data, db.Data}, own: func(m Model) []Gauges {
			ga, gb, _ := m.LinearGrad(a, b, dc)
			return []Gauges{ga, gb}
		}})
		return like(da, y[0]), like(db, y[1])
	}
})
