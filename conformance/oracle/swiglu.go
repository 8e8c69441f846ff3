package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Gate gauges y = silu(a) c, element by element. With s = 1 / (1 + exp(-a)):
//
//	Acc = |y| (3 + (1 - s) (|a| + eps))
//	In  = |c silu'(a) a| + |y|
//	Eta = 1 + |c| (1 + m)                    m = |a| where a < 0, at most 745; else 0
//
// The 3 are the sum and the quotient of s, and the first product. What exp commits, and the rounding of its argument where it is a power of
// 2, reaches s with the factor 1 - s. Where s underflows, a c multiplies it; beyond -745 it is 0 in float64, too.
func Gate(a, c reference.Matrix) Gauges {
	g := newGauges(len(a.Data))
	for i, z := range a.Data {
		_, t := sigmoid(z)
		v := math.Abs(c.Data[i])
		y := math.Abs(reference.SiLU(z)) * v
		g.Acc[i] = y * (3 + t*(math.Abs(z)+eps))
		g.In[i] = math.Abs(reference.SiLUGrad(z, v*z)) + y
		g.Eta[i] = 1 + v*(1+gone(z))
	}
	return g
}

// GateGrad gauges da = silu'(a) c dh, element by element; dc = silu(a) dh is gauged as Gate is. With t = 1 - s and
// E_s = s (t (|a| + eps) + 2):
//
//	Acc = |c dh| (E_s (1 + |a|) + 3 s t |a|) + 3 |da|
//	In  = 2 |da| + |c dh| s t |a (2 + a (t - s))|
//	Eta = 2 + |c| + |dh| + |c dh| (3 + m)
//
// silu' is s (1 + a t) or s + silu(a) t. E_s counts by itself, by s |a| through t, and by t |a| through what t multiplies; s + t = 1. The
// next term is the roundings of t, which may be 1 - s, and of its products; the last is the sum and the products with c and dh. Where t is
// below 2^-60, s is 1 in every format and t is 0.
func GateGrad(a, c, dh reference.Matrix) (da, dc Gauges) {
	g := newGauges(len(a.Data))
	for i, z := range a.Data {
		s, t := sigmoid(z)
		abs, up := math.Abs(z), math.Abs(c.Data[i]*dh.Data[i])
		grad := math.Abs(reference.SiLUGrad(z, up))
		g.Acc[i], g.In[i] = 3*grad, 2*grad
		if t > 0x1p-60 {
			g.Acc[i] += up * s * ((t*(abs+eps)+2)*(1+abs) + 3*t*abs)
			g.In[i] += up * s * t * math.Abs(z*(2+z*(t-s)))
		}
		g.Eta[i] = 2 + math.Abs(c.Data[i]) + math.Abs(dh.Data[i]) + up*(3+gone(z))
	}
	return g, Gate(a, dh)
}

// sigmoid returns s = 1 / (1 + exp(-z)) and 1 - s.
func sigmoid(z float64) (s, t float64) { return 1 / (1 + math.Exp(-z)), 1 / (1 + math.Exp(z)) }

// gone is what multiplies the sigmoid of z where it underflows: m above.
func gone(z float64) float64 { return max(0, min(-z, 745)) }

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Gate = func(a, c reference.Matrix) reference.Matrix {
		return like(a, h.one(reference.Gate(a, c).Data, func(Model) Gauges { return Gate(a, c) }))
	}
	f.GateGrad = func(a, c, dh reference.Matrix) (da, dc reference.Matrix) {
		da, dc = reference.GateGrad(a, c, dh)
		y := h(call{out: [][]float64{da.Data, dc.Data}, own: func(Model) []Gauges {
			ga, gc := GateGrad(a, c, dh)
			return []Gauges{ga, gc}
		}})
		return like(da, y[0]), like(dc, y[1])
	}
})

// Rows are independent.
var _ = cut("swiglu", byRows)
