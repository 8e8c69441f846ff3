package oracle

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
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

// products gauges sums of so many products, given the sums of their magnitudes: Linear without a bias.
func (m Model) products(abs reference.Matrix, terms int) Gauges {
	g := newGauges(len(abs.Data))
	for i, s := range abs.Data {
		g.Acc[i], g.In[i], g.Eta[i] = m.c(terms)*s, 2*s, float64(terms)
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
	return m.products(productT(magnitudes(dy), magnitudes(w)), dy.Cols), m.products(productTN(magnitudes(x), magnitudes(dy)), dy.Rows), db
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
	return productT(dy, w), productTN(x, dy), db
}

var (
	_ = cut("linear", cutLinear)
	_ = cut("linear.grad", cutLinearGrad)
)

// cutLinear keeps rows of x and columns of W and b.
func cutLinear(u Use, wanted [][]int) ([]piece, error) {
	w, b := u.Spec.Const[0], u.Spec.Const[1]
	g := gridOf(wanted[0], w.Shape[1])
	spec := u.Spec
	spec.Const = []op.Tensor{gather(w, nil, g.cols), elements(b, g.cols)}
	return []piece{{Once(spec, []op.Tensor{gather(u.Steps[0].Src[0], g.rows, nil)}), [][]int{g.at(wanted[0], w.Shape[1])}}}, nil
}

// cutLinearGrad cuts dW = x^T dy and db, the first results, to columns of x and of dy; and dx = dy W^T to rows of dy and of W.
func cutLinearGrad(u Use, wanted [][]int) ([]piece, error) {
	w, b, x, dy := u.Spec.Const[0], u.Spec.Const[1], u.Steps[0].Src[0], u.Steps[0].Src[1]
	in, out := w.Shape[0], w.Shape[1]
	weights := gridOf(slices.Concat(wanted[0], wanted[1]), out) // the elements of db are those of a row
	inputs := gridOf(wanted[2], in)

	first, second := u.Spec, u.Spec
	first.Const = []op.Tensor{gather(w, weights.rows, weights.cols), elements(b, weights.cols)}
	second.Const = []op.Tensor{gather(w, inputs.cols, nil), b}
	row := grid{[]int{0}, weights.cols}
	return []piece{
		{Once(first, []op.Tensor{gather(x, nil, weights.rows), gather(dy, nil, weights.cols)}),
			[][]int{weights.at(wanted[0], out), row.at(wanted[1], out), none(len(wanted[2]))}},
		{Once(second, []op.Tensor{gather(x, inputs.rows, inputs.cols), gather(dy, inputs.rows, nil)}),
			[][]int{none(len(wanted[0])), none(len(wanted[1])), inputs.at(wanted[2], in)}},
	}, nil
}
