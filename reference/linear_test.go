package reference

import (
	"math"
	"testing"
)

func TestLinear(t *testing.T) {
	x := rowsOf([]float64{1, 2}, []float64{3, 4})
	w := rowsOf([]float64{10, 20, 30}, []float64{1, 2, 3})
	sameBits(t, Linear(x, w, nil).Data, []float64{12, 24, 36, 34, 68, 102})
	sameBits(t, Linear(x, w, []float64{0.5, -1, math.Inf(1)}).Data, []float64{12.5, 23, math.Inf(1), 34.5, 67, math.Inf(1)})
}

var _ = derivative(func(s source) []differentiable { return []differentiable{linearOf(s, true), linearOf(s, false)} })

func linearOf(s source, bias bool) differentiable {
	x, w, b := s.matrix(3, 4), s.matrix(4, 2), s.vector(2)
	name := "Linear"
	if !bias {
		name, b = "Linear without bias", nil
	}
	return differentiable{name, [][]float64{x.Data, w.Data, b}, func() []float64 { return Linear(x, w, b).Data },
		func(dy []float64) [][]float64 {
			dx, dw, db := LinearGrad(x, w, b, Matrix{3, 2, dy})
			return [][]float64{dx.Data, dw.Data, db}
		}}
}
