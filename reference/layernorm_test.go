package reference

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestLayerNorm(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name        string
		x           []float64
		eps         float64
		gamma, beta []float64
		want        []float64
		units       float64
	}{
		{"mean 2, variance 1", []float64{1, 3}, 0, []float64{1, 1}, []float64{0, 0}, []float64{-1, 1}, 0},
		{"affine", []float64{1, 3}, 0, []float64{2, 3}, []float64{10, 20}, []float64{8, 23}, 0},
		{"eps inside the root: sqrt(9 + 7) = 4", []float64{-3, 3}, 7, []float64{1, 1}, []float64{0, 0}, []float64{-.75, .75}, 0},
		{"biased variance: 2/3", []float64{1, 2, 3}, 0, filled(3, 1), filled(3, 0), []float64{-math.Sqrt(1.5), 0, math.Sqrt(1.5)}, 4},
		{"large mean", []float64{1e12 - 1, 1e12 + 1}, 0, []float64{1, 1}, []float64{0, 0}, []float64{-1, 1}, 0},
		{"one element", []float64{5}, 1e-5, []float64{3}, []float64{7}, []float64{7}, 0},
		{"constant row whose sum rounds", filled(768, 0.1), 1e-5, filled(768, 3), filled(768, 7), filled(768, 7), 0},
		{"constant row, eps 0", []float64{4, 4}, 0, []float64{1, 1}, []float64{0, 0}, []float64{nan, nan}, 0},
		{"NaN", []float64{1, nan, 2}, 1e-5, filled(3, 1), filled(3, 0), filled(3, nan), 0},
		{"Inf", []float64{1, inf, 2}, 1e-5, filled(3, 1), filled(3, 0), filled(3, nan), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { within(t, LayerNorm(tt.x, tt.gamma, tt.beta, tt.eps), tt.want, tt.units) })
	}
}

func TestLayerNormAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		d := 2 + s.IntN(30)
		x, gamma, beta := s.vector(d), filled(d, 1), filled(d, 0)
		y := LayerNorm(x, gamma, beta, 0)

		// The result has mean 0, but for the rounding of x's own mean, which is divided by sigma, and mean square 1.
		mean, square := 0.0, 0.0
		for _, yi := range y {
			mean += yi / float64(d)
			square += yi * yi / float64(d)
		}
		mu, variance := moments(x)
		within(t, []float64{mean + 1}, []float64{1}, 64+4*math.Abs(mu)/math.Sqrt(variance))
		within(t, []float64{square}, []float64{1}, 64)

		// Doubling is exact and cancels; so does a shift, but for its rounding: here by 2^10 on values near sigma.
		doubled, shifted := make([]float64, d), make([]float64, d)
		for i, xi := range x {
			doubled[i], shifted[i] = 2*xi, xi+1024
		}
		sameBits(t, LayerNorm(doubled, gamma, beta, 0), y)
		if variance > 0.01 {
			within(t, LayerNorm(shifted, gamma, beta, 0), y, 1024*64)
		}
		// Rows do not see each other.
		rows := LayerNormRows(rowsOf(filled(d, math.NaN()), x), gamma, beta, 0)
		sameBits(t, rows.Row(1), y)
	})
}

var _ = derivative(func(s source) []differentiable { return []differentiable{layerNormOf(s)} })

func layerNormOf(s source) differentiable {
	x, gamma, beta := s.matrix(4, 6), s.vector(6), s.vector(6)
	const eps = 0.1 // so large that a gradient which forgets it is wrong
	return differentiable{"LayerNormRows", [][]float64{x.Data, gamma, beta}, func() []float64 { return LayerNormRows(x, gamma, beta, eps).Data },
		func(dy []float64) [][]float64 {
			dx, dgamma, dbeta := LayerNormRowsGrad(x, gamma, eps, Matrix{4, 6, dy})
			return [][]float64{dx.Data, dgamma, dbeta}
		}}
}

// Without eps a shift and a scaling of a row change nothing: its gradient is orthogonal to ones and to the row.
func TestLayerNormGradAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 4 + s.IntN(18)
		x, dy, gamma := s.vector(n), s.vector(n), s.vector(n)
		axpy(dy, 1, filled(n, 0.1)) // so that nothing is all but 0
		dx, _, _ := LayerNormGrad(x, gamma, 0, dy)
		xhat := LayerNorm(x, filled(n, 1), filled(n, 0), 0)
		products := make([]float64, n)
		for i := range dx {
			products[i] = dx[i] * xhat[i]
		}
		vanishes(t, "LayerNormGrad", dx, 1e5)
		vanishes(t, "LayerNormGrad times xhat", products, 1e5)
	})
}

func TestSpecialsOfLayerNormGrad(t *testing.T) {
	nan := math.NaN()
	dx, dgamma, dbeta := LayerNormGrad([]float64{5, 5}, []float64{2, 2}, 0.25, []float64{3, 1})
	sameBits(t, slices.Concat(dx, dgamma, dbeta), []float64{4, -4, 0, 0, 3, 1})
	m, dgamma, dbeta := LayerNormRowsGrad(Matrix{2, 2, []float64{1, nan, 5, 5}}, []float64{2, 2}, 0.25, Matrix{2, 2, []float64{1, 1, 3, 1}})
	sameBits(t, slices.Concat(m.Data, dgamma, dbeta), []float64{nan, nan, 4, -4, nan, nan, 4, 2})
}
