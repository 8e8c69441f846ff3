package benchmarks

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

// Gradients of estimates: the primitives of a backward pass, with errors in what the forward pass left as well as in what comes from above.

func (x estimate) transposed() estimate {
	y := newEstimate(x.Cols, x.Rows)
	for i := range x.Rows {
		for j := range x.Cols {
			y.Data[j*y.Cols+i], y.e[j*y.Cols+i] = x.At(i, j), x.e[i*x.Cols+j]
		}
	}
	return y
}

// columns returns columns of x.
func (x estimate) columns(cols []int) estimate { return x.gather(span(0, x.Rows), cols) }

// times returns x y. The gauge is that of gauge.Linear, with c(n) = sqrt n.
func (x estimate) times(y estimate) estimate {
	z := newEstimate(x.Rows, y.Cols)
	acc := make([]float64, len(z.Data))
	growth := math.Sqrt(float64(x.Cols))
	parallel(x.Rows, func(i int) {
		own, squares := acc[i*z.Cols:(i+1)*z.Cols], z.e[i*z.Cols:(i+1)*z.Cols]
		for k := range x.Cols {
			z.part(i, 0, z.Cols).addProduct(own, 0, x.At(i, k), x.e[i*x.Cols+k], y.Row(k))
			for j, e := range y.e[k*y.Cols : (k+1)*y.Cols] {
				squares[j] += x.At(i, k) * e * x.At(i, k) * e
			}
		}
		for j := range own {
			own[j] *= growth
		}
	})
	return z.finish(acc)
}

// part returns columns lo to hi-1 of row i, in place.
func (x estimate) part(i, lo, hi int) estimate {
	lo, hi = i*x.Cols+lo, i*x.Cols+hi
	return estimate{reference.Matrix{Rows: 1, Cols: hi - lo, Data: x.Data[lo:hi]}, x.e[lo:hi]}
}

// columnSums returns the sums over the rows.
func (x estimate) columnSums() estimate {
	y, acc := newEstimate(1, x.Cols), make([]float64, x.Cols)
	for at, v := range x.Data {
		j := at % x.Cols
		y.Data[j] += v
		y.e[j] += x.e[at] * x.e[at]
		acc[j] += math.Abs(v) * math.Sqrt(float64(x.Rows))
	}
	return y.finish(acc)
}

// flip returns the transpose of a matrix of weights.
func flip(w op.Tensor) op.Tensor {
	rows, cols := w.Shape[0], w.Shape[1]
	t := op.New(op.F32, cols, rows)
	for i := range rows {
		for j := range cols {
			t.F32[j*rows+i] = w.F32[i*cols+j]
		}
	}
	return t
}

// back returns dy W^T.
func (dy estimate) back(w op.Tensor) estimate {
	return dy.linear(flip(w), op.Tensor{}, span(0, w.Shape[0]))
}

// activateGrad returns act'(x) dy. The second derivative is a difference quotient, and 0 for ReLU.
func (x estimate) activateGrad(act reference.Activation, dy estimate) estimate {
	const h = 1e-4
	ones, shifted := reference.NewMatrix(x.Rows, x.Cols), reference.NewMatrix(x.Rows, x.Cols)
	for i, v := range x.Data {
		ones.Data[i], shifted.Data[i] = 1, v+h
	}
	dx := estimate{act.ApplyGrad(x.Matrix, dy.Matrix), make([]float64, len(x.e))}
	slopes, beyond := act.ApplyGrad(x.Matrix, ones), act.ApplyGrad(shifted, ones)
	for i, slope := range slopes.Data {
		curve := 0.0
		if act != reference.ActReLU {
			curve = (beyond.Data[i] - slope) / h
		}
		above, below := slope*dy.e[i], curve*dy.Data[i]*x.e[i]
		dx.e[i] = above*above + below*below
	}
	return dx.finish(gauge.ActivateGrad(act, x.Matrix, dy.Matrix).Acc)
}

// layerNormGrad returns the gradients of LayerNorm of each row. With g = dy gamma, z the normalised row, a = mean g and b = mean gz,
//
//	dx_i = (g_i - a - z_i b) / sigma
//	     of g: (1_ij - (1 + z_i z_j)/d) / sigma
//	     of x: (-b 1_ij + (b + a z_i + (2 b z_i - sigma dx_i) z_j - z_i g_j)/d) / sigma^2
//	z_i  of x: as in layerNorm
func (x estimate) layerNormGrad(gamma []float64, eps float64, dy estimate) (dx, dgamma, dbeta estimate) {
	var dg, db []float64
	dx.Matrix, dg, db = reference.LayerNormRowsGrad(x.Matrix, gamma, eps, dy.Matrix)
	dx.e = make([]float64, len(x.e))
	dgamma, dbeta = estimate{row(dg), make([]float64, x.Cols)}, estimate{row(db), make([]float64, x.Cols)}
	for t := range x.Rows {
		moved := x.normMoments(t, gamma, eps, dy)
		for i := range x.Cols {
			at := t*x.Cols + i
			dx.e[at] = moved.gradient(i, dx.Data[at])
			up, below := moved.z[i]*dy.e[at], dy.Data[at]
			dgamma.e[i] += up*up + below*below*moved.normalised(i)
			dbeta.e[i] += dy.e[at] * dy.e[at]
		}
	}
	ownX, ownGamma, ownBeta := gauge.Random.LayerNormGrad(x.Matrix, gamma, eps, dy.Matrix)
	return dx.finish(ownX.Acc), dgamma.finish(ownGamma.Acc), dbeta.finish(ownBeta.Acc)
}

