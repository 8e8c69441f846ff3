package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Linear gauges y = x W + b, and a matrix product where b is nil.
//
//	Acc = c(n) (|x||W| + |b|)        n = K products, and one more term where there is a bias
//	In  = 2 |x||W| + |b|
//	Eta = K                          each product may underflow
//
// A sum of n rounded products is off by at most n u sum |x||W| in any order, and by about sqrt(n) of that where the errors are random. A
// bias may be added first or last, so it counts like a term. An input x(1+d) moves the sum by d x W, a weight likewise.
func (m Model) Linear(x, w reference.Matrix, b []float64) Gauges {
	abs := product(magnitudes(x), magnitudes(w))
	terms := w.Rows
	if b != nil {
		terms++
	}
	g := newGauges(len(abs.Data))
	for i, s := range abs.Data {
		bias := 0.0
		if b != nil {
			bias = math.Abs(b[i%w.Cols])
		}
		g.Acc[i] = m.c(terms) * (s + bias)
		g.In[i] = 2*s + bias
		g.Eta[i] = float64(w.Rows)
	}
	return g
}

// LinearGrad gauges the gradients of y = x W + b, which are products with the transposes and a sum of rows: see Linear.
//
//	db: Acc = c(T) sum_t |dy_tj|,  In = sum_t |dy_tj|,  Eta = 0
func (m Model) LinearGrad(x, w, dy reference.Matrix) (dx, dw, db Gauges) {
	db = newGauges(dy.Cols)
	for i, d := range dy.Data {
		db.In[i%dy.Cols] += math.Abs(d)
	}
	for j, sum := range db.In {
		db.Acc[j] = m.c(dy.Rows) * sum
	}
	return m.Linear(dy, w.T(), nil), m.Linear(x.T(), dy, nil), db
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Linear = func(x, w reference.Matrix, b []float64) reference.Matrix {
		y := linear(x, w, b)
		return like(y, h.one(y.Data, func(m Model) Gauges { return m.Linear(x, w, b) }))
	}
	f.LinearGrad = func(x, w reference.Matrix, b []float64, dy reference.Matrix) (dx, dw reference.Matrix, db []float64) {
		dx, dw, db = linearGrad(x, w, b, dy)
		y := h(call{out: [][]float64{dx.Data, dw.Data, db}, own: func(m Model) []Gauges {
			gx, gw, gb := m.LinearGrad(x, w, dy)
			return []Gauges{gx, gw, gb}
		}})
		return like(dx, y[0]), like(dw, y[1]), y[2]
	}
})

// linear is reference.Linear, shared among processors.
func linear(x, w reference.Matrix, b []float64) reference.Matrix {
	y := product(x, w)
	for i := range y.Rows {
		row := y.Row(i)
		for j, bj := range b {
			row[j] += bj
		}
	}
	return y
}

// linearGrad is reference.LinearGrad, shared among processors.
func linearGrad(x, w reference.Matrix, b []float64, dy reference.Matrix) (dx, dw reference.Matrix, db []float64) {
	none := reference.Matrix{Rows: dy.Rows}
	_, _, db = reference.LinearGrad(none, reference.Matrix{Cols: dy.Cols}, b, dy)
	return product(dy, w.T()), product(x.T(), dy), db
}
