package reference

// Matrix is a row-major matrix: element (i, j) is Data[i*Cols+j]. The zero Matrix stands for an absent one.
type Matrix struct {
	Rows, Cols int
	Data       []float64
}

// NewMatrix returns a rows x cols matrix of zeros.
func NewMatrix(rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}
}

// At returns element (i, j).
func (m Matrix) At(i, j int) float64 { return m.Data[i*m.Cols+j] }

// Row returns row i. It shares the matrix's memory.
func (m Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols : (i+1)*m.Cols] }

// T returns the transpose, a copy.
func (m Matrix) T() Matrix {
	t := NewMatrix(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, x := range m.Row(i) {
			t.Data[j*t.Cols+i] = x
		}
	}
	return t
}

// Columns returns columns lo to hi-1, a copy.
func (m Matrix) Columns(lo, hi int) Matrix {
	require(0 <= lo && lo <= hi && hi <= m.Cols, "Columns: [%d, %d) of %d columns", lo, hi, m.Cols)
	c := NewMatrix(m.Rows, hi-lo)
	for i := range m.Rows {
		copy(c.Row(i), m.Row(i)[lo:hi])
	}
	return c
}

// MatMul returns the product
//
//	c_ij = sum_k a_ik b_kj        a [M,K], b [K,N] -> c [M,N]
//
// summed in the order k = 0, 1, ... No term is skipped, so 0 * Inf and 0 * NaN make the NaN that they should.
func MatMul(a, b Matrix) Matrix {
	require(a.Cols == b.Rows, "MatMul: a is %dx%d, b is %dx%d", a.Rows, a.Cols, b.Rows, b.Cols)
	c := NewMatrix(a.Rows, b.Cols)
	for i := range a.Rows {
		row := c.Row(i)
		for k, aik := range a.Row(i) {
			axpy(row, aik, b.Row(k))
		}
	}
	return c
}

// MatMulGrad returns the gradients of MatMul, c = a b, from that of its result
//
//	da = dc b^T
//	db = a^T dc        dc [M,N] -> da [M,K], db [K,N]
func MatMulGrad(a, b, dc Matrix) (da, db Matrix) {
	require(dc.Rows == a.Rows && dc.Cols == b.Cols, "MatMulGrad: a is %dx%d, b is %dx%d, dc is %dx%d", a.Rows, a.Cols, b.Rows, b.Cols, dc.Rows, dc.Cols)
	return MatMul(dc, b.T()), MatMul(a.T(), dc)
}

// axpy adds a x to y, element by element.
func axpy(y []float64, a float64, x []float64) {
	y = y[:len(x)]
	for j, xj := range x {
		y[j] = float64(a*xj) + y[j]
	}
}

// dot returns sum_k x_k y_k, summed in the order k = 0, 1, ...
func dot(x, y []float64) float64 {
	sum := 0.0
	for k, xk := range x {
		sum = float64(xk*y[k]) + sum
	}
	return sum
}

// Add returns a + b, element by element. Both have one shape.
func Add(a, b Matrix) Matrix {
	require(a.Rows == b.Rows && a.Cols == b.Cols, "Add: a is %dx%d, b is %dx%d", a.Rows, a.Cols, b.Rows, b.Cols)
	c := NewMatrix(a.Rows, a.Cols)
	for i, x := range a.Data {
		c.Data[i] = x + b.Data[i]
	}
	return c
}

// ScaleBy returns s x, element by element.
func ScaleBy(x Matrix, s float64) Matrix {
	y := NewMatrix(x.Rows, x.Cols)
	for i, v := range x.Data {
		y.Data[i] = s * v
	}
	return y
}

// Linear returns the affine map of each row
//
//	y = x W + b        x [T,in], W [in,out], b [out] or nil for none -> y [T,out]
//
// The bias is added to the finished sum.
func Linear(x, w Matrix, b []float64) Matrix {
	y := MatMul(x, w)
	if b == nil {
		return y
	}
	require(len(b) == w.Cols, "Linear: b has %d elements, w is %dx%d", len(b), w.Rows, w.Cols)
	for i := range y.Rows {
		row := y.Row(i)
		for j, bj := range b {
			row[j] += bj
		}
	}
	return y
}

// LinearGrad returns the gradients of Linear, y = x W + b, from that of its result
//
//	dx   = dy W^T
//	dW   = x^T dy
//	db_j = sum_t dy_tj        dy [T,out] -> dx [T,in], dW [in,out], db [out], nil where b is
func LinearGrad(x, w Matrix, b []float64, dy Matrix) (dx, dw Matrix, db []float64) {
	dx, dw = MatMulGrad(x, w, dy)
	if b != nil {
		db = make([]float64, dy.Cols)
		addRows(db, dy)
	}
	return dx, dw, db
}

// addRows adds every row of m to sum.
func addRows(sum []float64, m Matrix) {
	for i := range m.Rows {
		for j, x := range m.Row(i) {
			sum[j] += x
		}
	}
}