func row(x []float64) reference.Matrix { return reference.Matrix{Rows: 1, Cols: len(x), Data: x} }

// normMoments are what the errors of a row and of its upstream gradient do to LayerNorm and its gradient.
type normMoments struct {
	z, g, ex, eg          []float64 // eg: errors of g
	a, b, sigma           float64
	s0, s1, s2            float64 // sums of ex^2, ex^2 z, ex^2 z^2
	sg, sgg, sgz          float64 // sums of ex^2 g, ex^2 g^2, ex^2 g z
	above0, above1, above float64 // sums of eg^2, eg^2 z, eg^2 z^2
}

func (x estimate) normMoments(t int, gamma []float64, eps float64, dy estimate) normMoments {
	n := float64(x.Cols)
	lo, hi := t*x.Cols, (t+1)*x.Cols
	m := normMoments{ex: x.e[lo:hi], eg: make([]float64, x.Cols), g: make([]float64, x.Cols)}
	mean, variance := 0.0, 0.0
	for _, v := range x.Row(t) {
		mean += v / n
	}
	for _, v := range x.Row(t) {
		variance += (v - mean) * (v - mean) / n
	}
	m.sigma = math.Sqrt(variance + eps)
	for i, v := range x.Row(t) {
		z, g, e := (v-mean)/m.sigma, dy.At(t, i)*gamma[i], gamma[i]*dy.e[lo+i]
		m.z, m.g[i], m.eg[i] = append(m.z, z), g, e
		m.a += g / n
		m.b += g * z / n
		square := m.ex[i] * m.ex[i]
		m.s0, m.s1, m.s2 = m.s0+square, m.s1+square*z, m.s2+square*z*z
		m.sg, m.sgg, m.sgz = m.sg+square*g, m.sgg+square*g*g, m.sgz+square*g*z
		m.above0, m.above1, m.above = m.above0+e*e, m.above1+e*e*z, m.above+e*e*z*z
	}
	return m
}

// normalised returns the variance of z_i.
func (m normMoments) normalised(i int) float64 {
	n, z, square := float64(len(m.z)), m.z[i], m.ex[i]*m.ex[i]
	return max(0, square*(1-2*(1+z*z)/n)+(m.s0+2*z*m.s1+z*z*m.s2)/(n*n)) / (m.sigma * m.sigma)
}

// gradient returns the variance of dx_i.
func (m normMoments) gradient(i int, dx float64) float64 {
	n, z, g := float64(len(m.z)), m.z[i], m.g[i]
	square := m.eg[i] * m.eg[i]
	above := square*(1-2*(1+z*z)/n) + (m.above0+2*z*m.above1+z*z*m.above)/(n*n)
	alpha, beta := m.b+m.a*z, 2*m.b*z-m.sigma*dx
	square = m.ex[i] * m.ex[i]
	below := m.b*m.b*square - 2*m.b*square*(alpha+beta*z-z*g)/n +
		(alpha*alpha*m.s0+beta*beta*m.s2+z*z*m.sgg+2*alpha*beta*m.s1-2*alpha*z*m.sg-2*beta*z*m.sgz)/(n*n)
	return max(0, above)/(m.sigma*m.sigma) + max(0, below)/(m.sigma*m.sigma*m.sigma*m.sigma)
}

// lossGrad returns the gradients of weight times the cross-entropy of each row, dx_j = weight (p_j - 1[j=t]), dp_j = p_j (de_j - sum p de).
func (x estimate) lossGrad(targets []int64, weight float64) estimate {
	dx := newEstimate(x.Rows, x.Cols)
	acc := make([]float64, len(dx.Data))
	parallel(x.Rows, func(i int) {
		lo := i * x.Cols
		copy(dx.Row(i), reference.CrossEntropyGrad(x.Row(i), int(targets[i]), weight))
		p, mean := reference.Softmax(x.Row(i)), 0.0
		for j, e := range x.e[lo : lo+x.Cols] {
			mean += p[j] * e * p[j] * e
		}
		for j, e := range x.e[lo : lo+x.Cols] {
			dx.e[lo+j] = weight * weight * p[j] * p[j] * max(0, e*e*(1-2*p[j])+mean)
		}
		copy(acc[lo:], gauge.Random.CrossEntropyGrad(x.Row(i), int(targets[i]), weight).Acc)
	})
	return dx.finish(acc)
}
