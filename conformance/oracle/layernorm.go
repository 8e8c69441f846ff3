package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// LayerNorm gauges each row of y = (x - mu)/sigma gamma + beta, sigma^2 = var + eps, computed in two passes. With d = x - mu and z = d/sigma:
//
//	E_d = c(n) mean|x| + |mu| + |d_i|                  the sum of the mean, its division, the subtraction
//	E_v = 2 mean(d^2) + (c(n) + 1) var                 what E_d leaves in the squares, their sum, its division
//	Acc = |gamma| (E_d/sigma + |z| (E_v/(2 sigma^2) + 3)) + |gamma z|
//	In  = |gamma| ((|x_i| + mean|x|)/sigma + |z| mean|d x|/sigma^2) + |gamma z| + |beta|
//	Eta = |gamma| (2/sigma + |z|/(2 sigma^2)) + 1      d, its product and d^2 may underflow
//
// The error of the mean is the same for all i, so it moves the variance only in second order, and of E_d only |d_i| appears in E_v. The 3
// are the sum with eps, the root and the division. The sum with beta is the rounding of the result.
func (m Model) LayerNorm(x reference.Matrix, gamma, beta []float64, eps float64) Gauges {
	return join(x.Rows, func(i int) Gauges { return m.layerNormRow(x.Row(i), gamma, beta, eps) })
}

func (m Model) layerNormRow(x, gamma, beta []float64, eps float64) Gauges {
	c := m.c(len(x))
	mu := mean(x, func(v float64) float64 { return v })
	meanAbs := mean(x, math.Abs)
	variance := mean(x, func(v float64) float64 { return (v - mu) * (v - mu) })
	meanDX := mean(x, func(v float64) float64 { return math.Abs((v - mu) * v) })
	square := variance + eps
	sigma := math.Sqrt(square)
	errVar := (c + 3) * variance

	g := newGauges(len(x))
	for i, v := range x {
		d := v - mu
		z, gam := math.Abs(d/sigma), math.Abs(gamma[i])
		errD := c*meanAbs + math.Abs(mu) + math.Abs(d)
		g.Acc[i] = gam*(errD/sigma+z*(errVar/(2*square)+3)) + gam*z
		g.In[i] = gam*((math.Abs(v)+meanAbs)/sigma+z*meanDX/square) + gam*z + math.Abs(beta[i])
		g.Eta[i] = gam*(2/sigma+z/(2*square)) + 1
	}
	return g
}

// LayerNormGrad gauges the gradients of layer normalization, row by row. With g = dy gamma, z = (x - mu)/sigma, and E_d, E_v and sigma as in
// LayerNorm; a = mean g, b = mean g z:
//
//	E_z    = E_d/sigma + |z| (E_v/(2 sigma^2) + 3)
//	E_a    = (c(d) + 1) mean|g| + |a|
//	E_b    = |a| (c(d) mean|x| + |mu|)/sigma + mean(|g z| (E_v/(2 sigma^2) + 6)) + c(d) mean|g z| + |b|
//	dx:      Acc = (|g_i| + E_a + E_z |b| + |z_i| E_b + 2 (|g_i| + |a| + 2 |z_i b|))/sigma + |dx_i| (E_v/(2 sigma^2) + 3)
//	dgamma:  Acc = sum_t |dy| E_z + c(T) sum_t |dy z|
//	dbeta:   Acc = c(T) sum_t |dy|
//
// Of E_d, what the error of the mean does is the same for all elements of a row, and reaches b only as a times that: the rest is
// the 6, with the rounding of g, of the product and of z. In follows with the errors of the inputs in the place of those of the arithmetic.
func (m Model) LayerNormGrad(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx, dgamma, dbeta Gauges) {
	n := x.Cols
	dgamma, dbeta = newGauges(n), newGauges(n)
	products := make([]float64, n) // sum_t |dy z|
	dx = join(x.Rows, func(t int) Gauges {
		row, up := x.Row(t), dy.Row(t)
		mu := mean(row, func(v float64) float64 { return v })
		meanAbs := mean(row, math.Abs)
		variance := mean(row, func(v float64) float64 { return (v - mu) * (v - mu) })
		square := variance + eps
		sigma := math.Sqrt(square)
		relSigma := (m.c(n) + 3) * variance / (2 * square)
		inSigma := mean(row, func(v float64) float64 { return math.Abs((v - mu) * v) }) / square
		shift := (m.c(n)*meanAbs + math.Abs(mu)) / sigma

		z, errZ, inZ, grad := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		var a, b, absG, absGZ, inB float64
		for i, v := range row {
			z[i], grad[i] = (v-mu)/sigma, up[i]*gamma[i]
			errZ[i] = shift + math.Abs(z[i])*(relSigma+4)
			inZ[i] = (math.Abs(v)+meanAbs)/sigma + math.Abs(z[i])*inSigma
			a += grad[i] / float64(n)
			b += grad[i] * z[i] / float64(n)
			absG += math.Abs(grad[i]) / float64(n)
			absGZ += math.Abs(grad[i]*z[i]) / float64(n)
			inB += math.Abs(grad[i]) * (inZ[i] + 2*math.Abs(z[i])) / float64(n)

			etaZ := 2/sigma + math.Abs(z[i])/(2*square)
			products[i] += math.Abs(up[i] * z[i])
			dgamma.Acc[i] += math.Abs(up[i]) * errZ[i]
			dgamma.In[i] += math.Abs(up[i]) * (inZ[i] + math.Abs(z[i]))
			dgamma.Eta[i] += 1 + math.Abs(up[i])*etaZ
			dbeta.In[i] += math.Abs(up[i])
		}
		a, b = math.Abs(a), math.Abs(b)
		errA := (m.c(n)+1)*absG + a
		errB := a*shift + absGZ*(relSigma+6+m.c(n)) + b
		exact, _, _ := reference.LayerNormGrad(row, gamma, eps, up)
		g := newGauges(n)
		for i := range row {
			absZ, size := math.Abs(z[i]), math.Abs(grad[i])
			g.Acc[i] = (size+errA+errZ[i]*b+absZ*errB+2*(size+a+2*absZ*b))/sigma + math.Abs(exact[i])*(relSigma+3)
			g.In[i] = (2*size+2*absG+inZ[i]*b+absZ*inB)/sigma + math.Abs(exact[i])*inSigma
			g.Eta[i] = 1 + (3+3*absZ+b*(2/sigma+absZ/(2*square)))/sigma
		}
		return g
	})
	for i := range n {
		dgamma.Acc[i] += m.c(x.Rows) * products[i]
		dbeta.Acc[i] = m.c(x.Rows) * dbeta.In[i]
	}
	return dx, dgamma, dbeta
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.LayerNorm = func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
		y := reference.LayerNormRows(x, gamma, beta, eps)
		return like(y, h.one(y.Data, func(m Model) Gauges { return m.LayerNorm(x, gamma, beta, eps) }))
	}
	f.LayerNormGrad = func(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma, dbeta []float64) {
		dx, dgamma, dbeta = reference.LayerNormRowsGrad(x, gamma, eps, dy)
		y := h(call{out: [][]float64{dx.Data, dgamma, dbeta}, own: func(m Model) []Gauges {
			gx, gg, gb := m.LayerNormGrad(x, gamma, eps, dy)
			return []Gauges{gx, gg, gb}
		}})
		return like(dx, y[0]), y[1], y[2]
	}
})

// Rows are independent; the gradients of gamma and beta are sums of all.
var _ = cut("layernorm", byRows)
