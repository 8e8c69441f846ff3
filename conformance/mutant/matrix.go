package mutant

import "github.com/assaykit/assay/conformance/op"

// matrix is a dense row-major matrix. Tensors with more axes are taken as the rows of their last one, or as the matrices of their last two.
type matrix struct {
	rows, cols int
	data       []float32
}

func newMatrix(rows, cols int) matrix { return matrix{rows, cols, make([]float32, rows*cols)} }

func (m matrix) row(i int) []float32 { return m.data[i*m.cols : (i+1)*m.cols] }

func (m matrix) column(j int) []float32 {
	col := make([]float32, m.rows)
	for i := range col {
		col[i] = m.data[i*m.cols+j]
	}
	return col
}

func (m matrix) clone() matrix {
	return matrix{m.rows, m.cols, append([]float32(nil), m.data...)}
}

func transposed(m matrix) matrix {
	t := newMatrix(m.cols, m.rows)
	for i := range t.rows {
		copy(t.row(i), m.column(i))
	}
	return t
}

// rowsOf returns the rows of the last axis; the zero matrix for an absent tensor.
func rowsOf(t op.Tensor) matrix {
	if !t.Present() {
		return matrix{}
	}
	cols := 1
	if n := len(t.Shape); n > 0 {
		cols = t.Shape[n-1]
	}
	return matrix{t.Len() / cols, cols, t.F32}
}

// planes returns the matrices of the last two axes.
func planes(t op.Tensor) []matrix {
	n := len(t.Shape)
	rows, cols := t.Shape[n-2], t.Shape[n-1]
	size := rows * cols
	ms := make([]matrix, t.Len()/size)
	for i := range ms {
		ms[i] = matrix{rows, cols, t.F32[i*size : (i+1)*size]}
	}
	return ms
}

// pick returns some columns of a matrix.
func pick(m matrix, columns []int) matrix {
	if len(columns) == m.cols {
		return m
	}
	picked := newMatrix(m.rows, len(columns))
	for i := range m.rows {
		row, from := picked.row(i), m.row(i)
		for n, j := range columns {
			row[n] = from[j]
		}
	}
	return picked
}

func gather(x []float32, at []int) []float32 {
	out := make([]float32, len(at))
	for n, i := range at {
		out[n] = x[i]
	}
	return out
}

func identity(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

func (p *plain) add(x, y matrix) matrix {
	z := newMatrix(x.rows, x.cols)
	for i := range z.data {
		z.data[i] = p.store(x.data[i] + y.data[i])
	}
	return z
}

func (p *plain) times(m matrix, factor float32) matrix {
	y := m.clone()
	for i := range y.data {
		y.data[i] = p.store(y.data[i] * factor)
	}
	return y
}
