package reference

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestMatMul(t *testing.T) {
	a := rowsOf([]float64{1, 2, 3}, []float64{4, 5, 6})
	b := rowsOf([]float64{7, 8}, []float64{9, 10}, []float64{11, 12})
	sameBits(t, MatMul(a, b).Data, []float64{58, 64, 139, 154})
	sameBits(t, MatMul(b, a).Row(0), []float64{39, 54, 69})
	sameBits(t, a.T().Data, []float64{1, 4, 2, 5, 3, 6})
	sameBits(t, a.Columns(1, 3).Data, []float64{2, 3, 5, 6})
	sameBits(t, ScaleBy(a, -2).Row(1), []float64{-8, -10, -12})
}

// A zero times an infinity or a NaN is a NaN: no implementation may skip zeros.
func TestMatMulPropagates(t *testing.T) {
	nan := math.NaN()
	for _, bad := range []float64{math.Inf(1), math.Inf(-1), nan} {
		sameBits(t, MatMul(rowsOf([]float64{0, 1}), rowsOf([]float64{bad, 5}, []float64{7, 7})).Data, []float64{nan, 7})
		sameBits(t, MatMul(rowsOf([]float64{bad, 1}), rowsOf([]float64{0, 1}, []float64{7, 7})).Data, []float64{nan, bad + 7})
	}
}

func TestMatMulAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		m, k, n := 1+s.IntN(6), 1+s.IntN(6), 1+s.IntN(6)
		a, b, c := s.matrix(m, k), s.matrix(k, n), s.matrix(k, n)

		// Transposition changes no term and no order.
		sameBits(t, MatMul(b.T(), a.T()).Data, MatMul(a, b).T().Data)
		// A row of the product is the product of the row; a column that of the column.
		sameBits(t, MatMul(rowRange(a, m-1, m), b).Data, MatMul(a, b).Row(m-1))
		sameBits(t, MatMul(a, b.Columns(n-1, n)).Data, MatMul(a, b).Columns(n-1, n).Data)
		// Distributivity, up to rounding: k products and sums on both sides, none above 6^2.
		within(t, append(MatMul(a, Add(b, c)).Data, 36), append(Add(MatMul(a, b), MatMul(a, c)).Data, 36), 64)
	})
}

var _ = derivative(func(s source) []differentiable { return []differentiable{matMulOf(s)} })

func matMulOf(s source) differentiable {
	a, b := s.matrix(3, 4), s.matrix(4, 2)
	return differentiable{"MatMul", [][]float64{a.Data, b.Data}, func() []float64 { return MatMul(a, b).Data },
		func(dy []float64) [][]float64 {
			da, db := MatMulGrad(a, b, Matrix{3, 2, dy})
			return [][]float64{da.Data, db.Data}
		}}
}
