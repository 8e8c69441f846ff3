package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// layerNorm is a normalization over rows of len(gamma) elements.
type layerNorm struct {
	gamma, beta []float32
	eps         float64
	rows        spanFunc // bound once: binding a method value allocates
}

func newLayerNorm(gamma, beta []float32, eps float64) *layerNorm {
	l := &layerNorm{gamma: gamma, beta: beta, eps: eps}
	l.rows = l.normalize
	return l
}

var _ = register("layernorm", withEngine(newLayerNormOp))

func newLayerNormOp(e *engine, a op.LayerNormArgs) runner[op.LayerNormArgs] {
	l := newLayerNorm(a.Gamma.F32, a.Beta.F32, a.Eps)
	return func(a op.LayerNormArgs) error {
		l.apply(e.team, a.Y.F32, a.X.F32)
		return nil
	}
}

// apply computes the rows of y from those of x, which may be y.
func (l *layerNorm) apply(t *team, y, x []float32) { t.rows(y, x, len(l.gamma), costMoment, l.rows) }

// normalize computes y_i = (x_i - mu) / sqrt(var + eps) * gamma_i + beta_i, with mu = mean x, var = mean (x - mu)^2, for each row of n.
// Both passes accumulate in float64, in which squares of float32 neither overflow nor vanish. NaN and infinities make the row NaN.
func (l *layerNorm) normalize(y, x []float32, n int) {
	for ; len(x) > 0; y, x = y[n:], x[n:] {
		y, x := y[:n], x[:n]
		mu := sum(x) / float64(n)
		inv := 1 / math.Sqrt(sumSquares(x, mu)/float64(n)+l.eps)
		gamma, beta := l.gamma[:n], l.beta[:n]
		for i, v := range x {
			y[i] = float32((float64(v)-mu)*inv*float64(gamma[i]) + float64(beta[i]))
		}
	}
}

var _ = register("layernorm.grad", withGradients(newLayerNormGradOp))

func newLayerNormGradOp(e *engine, a op.LayerNormGradArgs) runner[op.LayerNormGradArgs] {
	l := newLayerNorm(a.Gamma.F32, a.Beta.F32, a.Eps)
	return func(a op.LayerNormGradArgs) error {
		zero(a.DGamma, a.DBeta)
		e.grad.norm.run(l, a.DX.F32, a.DGamma.F32, a.DBeta.F32, a.X.F32, a.DY.F32)
		return nil
	}
}

// layerNormGrad is the gradient of layer normalization, whose rows it normalises anew:
//
//	dx_i    = (g_i - mean g - z_i mean(g z)) / sigma,   g_i = dy_i gamma_i,   z_i = (x_i - mu) / sigma
//	dgamma += sum over rows of dy z,   dbeta += sum over rows of dy
//
// It is two tasks: rows of dx, and columns of dgamma and dbeta, each column in the order of rows.
type layerNormGrad struct {
	team    *team
	moments []moments // by row, from the first task for the second

	// the call that runs now
	l             *layerNorm
	dx, x, dy     []float32
	dgamma, dbeta []float32
	columns       normColumns
}

// moments are a row's mean and 1 / sqrt(var + eps).
type moments struct{ mu, inv float64 }

// normColumns is the second task.
type normColumns struct{ *layerNormGrad }

// run overwrites dx, which is not dy, and adds to dgamma and dbeta.
func (g *layerNormGrad) run(l *layerNorm, dx, dgamma, dbeta, x, dy []float32) {
	n := len(l.gamma)
	rows := len(x) / n
	grow(&g.moments, rows)
	g.l, g.dx, g.x, g.dy, g.dgamma, g.dbeta = l, dx, x, dy, dgamma, dbeta
	g.columns.layerNormGrad = g
	g.team.run(rows, n*3*costMoment, g)
	g.team.run(shares(n), columnShare*rows*6, &g.columns)
	g.l, g.dx, g.x, g.dy, g.dgamma, g.dbeta = nil, nil, nil, nil, nil, nil
}

func (g *layerNormGrad) do(_, lo, hi int) {
	n := len(g.l.gamma)
	for r := lo; r < hi; r++ {
		x, dx, dy, gamma := g.x[r*n:(r+1)*n], g.dx[r*n:(r+1)*n], g.dy[r*n:(r+1)*n], g.l.gamma[:n]
		mu := sum(x) / float64(n)
		inv := 1 / math.Sqrt(sumSquares(x, mu)/float64(n)+g.l.eps)
		g.moments[r] = moments{mu, inv}
		mean, slope := 0.0, 0.0
		for i, v := range dy {
			gi := float64(v) * float64(gamma[i])
			mean += gi
			slope += gi * ((float64(x[i]) - mu) * inv)
		}
		mean /= float64(n)
		slope /= float64(n)
		for i, v := range dy {
			z := (float64(x[i]) - mu) * inv
			dx[i] = float32((float64(v)*float64(gamma[i]) - mean - z*slope) * inv)
		}
	}
}

func (c *normColumns) do(_, lo, hi int) {
	n := len(c.l.gamma)
	for share := lo; share < hi; share++ {
		first := share * columnShare
		var dgamma, dbeta [columnShare]float64
		width := min(columnShare, n-first)
		for r, m := range c.moments {
			x := c.x[r*n+first:][:width]
			for j, v := range c.dy[r*n+first:][:width] {
				dgamma[j] += float64(v) * ((float64(x[j]) - m.mu) * m.inv)
				dbeta[j] += float64(v)
			}
		}
		for j := range width {
			c.dgamma[first+j] += float32(dgamma[j])
			c.dbeta[first+j] += float32(dbeta[j])
		}
	}
}

// sum returns the sum of x, in four chains that do not wait for one another.
func sum(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(x[0])
		s1 += float64(x[1])
		s2 += float64(x[2])
		s3 += float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

// sumSquares returns the sum of (x - mu)^2.
func sumSquares(x []float32, mu float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		d0, d1, d2, d3 := float64(x[0])-mu, float64(x[1])-mu, float64(x[2])-mu, float64(x[3])-mu
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
	}
	for _, v := range x {
		d := float64(v) - mu
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}
