package mutant

import (
	"errors"

	"github.com/assaykit/assay/conformance/op"
)

// linearParts are the decisions in which a linear layer goes wrong.
type linearParts struct {
	weights func(w matrix) matrix // the columns of weights stored [in, out]
	addBias func(y, b []float32, row int)

	towards    func(w matrix) matrix // the columns of W^T, for dx = dy W^T
	weightGrad func(x, dy matrix) matrix
	biasGrad   func(dy matrix) []float32
}

var _ = parts(func(p *plain) {
	p.linearParts = linearParts{
		weights: transposed, addBias: addBias,
		towards:    func(w matrix) matrix { return w },
		weightGrad: p.weightSums, biasGrad: p.columnSums,
	}
})

var _ = offer((*plain).linearOp)

func (p *plain) linearOp(a op.LinearArgs) error {
	copy(a.Y.F32, p.linear(rowsOf(a.X), rowsOf(a.W), a.B.F32).data)
	return nil
}

// linear returns x W + b, without a bias where b is nil.
func (p *plain) linear(x, w matrix, b []float32) matrix {
	columns := p.weights(w)
	y := newMatrix(x.rows, columns.rows)
	for i := range x.rows {
		for j := range columns.rows {
			y.row(i)[j] = p.dot(x.row(i), columns.row(j))
		}
	}
	if b != nil {
		for i := range y.rows {
			p.addBias(y.row(i), b, i)
		}
	}
	p.storeAll(y.data)
	return y
}

func addBias(y, b []float32, _ int) {
	for j := range y {
		y[j] += b[j]
	}
}

var _ = offer((*plain).linearGradOp)

func (p *plain) linearGradOp(a op.LinearGradArgs) error {
	dx, dw, db := p.linearGrad(rowsOf(a.X), rowsOf(a.W), rowsOf(a.DY), a.B.F32)
	p.give(a.DX, dx.data)
	p.give(a.DW, dw.data)
	p.give(a.DB, db)
	return nil
}

// linearGrad is dx = dy W^T, dW = x^T dy, and the sum of dy where there is a bias.
func (p *plain) linearGrad(x, w, dy matrix, b []float32) (dx, dw matrix, db []float32) {
	dx, dw = p.product(dy, p.towards(w)), p.weightGrad(x, dy)
	p.storeAll(dx.data)
	p.storeAll(dw.data)
	if b != nil {
		db = p.biasGrad(dy)
		p.storeAll(db)
	}
	return dx, dw, db
}

// weightSums is x^T dy: a sum over all rows.
func (p *plain) weightSums(x, dy matrix) matrix { return p.product(transposed(x), transposed(dy)) }

// columnSums returns the sum of each column.
func (p *plain) columnSums(m matrix) []float32 {
	sums := make([]float32, m.cols)
	for j := range sums {
		sums[j] = p.sum(m.column(j))
	}
	return sums
}

var _ = plant([]bug{
	{"linear-bias-missing", "linear", "LIN-2", "Does not add the bias.", "", func(p *plain) { p.addBias = func(_, _ []float32, _ int) {} }},
	{"linear-bias-twice", "linear", "LIN-2", "Adds the bias twice: in the product and behind it.", "", func(p *plain) {
		p.addBias = func(y, b []float32, row int) { addBias(y, b, row); addBias(y, b, row) }
	}},
	{"linear-bias-first-row", "linear", "LIN-2", "Adds the bias to the first row only.", "", func(p *plain) {
		p.addBias = func(y, b []float32, row int) {
			if row == 0 {
				addBias(y, b, row)
			}
		}
	}},
	{"linear-weights-out-in", "linear", "LIN-1", "Reads its weights as if they were stored [out, in].", "", func(p *plain) {
		p.weights = func(w matrix) matrix { return matrix{w.cols, w.rows, w.data} }
	}},
})

// everyRow returns the bug of a sum over rows that sums over other rows: those that pick returns.
func everyRow(pick func(m matrix) matrix) func(*plain) {
	return func(p *plain) {
		p.weightGrad = func(x, dy matrix) matrix { return p.weightSums(pick(x), pick(dy)) }
		p.biasGrad = func(dy matrix) []float32 { return p.columnSums(pick(dy)) }
	}
}

func firstRow(m matrix) matrix { return matrix{1, m.cols, m.row(0)} }

var _ = plant([]bug{
	{"linear-grad-weights-untransposed", "linear.grad", "GRAD-4", "Multiplies dy by W in place of its transpose.", "", func(p *plain) {
		p.towards = func(w matrix) matrix { return transposed(matrix{w.cols, w.rows, w.data}) }
	}},
	{"linear-grad-weights-out-in", "linear.grad", "GRAD-4", "Stores dW as [out, in].", "", func(p *plain) {
		p.weightGrad = func(x, dy matrix) matrix { return p.weightSums(dy, x) }
	}},
	{"linear-grad-first-row", "linear.grad", "GRAD-4", "Takes the first row for the sum over all.", "", everyRow(firstRow)},
	{"linear-grad-last-row-dropped", "linear.grad", "GRAD-4", "Leaves the last row out of its sums where their number is odd.", "", everyRow(func(m matrix) matrix {
		if m.rows > 1 && m.rows%2 == 1 {
			m.rows--
		}
		return matrix{m.rows, m.cols, m.data[:m.rows*m.cols]}
	})},
	{"linear-grad-bias-mean", "linear.grad", "GRAD-4", "Takes the mean over rows for the gradient of the bias.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 {
			db := p.columnSums(dy)
			p.divide(db, float32(dy.rows))
			return db
		}
	}},
	{"linear-grad-bias-overwrites", "linear.grad", "GRAD-4", "Writes each row of dy over the gradient of the bias, and adds none.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return append([]float32(nil), dy.row(dy.rows-1)...) }
	}},
	{"linear-grad-bias-required", "linear.grad", "GRAD-2", "Refuses to work without a bias.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			if !dst[1].Present() {
				return errors.New("linear.grad: b is absent")
			}
			return next.Run(dst, src)
		}
	})},
	{"linear-grad-bfloat16-sums", "linear.grad", "GRAD-4", "Accumulates in bfloat16 and does not declare it.", "", func(p *plain) { p.dot = narrow(8) }},
})
