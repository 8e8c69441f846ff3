package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Linear gauges y = x W + b, and a matrix product where b is nil.
//
//	Acc = c(n) (|x||W| + |b|)        n = K products, and one more term where there is a bias
//	In  = 2 |x||W| + |b|
//	Eta = K                          each product may underflow
//
// A sum of n rounded products is off by at most n u sum |x||W| in any order, and by about sqrt(n) of that where the errors are random. A
// bias may be added first or last, so it counts like a term. An input x(1+d) moves the sum by d x W, a weight likewise.
func (m Model) Linear(x, w reference.Matrix, b []float64) Gauges {
	abs := reference.MatMul(magnitudes(x), magnitudes(w))
	terms := w.Rows
	if b != nil {
		terms++
	}
	g := newGauges(len(abs.Data))
	for i, s := range abs.Data {
		bias := 0.0
		if b != nil {
			bias = math.Abs(b[i%w.Cols])
		}
		g.Acc[i] = m.c(terms) * (s + bias)
		g.In[i] = 2*s + bias
		g.Eta[i] = float64(w.Rows)
	}
	return g
}

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

// Activate gauges an activation, element by element.
//
//	relu:  Acc = 0, In = |x| where x > 0
//	gelu:  Acc = |x| (1 + |erf|) + 2|y| + x^2 exp(-x^2/2)
//	tanh:  Acc = |x| (1 + |tanh u|) + 2|y| + 5/2 |x u| (1 - tanh^2 u)
//	       In  = |y' x| for both, Eta = 3
//
// The first term is the error of the function and of 1 + erf or 1 + tanh, which cancels for negative x: the usual form is admitted. The
// second is the products. The third is the rounding of the argument, x/sqrt 2 or u, of five roundings, times the function's derivative.
func Activate(a reference.Activation, x reference.Matrix) Gauges {
	g := newGauges(len(x.Data))
	for i, v := range x.Data {
		abs := math.Abs(v)
		if math.IsInf(abs, 0) { // an exact limit
			continue
		}
		switch a {
		case reference.ActReLU:
			g.In[i] = max(v, 0)
			continue
		case reference.ActGELU:
			phi := math.Exp(-v * v / 2)
			g.Acc[i] = abs*(1+math.Abs(math.Erf(v/math.Sqrt2))) + 2*math.Abs(reference.GELU(v)) + v*v*phi
			g.In[i] = math.Abs(math.Erfc(-v/math.Sqrt2)/2+v*phi/math.Sqrt(2*math.Pi)) * abs
		case reference.ActGELUTanh:
			const k = 0.044715
			root := math.Sqrt(2 / math.Pi)
			u := root * (v + k*v*v*v)
			up, down := 1/(1+math.Exp(-2*u)), 1/(1+math.Exp(2*u)) // (1 + tanh u)/2 and (1 - tanh u)/2 without cancellation
			slope := 4 * up * down
			g.Acc[i] = abs*(1+math.Abs(up-down)) + 2*math.Abs(reference.GELUTanh(v)) + 2.5*math.Abs(v*u)*slope
			g.In[i] = math.Abs(up+v/2*slope*root*(1+3*k*v*v)) * abs
		}
		g.Eta[i] = 3
	}
	return g
}

// Sinusoid gauges sinusoidal positions, whose angles SPEC.md wants in float64 and whose result is rounded once.
//
//	Acc = 2 (1 + log 10000) |angle| 2^-29
//	Eta = 1
//
// is what two correct angles of float64 may differ by, since the exponent is rounded before the power, in units of float32's roundoff. It
// is small beside the rounding of the result, except where that result is close to 0.
func Sinusoid(pos []int, dModel int) Gauges {
	g := newGauges(len(pos) * dModel)
	for i := range g.Acc {
		t, j := i/dModel, i%dModel&^1
		angle := float64(pos[t]) / math.Pow(10000, float64(j)/float64(dModel))
		g.Acc[i] = 2 * (1 + math.Log(10000)) * angle * 0x1p-29
		g.Eta[i] = 1
	}
	return g
}
