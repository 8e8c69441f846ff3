package mutant

import "github.com/assaykit/assay/conformance/op"

// matmulParts are the decisions in which a matrix product goes wrong.
type matmulParts struct {
	left, right func(m matrix, transpose bool) matrix
	batchItem   func(i int) int    // the item of b that item i of a meets
	tileRows    func(rows int) int // how many rows of the product are written

	stored func(m matrix, transpose bool) matrix // the gradient of an operand as the operand is stored
}

var _ = parts(func(p *plain) {
	p.matmulParts = matmulParts{
		left: left, right: right, batchItem: func(i int) int { return i }, tileRows: func(rows int) int { return rows },
		stored: left,
	}
})

var _ = offer((*plain).matmul)

func (p *plain) matmul(a op.MatMulArgs) error {
	as, bs, cs := planes(a.A), planes(a.B), planes(a.C)
	for i, c := range cs {
		p.multiply(c, p.left(as[i], a.TransposeA), p.right(bs[p.batchItem(i)], a.TransposeB))
	}
	return nil
}

// left returns the rows of a left operand, as the dot product wants them.
func left(m matrix, transpose bool) matrix {
	if transpose {
		return transposed(m)
	}
	return m
}

// right returns the columns of a right operand, as the dot product wants them.
func right(m matrix, transpose bool) matrix { return left(m, !transpose) }

// multiply computes c = x y from the rows of x and the columns of y.
func (p *plain) multiply(c, rows, columns matrix) {
	for j := range columns.rows {
		for i := range p.tileRows(rows.rows) {
			c.row(i)[j] = p.dot(rows.row(i), columns.row(j))
		}
	}
	p.storeAll(c.data)
}

var _ = offer((*plain).matmulGradOp)

func (p *plain) matmulGradOp(a op.MatMulGradArgs) error {
	as, bs, dcs, das, dbs := planes(a.A), planes(a.B), planes(a.DC), planes(a.DA), planes(a.DB)
	for i, dc := range dcs {
		x, y := left(as[i], a.TransposeA), left(bs[p.batchItem(i)], a.TransposeB) // M x K and K x N
		copy(das[i].data, p.stored(p.product(dc, y), a.TransposeA).data)
		copy(dbs[i].data, p.stored(p.weightGrad(x, dc), a.TransposeB).data)
		p.storeAll(das[i].data)
		p.storeAll(dbs[i].data)
	}
	return nil
}

// product returns x W for the rows of x and the columns of W.
func (p *plain) product(rows, columns matrix) matrix {
	c := newMatrix(rows.rows, columns.rows)
	for i := range c.rows {
		for j := range c.cols {
			c.row(i)[j] = p.dot(rows.row(i), columns.row(j))
		}
	}
	return c
}

// operands returns the bug of a dot product whose operands are rounded to some bits.
func operands(bits int) func(*plain) {
	return func(p *plain) {
		p.dot = func(x, y []float32) float32 { return forward(rounded(x, bits), rounded(y, bits)) }
	}
}

var _ = plant([]bug{
	{"matmul-odd-k", "matmul", "MM-1", "Drops the last term where K is odd.", "", func(p *plain) {
		p.dot = func(x, y []float32) float32 { return forward(x[:len(x)&^1], y) }
	}},
	{"matmul-remainder-twice", "matmul", "MM-1", "Counts the last term twice where K is not a multiple of 4: the last vector overlaps the one before.", "", func(p *plain) {
		p.dot = func(x, y []float32) float32 {
			sum := forward(x, y)
			if n := len(x); n > 4 && n%4 != 0 {
				sum += x[n-1] * y[n-1]
			}
			return sum
		}
	}},
	{"matmul-zero-skip", "matmul", "MM-3", "Skips the terms whose left factor is zero, and with them 0 * Inf and 0 * NaN.", "gonum's Sgemm", func(p *plain) {
		p.dot = func(x, y []float32) float32 {
			var sum float32
			for i := range x {
				if x[i] != 0 {
					sum += x[i] * y[i]
				}
			}
			return sum
		}
	}},
	{"matmul-transpose-a-ignored", "matmul", "MM-2", "Reads a transposed left operand as if it were not.", "", func(p *plain) {
		p.left = func(m matrix, transpose bool) matrix {
			if transpose {
				return matrix{m.cols, m.rows, m.data}
			}
			return m
		}
	}},
	{"matmul-transpose-b-ignored", "matmul", "MM-2", "Reads a transposed right operand as if it were not.", "", func(p *plain) {
		p.right = func(m matrix, transpose bool) matrix {
			if transpose {
				m = matrix{m.cols, m.rows, m.data}
			}
			return transposed(m)
		}
	}},
	{"matmul-first-batch-item", "matmul", "MM-1", "Multiplies every batch item by the right operand of the first.", "", func(p *plain) {
		p.batchItem = func(int) int { return 0 }
	}},
	{"matmul-edge-tile", "matmul", "BUF-1", "Does not write the rows that do not fill a tile of 4.", "", func(p *plain) {
		p.tileRows = func(rows int) int { return rows &^ 3 }
	}},
	{"matmul-tf32-operands", "matmul", "MM-1", "Rounds its operands to TF32 and does not declare it.", "", operands(11)},
	{"matmul-bfloat16-operands", "matmul", "MM-1", "Rounds its operands to bfloat16 and does not declare it.", "", operands(8)},
	{"matmul-float16-sums", "matmul", "MM-1", "Accumulates in the precision of float16 and does not declare it.", "", func(p *plain) { p.dot = narrow(11) }},
	{"matmul-bfloat16-sums", "matmul", "MM-4", "Accumulates in bfloat16 and does not declare it.", "", func(p *plain) { p.dot = narrow(8) }},
	{"matmul-bfloat16-result", "matmul", "MM-1", "Stores its result in bfloat16 and does not declare it.", "", func(p *plain) {
		p.store = func(x float32) float32 { return significant(x, 8) }
	}},
})

var _ = plant([]bug{
	{"matmul-grad-transpose-ignored", "matmul.grad", "GRAD-3", "Stores the gradient of a transposed operand as if it were not transposed.", "", func(p *plain) {
		p.stored = func(m matrix, _ bool) matrix { return m }
	}},
	{"matmul-grad-transpose-a-ignored", "matmul.grad", "GRAD-3", "Does not transpose the left operand in the gradient of the right one.", "", func(p *plain) {
		p.weightGrad = func(x, dy matrix) matrix { return p.weightSums(matrix{x.rows, x.cols, transposed(x).data}, dy) }
	}},
	{"matmul-grad-first-batch-item", "matmul.grad", "GRAD-3", "Uses the right operand of the first batch item for every gradient.", "", func(p *plain) {
		p.batchItem = func(int) int { return 0 }
	}},
	{"matmul-grad-zero-skip", "matmul.grad", "GRAD-3", "Skips the terms whose upstream gradient is zero, and with them 0 * Inf and 0 * NaN.", "gonum's Sgemm", func(p *plain) {
		p.dot = func(x, y []float32) float32 {
			var sum float32
			for i := range x {
				if x[i] != 0 && y[i] != 0 {
					sum += x[i] * y[i]
				}
			}
			return sum
		}
	}},
	{"matmul-grad-bfloat16-operands", "matmul.grad", "GRAD-3", "Rounds its operands to bfloat16 and does not declare it.", "", operands(8)},
})
