package reference

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRMSNorm(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name  string
		x     []float64
		eps   float64
		gamma []float64
		want  []float64
		units float64
	}{
		{"mean square 25/4", []float64{3, 4, 0, 0}, 0, filled(4, 1), []float64{1.2, 1.6, 0, 0}, 1},
		{"gamma", []float64{3, -4, 0, 0}, 0, []float64{5, -5, 1, 1}, []float64{6, 8, 0, 0}, 1},
		{"no mean is subtracted", []float64{2, 2}, 0, []float64{1, 3}, []float64{1, 3}, 0},
		{"eps inside the root: sqrt(9 + 7) = 4", []float64{-3, 3}, 7, filled(2, 1), []float64{-.75, .75}, 0},
		{"one element", []float64{-5}, 0, []float64{3}, []float64{-3}, 0},
		{"zeros", []float64{0, 0}, 1e-5, []float64{3, 4}, []float64{0, 0}, 0},
		{"zeros, eps 0", []float64{0, 0}, 0, []float64{3, 4}, []float64{nan, nan}, 0},
		{"NaN", []float64{1, nan, 2}, 1e-5, filled(3, 1), filled(3, nan), 0},
		{"Inf", []float64{1, inf, -2}, 1e-5, filled(3, 1), []float64{0, nan, math.Copysign(0, -1)}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { within(t, RMSNorm(tt.x, tt.gamma, tt.eps), tt.want, tt.units) })
	}
}

func TestRMSNormAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		d := 1 + s.IntN(30)
		x, gamma := s.vector(d), filled(d, 1)
		y := RMSNorm(x, gamma, 0)
		square := 0.0
		for _, yi := range y {
			square += yi * yi / float64(d)
		}
		within(t, []float64{square}, []float64{1}, 64)

		doubled, mirrored := make([]float64, d), make([]float64, 0, 2*d)
		for i, xi := range x {
			doubled[i] = 2 * xi
			mirrored = append(mirrored, xi, -xi)
		}
		sameBits(t, RMSNorm(doubled, gamma, 0), y)
		// Beside its mirror image a row has mean 0: layer normalization is the same.
		within(t, RMSNorm(mirrored, filled(2*d, 1), 0.1), LayerNorm(mirrored, filled(2*d, 1), filled(2*d, 0), 0.1), 64)
		// Rows do not see each other.
		rows := RMSNormRows(rowsOf(filled(d, math.NaN()), x), gamma, 0)
		sameBits(t, rows.Row(1), y)
	})
}

var _ = derivative(func(s source) []differentiable {
	x, gamma := s.matrix(4, 6), s.vector(6)
	const eps = 0.1 // so large that a gradient which forgets it is wrong
	return []differentiable{{"RMSNormRows", [][]float64{x.Data, gamma}, func() []float64 { return RMSNormRows(x, gamma, eps).Data },
		func(dy []float64) [][]float64 {
			dx, dgamma := RMSNormRowsGrad(x, gamma, eps, Matrix{4, 6, dy})
			return [][]float64{dx.Data, dgamma}
		}}}
})

func TestRMSNormGrad(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		name         string
		x, gamma, dy []float64
		eps          float64
		dx, dgamma   []float64
	}{
		{name: "r = 2, xhat = (1, 1), g = (6, 2)", x: []float64{2, 2}, gamma: []float64{2, 2}, dy: []float64{3, 1}, dx: []float64{1, -1}, dgamma: []float64{3, 1}},
		{name: "zeros: g / sqrt(eps)", x: []float64{0, 0}, gamma: []float64{2, 2}, eps: 0.25, dy: []float64{3, 1}, dx: []float64{12, 4}, dgamma: []float64{0, 0}},
		{name: "NaN", x: []float64{1, nan}, gamma: []float64{2, 2}, eps: 0.25, dy: []float64{1, 1}, dx: []float64{nan, nan}, dgamma: []float64{nan, nan}},
		{name: "Inf", x: []float64{1, inf}, gamma: []float64{2, 2}, eps: 0.25, dy: []float64{1, 1}, dx: []float64{nan, nan}, dgamma: []float64{0, nan}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dx, dgamma := RMSNormGrad(tt.x, tt.gamma, tt.eps, tt.dy)
			sameBits(t, slices.Concat(dx, dgamma), slices.Concat(tt.dx, tt.dgamma))
			// Over rows dgamma is the sum, and what is not finite stays in its row of dx.
			twice, sum := RMSNormRowsGrad(rowsOf(tt.x, []float64{2, 2}), tt.gamma, 0, rowsOf(tt.dy, []float64{3, 1}))
			_, first := RMSNormGrad(tt.x, tt.gamma, 0, tt.dy)
			sameBits(t, slices.Concat(twice.Row(1), sum), []float64{1, -1, first[0] + 3, first[1] + 1})
		})
	}
}

// Without eps a scaling of a row changes nothing: its gradient is orthogonal to the row.
func TestRMSNormGradAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 4 + s.IntN(18)
		x, dy, gamma := s.vector(n), s.vector(n), s.vector(n)
		axpy(dy, 1, filled(n, 0.1)) // so that nothing is all but 0
		dx, _ := RMSNormGrad(x, gamma, 0, dy)
		products := make([]float64, n)
		for i := range dx {
			products[i] = dx[i] * x[i]
		}
		vanishes(t, "RMSNormGrad times x", products, 1e5)
	})
}
