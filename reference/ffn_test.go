package reference

import (
	"testing"
)

func TestFFN(t *testing.T) {
	// relu(1*x + (-1, 2)) . (3, 5) + 7
	w := FFNWeights{W1: rowsOf([]float64{1, 1}), B1: []float64{-1, 2}, W2: rowsOf([]float64{3}, []float64{5}), B2: []float64{7}}
	x := rowsOf([]float64{4}, []float64{0}, []float64{-9})
	sameBits(t, Exact.FFN(x, w, ActReLU).Data, []float64{3*3 + 6*5 + 7, 2*5 + 7, 7})
	w.B1, w.B2 = nil, nil
	sameBits(t, Exact.FFN(x, w, ActReLU).Data, []float64{4*3 + 4*5, 0, 0})
	within(t, Exact.FFN(x, w, ActGELU).Data, []float64{8 * GELU(4), 0, 8 * GELU(-9)}, 4)
}

var _ = derivative(func(s source) []differentiable {
	return []differentiable{ffnOf(s, ActReLU), ffnOf(s, ActGELU), ffnOf(s, ActGELUTanh)}
})

func ffnOf(s source, act Activation) differentiable {
	x, w := s.matrix(3, 4), FFNWeights{W1: s.matrix(4, 7), B1: s.vector(7), W2: s.matrix(7, 4), B2: s.vector(4)}
	if act == ActGELU {
		w.B1 = nil
	}
	return differentiable{"FFN " + string(act), append(w.Parameters(), x.Data), func() []float64 { return Exact.FFN(x, w, act).Data },
		func(dy []float64) [][]float64 {
			dx, dw := Exact.FFNGrad(x, w, act, Matrix{3, 4, dy})
			return append(dw.Parameters(), dx.Data)
		}}
}
