package optimized

import "math"

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
	if cap(g.moments) < rows {
		g.moments = make([]moments, rows)
	}
	g.moments = g.moments[:rows]
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
