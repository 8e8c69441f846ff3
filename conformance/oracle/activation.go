package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

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

// ActivateGrad gauges dx = act'(x) dy, element by element.
//
//	relu:  Acc = 0, In = |dx|, Eta = 0
//	gelu:  Acc = |dy| (1 + |erf| + |x| exp(-x^2/2) + |x| phi (x^2 + eps + 3) + |act'|)
//	tanh:  Acc = |dy| (1 + |tanh u| + 5/2 |u| (1 - tanh^2 u) + 1/2 |x u'| ((2 eps + 1) tanh^2 u + (10 |u| + 6) (1 - tanh^2 u)) + |act'|)
//	       In  = |dy| (|act'| + |act'' x|) and Eta = 1 + |dy| (3 + M) for both
//
// The first two terms are the error of the function and of 1 + erf or 1 + tanh, which cancels for negative x, and the rounding of its
// argument: see Activate. The next is x phi(x), whose exponent is rounded, or the second product of the tanh form, where 1 - tanh^2 may
// cancel. M multiplies exp(-x^2/2) or 1 - tanh^2 u where they underflow: |x|, at most 40, and |x u'|/2, at most 1000, since they are 0 in
// float64 beyond.
func ActivateGrad(a reference.Activation, x, dy reference.Matrix) Gauges {
	g := newGauges(len(x.Data))
	for i, v := range x.Data {
		abs, up := math.Abs(v), math.Abs(dy.Data[i])
		multiplier := min(abs, 40)
		if math.IsInf(abs, 0) { // an exact limit
			g.In[i] = up
			continue
		}
		switch a {
		case reference.ActReLU:
			g.In[i] = math.Abs(reference.ReLUGrad(v, up))
			continue
		case reference.ActGELU:
			phi := math.Exp(-v*v/2) / math.Sqrt(2*math.Pi)
			slope := math.Abs(reference.GELUGrad(v, 1))
			g.Acc[i], g.In[i] = up*(1+math.Abs(math.Erf(v/math.Sqrt2))+slope), up*slope
			if phi != 0 { // where it is 0, x^2 may overflow
				g.Acc[i] += up * abs * phi * (math.Sqrt(2*math.Pi) + v*v + eps + 3)
				g.In[i] += up * phi * math.Abs(v*(2-v*v))
			}
		case reference.ActGELUTanh:
			const k = 0.044715
			root := math.Sqrt(2 / math.Pi)
			u, du, ddu := root*(v+k*v*v*v), root*(1+3*k*v*v), root*6*k*v
			up2, down2 := 1/(1+math.Exp(-2*u)), 1/(1+math.Exp(2*u))
			t, sech2 := up2-down2, 4*up2*down2
			slope := math.Abs(reference.GELUTanhGrad(v, 1))
			multiplier = min(math.Abs(v*du)/2, 1000)
			g.Acc[i], g.In[i] = up*(1+math.Abs(t)+slope), up*slope
			if sech2 > 0x1p-60 { // beyond, tanh is 1 in every format, and what multiplies 1 - tanh^2 may overflow
				g.Acc[i] += up * (2.5*math.Abs(u)*sech2 + math.Abs(v*du)/2*((2*eps+1)*t*t+(10*math.Abs(u)+6)*sech2))
				g.In[i] += up * abs * math.Abs(du*sech2+v/2*sech2*(ddu-2*t*du*du))
			}
		}
		g.Eta[i] = 1 + up*(3+multiplier)
	}
	return g
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Activate = func(a reference.Activation, x reference.Matrix) reference.Matrix {
		return like(x, h.one(a.Apply(x).Data, func(Model) Gauges { return Activate(a, x) }))
	}
	f.ActivateGrad = func(a reference.Activation, x, dy reference.Matrix) reference.Matrix {
		return like(x, h.one(a.ApplyGrad(x, dy).Data, func(Model) Gauges { return ActivateGrad(a, x, dy) }))
	}
})

// Elements are independent.
var _, _, _, _ = cut("relu", byRows), cut("relu.grad", byRows), cut("gelu", byRows), cut("gelu.grad", byRows)
