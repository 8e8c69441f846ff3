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
