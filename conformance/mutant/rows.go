package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// The ops that work on rows: products, softmax, activations, normalization.

func (p *plain) matmul(a op.MatMulArgs) error {
	as, bs, cs := planes(a.A), planes(a.B), planes(a.C)
	for i, c := range cs {
		p.multiply(c, p.left(as[i], a.TransposeA), p.right(bs[p.batchItem(i)], a.TransposeB))
	}
	return nil
}

// left returns the rows of a left operand, right the columns of a right one: both lie as the dot product wants them.

func left(m matrix, transpose bool) matrix {
	if transpose {
		return transposed(m)
	}
	return m
}

func right(m matrix, transpose bool) matrix { return left(m, !transpose) }

func transposed(m matrix) matrix {
	t := newMatrix(m.cols, m.rows)
	for i := range t.rows {
		copy(t.row(i), m.column(i))
	}
	return t
}

// multiply computes c = x y from the rows of x and the columns of y.
func (p *plain) multiply(c, rows, columns matrix) {
	for j := range columns.rows {
		for i := range p.tileRows(rows.rows) {
			c.row(i)[j] = p.dot(rows.row(i), columns.row(j))
		}
	}
	p.storeAll(c.data)
}

func (p *plain) storeAll(x []float32) {
	for i := range x {
		x[i] = p.store(x[i])
	}
}

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

func (p *plain) softmaxOp(a op.SoftmaxArgs) error {
	copy(a.Y.F32, a.X.F32)
	y := rowsOf(a.Y)
	for i := range y.rows {
		p.softmax(y.row(i))
	}
	p.storeAll(y.data)
	return nil
}

// softmax overwrites a row with its softmax. NaN and +Inf make the sum NaN, and so the row; -Inf alone makes the maximum -Inf, and NaN
// of the differences.
func (p *plain) softmax(x []float32) {
	s := p.exponentials(x, p.rowMax(x))
	p.divide(x, p.denominator(s))
}

// exponentials overwrites x with exp(x - m) and returns their sum.
func (p *plain) exponentials(x []float32, m float32) float32 {
	for j := range x {
		x[j] = p.expDiff(x[j], m)
	}
	return p.sum(x)
}

func rowMax(x []float32) float32 {
	m := -inf
	for _, v := range x {
		m = max(m, v) // NaN where either is
	}
	return m
}

func expDiff(x, m float32) float32 { return exp32(x - m) }

func divide(x []float32, s float32) {
	for j := range x {
		x[j] /= s
	}
}

func (p *plain) logSoftmaxOp(a op.LogSoftmaxArgs) error {
	x, y := rowsOf(a.X), rowsOf(a.Y)
	for i := range x.rows {
		m, s := p.logSum(x.row(i))
		for j, v := range x.row(i) {
			y.row(i)[j] = p.store(p.logProb(v, m, s))
		}
	}
	return nil
}

// logSum returns the maximum m of a row and the sum of exp(x - m).
func (p *plain) logSum(x []float32) (m, s float32) {
	m = p.rowMax(x)
	return m, p.denominator(p.exponentials(append([]float32(nil), x...), m))
}

func logProb(x, m, s float32) float32 { return (x - m) - log32(s) }

func (p *plain) reluOp(a op.ReLUArgs) error {
	for i, x := range a.X.F32 {
		a.Y.F32[i] = p.store(p.relu(x))
	}
	return nil
}

func relu(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

func (p *plain) geluOp(a op.GELUArgs) error {
	f := p.geluErf
	if a.Approximate == "tanh" {
		f = p.geluTanh
	}
	for i, x := range a.X.F32 {
		a.Y.F32[i] = p.store(f(x))
	}
	return nil
}

// geluErf is x/2 (1 + erf(x / sqrt 2)), with its limit at -Inf.
func geluErf(x float32) float32 {
	if x == -inf {
		return 0
	}
	return 0.5 * x * (1 + float32(math.Erf(float64(x*float32(1/math.Sqrt2)))))
}

// geluTanh is x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), with its limit at -Inf.
func geluTanh(x float32) float32 {
	if x == -inf {
		return 0
	}
	cubic := x + float32(0.044715*x*x*x)
	return 0.5 * x * (1 + float32(math.Tanh(float64(float32(math.Sqrt(2/math.Pi))*cubic))))
}

func (p *plain) layerNormOp(a op.LayerNormArgs) error {
	copy(a.Y.F32, p.layerNorm(rowsOf(a.X), norm{a.Gamma.F32, a.Beta.F32, a.Eps}).data)
	return nil
}

// norm holds what a layer normalization needs beside its input.
type norm struct {
	gamma, beta []float32
	eps         float64
}

func (p *plain) layerNorm(x matrix, n norm) matrix {
	y := newMatrix(x.rows, x.cols)
	for i := range x.rows {
		row := x.row(i)
		mean := p.mean(row)
		v := p.variance(row, mean)
		for j := range row {
			z := p.normalize(row[j]-mean, v, float32(n.eps))
			y.row(i)[j] = p.store(p.affine(z, n.gamma[j], n.beta[j]))
		}
	}
	return y
}

// meanSquare is the biased variance, of the deviations.
func (p *plain) meanSquare(x []float32, mean float32) float32 {
	d := make([]float32, len(x))
	for j := range x {
		d[j] = x[j] - mean
	}
	return p.dot(d, d) / float32(len(x))
}

func normalize(d, variance, eps float32) float32 { return d / sqrt32(variance+eps) }

func affine(z, gamma, beta float32) float32 { return float32(z*gamma) + beta }

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
