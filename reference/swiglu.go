package reference

import "math"

// SiLU returns the sigmoid-weighted linear unit (Hendrycks and Gimpel 2016), which is Swish with beta = 1 (Shazeer 2020, section 1)
//
//	silu(z) = z / (1 + exp(-z))
//
// Nothing cancels. Where exp(-z) overflows, below z = -709.8, the result is -0 in the place of a number below 1e-305.
//
// Special cases: SiLU(+Inf) = +Inf; SiLU(-Inf) = NaN, -Inf/Inf and not the limit; SiLU(NaN) = NaN.
func SiLU(z float64) float64 { return z / (1 + math.Exp(-z)) }

// SiLUGrad returns the gradient of SiLU, z s(z) with s(z) = 1 / (1 + exp(-z)), from that of its result
//
//	dz = s (1 + z (1 - s)) dy        1 - s = 1 / (1 + exp(z))
//
// With the last form 1 - s does not cancel. Special cases: NaN at both infinities, where it is 0 * Inf, and at NaN; finite elsewhere.
func SiLUGrad(z, dy float64) float64 {
	s, t := 1/(1+math.Exp(-z)), 1/(1+math.Exp(z))
	return s * (1 + float64(z*t)) * dy
}

// Gate returns the product of a value and of what SiLU makes of its gate, element by element (Shazeer 2020, eq. 5)
//
//	h = silu(a) c        a and c [T,F] -> h [T,F]
func Gate(a, c Matrix) Matrix {
	require(a.Rows == c.Rows && a.Cols == c.Cols, "Gate: a is %dx%d, c is %dx%d", a.Rows, a.Cols, c.Rows, c.Cols)
	h := NewMatrix(a.Rows, a.Cols)
	for i, z := range a.Data {
		h.Data[i] = SiLU(z) * c.Data[i]
	}
	return h
}

// GateGrad returns the gradients of Gate, h = silu(a) c, from that of its result
//
//	da = silu'(a) (c dh)
//	dc = silu(a) dh        dh [T,F] -> da and dc [T,F]
func GateGrad(a, c, dh Matrix) (da, dc Matrix) {
	require(a.Rows == dh.Rows && a.Cols == dh.Cols, "GateGrad: a is %dx%d, dh is %dx%d", a.Rows, a.Cols, dh.Rows, dh.Cols)
	da = NewMatrix(a.Rows, a.Cols)
	for i, z := range a.Data {
		da.Data[i] = SiLUGrad(z, c.Data[i]*dh.Data[i])
	}
	return da, Gate(a, dh)
}

// SwiGLUWeights are W1 [d,F] and B1 [F] of the gate, W3 [d,F] and B3 [F] of the value, W2 [F,d] and B2 [d]. A nil bias is absent.
type SwiGLUWeights struct {
	W1, W3, W2 Matrix
	B1, B3, B2 []float64
}

// Parameters returns the data of every weight, in the order of SPEC.md's table; nil for one that is absent.
func (w SwiGLUWeights) Parameters() [][]float64 {
	return [][]float64{w.W1.Data, w.B1, w.W3.Data, w.B3, w.W2.Data, w.B2}
}

// SwiGLU returns the feed-forward layer with a gated hidden layer (Shazeer 2020, eq. 6)
//
//	y = (silu(x W1 + b1) * (x W3 + b3)) W2 + b2        x [T,d] -> y [T,d]
func (p Primitives) SwiGLU(x Matrix, w SwiGLUWeights) Matrix {
	return p.Linear(p.Gate(p.Linear(x, w.W1, w.B1), p.Linear(x, w.W3, w.B3)), w.W2, w.B2)
}

// SwiGLUGrad returns the gradients of SwiGLU from that of its result. With a = x W1 + b1, c = x W3 + b3 and h = silu(a) c, from the last
// step to the first:
//
//	dh, dW2, db2 = those of Linear at y = h W2 + b2
//	da, dc       = those of Gate at h
//	dx, dW1, db1 = those of Linear at a = x W1 + b1
//	dx, dW3, db3 = those of Linear at c = x W3 + b3        the two dx add: dy [T,d] -> dx [T,d]
func (p Primitives) SwiGLUGrad(x Matrix, w SwiGLUWeights, dy Matrix) (dx Matrix, dw SwiGLUWeights) {
	a, c := p.Linear(x, w.W1, w.B1), p.Linear(x, w.W3, w.B3)

	dh, dW2, dB2 := p.LinearGrad(p.Gate(a, c), w.W2, w.B2, dy)
	da, dc := p.GateGrad(a, c, dh)
	dxa, dW1, dB1 := p.LinearGrad(x, w.W1, w.B1, da)
	dxc, dW3, dB3 := p.LinearGrad(x, w.W3, w.B3, dc)
	return p.Add(dxa, dxc), SwiGLUWeights{W1: dW1, B1: dB1, W3: dW3, B3: dB3, W2: dW2, B2: dB2}
}
