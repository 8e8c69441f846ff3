package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// RMSNorm gauges each row of y = x/r gamma, r^2 = ms + eps. With z = x/r:
//
//	rel = (c(n) + 1) ms / (2 r^2) + 2                  of r: the sum of squares and its division under the root; the sum with eps, the root
//	Acc = |gamma z| (rel + 2)                          the division and the product
//	In  = |gamma z| (2 + ms/r^2)                       x_i and gamma_i; all x through r
//	Eta = |gamma| (1 + |z|/(2 r^2)) + 1                z, the squares and the product may underflow
//
// Nothing cancels: every error of r is one of all elements, relative to them.
func (m Model) RMSNorm(x reference.Matrix, gamma []float64, eps float64) Gauges {
	return join(x.Rows, func(t int) Gauges {
		row := x.Row(t)
		n := m.rmsOf(row, eps)
		g := newGauges(len(row))
		for i, v := range row {
			size := math.Abs(gamma[i] * v / n.r)
			g.Acc[i] = size * (n.rel + 2)
			g.In[i] = size * (2 + n.share)
			g.Eta[i] = math.Abs(gamma[i])*(1+math.Abs(v/n.r)/(2*n.r*n.r)) + 1
		}
		return g
	})
}

// rms is the root of a row's mean square and how well it is known.
type rms struct{ r, rel, share float64 } // share: ms/r^2

func (m Model) rmsOf(x []float64, eps float64) rms {
	ms := mean(x, func(v float64) float64 { return v * v })
	share := 1 / (1 + eps/ms) // in a form that is 1 where the mean square is infinite
	return rms{math.Sqrt(ms + eps), (m.c(len(x))+1)*share/2 + 2, share}
}

// RMSNormGrad gauges the gradients, row by row. With g = dy gamma, z and rel as in RMSNorm, and b = mean gz:
//
//	E_z    = |z| (rel + 1)
//	E_b    = |b| (rel + 1) + (c(n) + 2) mean|gz|       r; the sum, and the rounding of g and z
//	dx:      Acc = (2 |g| + |b| E_z + |z| E_b + 2 |z b|) / r + |dx| (rel + 2) + 2 rel |z b| / r
//	dgamma:  Acc = sum_t |dy| E_z + c(T) sum_t |dy z|
//
// The last term of dx admits x b / r^3 in the place of z b / r. In follows with the errors of the inputs in the place of those of the
// arithmetic.
func (m Model) RMSNormGrad(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx, dgamma Gauges) {
	dgamma = newGauges(x.Cols)
	products := make([]float64, x.Cols) // sum_t |dy z|
	dx = join(x.Rows, func(t int) Gauges {
		row, up := x.Row(t), dy.Row(t)
		n := m.rmsOf(row, eps)
		var b, abs float64
		for i, v := range row {
			gz := up[i] * gamma[i] * v / n.r
			b += gz / float64(len(row))
			abs += math.Abs(gz) / float64(len(row))

			z, size := math.Abs(v/n.r), math.Abs(up[i])
			products[i] += size * z
			dgamma.Acc[i] += size * z * (n.rel + 1)
			dgamma.In[i] += size * z * (2 + n.share)
			dgamma.Eta[i] += 1 + size*(1+z/(2*n.r*n.r))
		}
		b = math.Abs(b)
		errB, inB := b*(n.rel+1)+(m.c(len(row))+2)*abs, abs*(3+n.share)
		exact, _ := reference.RMSNormGrad(row, gamma, eps, up)
		g := newGauges(len(row))
		for i, v := range row {
			z, size := math.Abs(v/n.r), math.Abs(up[i]*gamma[i])
			g.Acc[i] = (2*size+b*z*(n.rel+1)+z*errB+2*z*b+2*n.rel*z*b)/n.r + math.Abs(exact[i])*(n.rel+2)
			g.In[i] = (2*size+b*z*(1+n.share)+z*inB)/n.r + math.Abs(exact[i])*n.share
			g.Eta[i] = 1 + (2+2*z+b*(2+z/(2*n.r*n.r)))/n.r
		}
		return g
	})
	for i := range products {
		dgamma.Acc[i] += m.c(x.Rows) * products[i]
	}
	return dx, dgamma
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.RMSNorm = func(x reference.Matrix, gamma []float64, eps float64) reference.Matrix {
		y := reference.RMSNormRows(x, gamma, eps)
		return like(y, h.one(y.Data, func(m Model) Gauges { return m.RMSNorm(x, gamma, eps) }))
	}
	f.RMSNormGrad = func(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma []float64) {
		dx, dgamma = reference.RMSNormRowsGrad(x, gamma, eps, dy)
		y := h(call{out: [][]float64{dx.Data, dgamma}, own: func(m Model) []Gauges {
			gx, gg := m.RMSNormGrad(x, gamma, eps, dy)
			return []Gauges{gx, gg}
		}})
		return like(dx, y[0]), y[1]
	}
})

// Rows are independent; the gradient of gamma is a sum of all.
var _ = cut("rmsnorm", byRows)
