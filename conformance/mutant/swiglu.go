package mutant

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// swigluParts are the decisions in which a gated feed-forward layer goes wrong.
type swigluParts struct {
	amendSwiGLU   func(w *gatedLayer)
	silu          func(z float32) float32
	siluSlope     func(z float32) float32
	gate          func(a, c float32) float32               // of one hidden element
	gateGrad      func(a, c, dh float32) (da, dc float32)  // likewise
	gateGradInput func(ofGate, ofValue matrix) (dx matrix) // of the two layers that read x
	amendGated    func(g *gatedLayer)                      // the gradients of the weights
}

var _ = parts(func(p *plain) {
	p.swigluParts = swigluParts{
		amendSwiGLU: func(*gatedLayer) {}, silu: silu, siluSlope: siluSlope,
		gate:          func(a, c float32) float32 { return p.silu(a) * c },
		gateGrad:      func(a, c, dh float32) (da, dc float32) { return p.siluSlope(a) * c * dh, p.silu(a) * dh },
		gateGradInput: p.add,
		amendGated:    func(*gatedLayer) {},
	}
})

// gatedLayer are the weights of a gated feed-forward layer, or their gradients.
type gatedLayer struct {
	w1, w3, w2 matrix
	b1, b3, b2 []float32
}

func gatedOf(w1, b1, w3, b3, w2, b2 op.Tensor) gatedLayer {
	return gatedLayer{rowsOf(w1), rowsOf(w3), rowsOf(w2), b1.F32, b3.F32, b2.F32}
}

// silu is z / (1 + exp(-z)).
func silu(z float32) float32 { return z / (1 + exp32(-z)) }

// siluSlope is s (1 + z (1 - s)), s = 1 / (1 + exp(-z)).
func siluSlope(z float32) float32 {
	s := sigmoid(z)
	return s * (1 + float32(z*(1-s)))
}

func sigmoid(z float32) float32 { return 1 / (1 + exp32(-z)) }

// overflowing is the sigmoid whose exp overflows for large arguments.
func overflowing(z float32) float32 { return exp32(z) / (1 + exp32(z)) }

var _ = offer((*plain).swigluOp)

func (p *plain) swigluOp(a op.SwiGLUArgs) error {
	w := gatedOf(a.W1, a.B1, a.W3, a.B3, a.W2, a.B2)
	p.amendSwiGLU(&w)
	_, _, h := p.gated(rowsOf(a.X), w)
	copy(a.Y.F32, p.linear(h, w.w2, w.b2).data)
	return nil
}

// gated returns the gate, the value and their product.
func (p *plain) gated(x matrix, w gatedLayer) (a, c, h matrix) {
	a, c = p.linear(x, w.w1, w.b1), p.linear(x, w.w3, w.b3)
	h = newMatrix(a.rows, a.cols)
	for i := range h.data {
		h.data[i] = p.store(p.gate(a.data[i], c.data[i]))
	}
	return a, c, h
}

var _ = offer((*plain).swigluGradOp)

func (p *plain) swigluGradOp(args op.SwiGLUGradArgs) error {
	w, x := gatedOf(args.W1, args.B1, args.W3, args.B3, args.W2, args.B2), rowsOf(args.X)
	p.amendSwiGLU(&w)
	a, c, h := p.gated(x, w)
	var dh, ofGate, ofValue matrix
	var g gatedLayer
	dh, g.w2, g.b2 = p.linearGrad(h, w.w2, rowsOf(args.DY), w.b2)
	da, dc := newMatrix(a.rows, a.cols), newMatrix(a.rows, a.cols)
	for i := range dh.data {
		u, v := p.gateGrad(a.data[i], c.data[i], dh.data[i])
		da.data[i], dc.data[i] = p.store(u), p.store(v)
	}
	ofGate, g.w1, g.b1 = p.linearGrad(x, w.w1, da, w.b1)
	ofValue, g.w3, g.b3 = p.linearGrad(x, w.w3, dc, w.b3)
	p.amendGated(&g)
	p.giveAll([]op.Tensor{args.DW1, args.DB1, args.DW3, args.DB3, args.DW2, args.DB2},
		[][]float32{g.w1.data, g.b1, g.w3.data, g.b3, g.w2.data, g.b2})
	p.give(args.DX, p.gateGradInput(ofGate, ofValue).data)
	return nil
}

var _ = plant([]bug{
	{"swiglu-gate-missing", "swiglu", "SGL-1", "Does not multiply by the gate.", "", func(p *plain) { p.gate = func(_, c float32) float32 { return c } }},
	{"swiglu-value-missing", "swiglu", "SGL-1", "Is a feed-forward layer with SiLU for its activation: does not multiply by the value.", "", func(p *plain) {
		p.gate = func(a, _ float32) float32 { return p.silu(a) }
	}},
	{"swiglu-sum", "swiglu", "SGL-1", "Adds the value to the gate.", "", func(p *plain) {
		p.gate = func(a, c float32) float32 { return p.silu(a) + c }
	}},
	{"swiglu-sigmoid", "swiglu", "SGL-2", "Gates with the sigmoid, as the first gated linear units do.", "GLU for SwiGLU", func(p *plain) { p.silu = sigmoid }},
	{"swiglu-gelu", "swiglu", "SGL-2", "Gates with GELU.", "GEGLU for SwiGLU", func(p *plain) { p.silu = geluErf }},
	{"swiglu-beta", "swiglu", "SGL-2", "Has 1.702 for the beta of Swish.", "the sigmoid approximation of GELU", func(p *plain) {
		p.silu = func(z float32) float32 { return z / (1 + exp32(-1.702*z)) }
	}},
	{"swiglu-hard", "swiglu", "SGL-2", "Has straight pieces in the place of the sigmoid.", "hard Swish", func(p *plain) {
		p.silu = func(z float32) float32 { return z * min(max(z+3, 0), 6) / 6 }
	}},
	{"swiglu-weights-exchanged", "swiglu", "SGL-3", "Exchanges w1 and w3, with their biases.", "checkpoints that name them gate and up, or pack them in one matrix", func(p *plain) {
		p.amendSwiGLU = func(w *gatedLayer) { w.w1, w.b1, w.w3, w.b3 = w.w3, w.b3, w.w1, w.b1 }
	}},
	{"swiglu-value-activated", "swiglu", "SGL-3", "Applies SiLU to the product, and not to the gate alone.", "", func(p *plain) {
		p.gate = func(a, c float32) float32 { return p.silu(a * c) }
	}},
	{"swiglu-first-bias-missing", "swiglu", "SGL-4", "Does not add b1.", "", func(p *plain) { p.amendSwiGLU = func(w *gatedLayer) { w.b1 = nil } }},
	{"swiglu-second-bias-missing", "swiglu", "SGL-4", "Does not add b2.", "", func(p *plain) { p.amendSwiGLU = func(w *gatedLayer) { w.b2 = nil } }},
	{"swiglu-third-bias-missing", "swiglu", "SGL-4", "Does not add b3.", "", func(p *plain) { p.amendSwiGLU = func(w *gatedLayer) { w.b3 = nil } }},
	{"swiglu-biases-together", "swiglu", "SGL-4", "Adds biases only where all three are present.", "one attribute, bias, for all layers", func(p *plain) {
		p.amendSwiGLU = func(w *gatedLayer) {
			if w.b1 == nil || w.b3 == nil || w.b2 == nil {
				w.b1, w.b3, w.b2 = nil, nil, nil
			}
		}
	}},
	{"swiglu-exp-overflows", "swiglu", "SGL-5", "Has exp(z) / (1 + exp(z)) for the sigmoid: NaN for large z.", "", func(p *plain) {
		p.silu = func(z float32) float32 { return z * overflowing(z) }
	}},
	{"swiglu-tail-cut", "swiglu", "SGL-5", "Gives 0 from z = -20 on.", "", func(p *plain) {
		p.silu = func(z float32) float32 {
			if z < -20 {
				return 0
			}
			return silu(z)
		}
	}},
	{"swiglu-zero-at-minus-infinity", "swiglu", "SGL-6", "Gives 0 at -Inf: its exponential stops at the largest number.", "", func(p *plain) {
		p.silu = func(z float32) float32 { return max(z, -math.MaxFloat32) / (1 + exp32(-z)) }
	}},
	{"swiglu-nan-zero", "swiglu", "SGL-6", "Gives 0 where the gate is NaN.", "", func(p *plain) {
		p.silu = func(z float32) float32 { return withoutNaN(silu(z)) }
	}},
})

var _ = plant([]bug{
	{"swiglu-grad-slope-sigmoid", "swiglu.grad", "SGL-7", "Takes the sigmoid for the derivative of SiLU: its second term is missing.", "", func(p *plain) { p.siluSlope = sigmoid }},
	{"swiglu-grad-slope-of-sigmoid", "swiglu.grad", "SGL-7", "Takes z times the derivative of the sigmoid for that of SiLU: its first term is missing.", "", func(p *plain) {
		p.siluSlope = func(z float32) float32 { return siluSlope(z) - sigmoid(z) }
	}},
	{"swiglu-grad-slope-at-result", "swiglu.grad", "SGL-7", "Takes the derivative at the result of SiLU.", "", func(p *plain) {
		p.siluSlope = func(z float32) float32 { return siluSlope(silu(z)) }
	}},
	{"swiglu-grad-gelu", "swiglu.grad", "SGL-7", "Differentiates GELU.", "", func(p *plain) { p.siluSlope = geluErfSlope }},
	{"swiglu-grad-value-missing", "swiglu.grad", "SGL-7", "Does not multiply the gradient of the gate by the value.", "", func(p *plain) {
		p.gateGrad = func(a, _, dh float32) (da, dc float32) { return p.siluSlope(a) * dh, p.silu(a) * dh }
	}},
	{"swiglu-grad-gate-linear", "swiglu.grad", "SGL-7", "Multiplies the gradient of the value by the gate's argument, and not by SiLU of it.", "", func(p *plain) {
		p.gateGrad = func(a, c, dh float32) (da, dc float32) { return p.siluSlope(a) * c * dh, a * dh }
	}},
	{"swiglu-grad-exchanged", "swiglu.grad", "SGL-7", "Exchanges the gradients of the gate and the value.", "", func(p *plain) {
		p.gateGrad = func(a, c, dh float32) (da, dc float32) { return p.silu(a) * dh, p.siluSlope(a) * c * dh }
	}},
	{"swiglu-grad-input-of-gate", "swiglu.grad", "SGL-8", "Has only the gate's share of dx.", "", func(p *plain) {
		p.gateGradInput = func(ofGate, _ matrix) matrix { return ofGate }
	}},
	{"swiglu-grad-input-of-value", "swiglu.grad", "SGL-8", "Has only the value's share of dx: the gate counts as a constant.", "", func(p *plain) {
		p.gateGradInput = func(_, ofValue matrix) matrix { return ofValue }
	}},
	{"swiglu-grad-weights-exchanged", "swiglu.grad", "SGL-8", "Exchanges dw1 and dw3.", "", func(p *plain) {
		p.amendGated = func(g *gatedLayer) { g.w1, g.w3 = g.w3, g.w1 }
	}},
	{"swiglu-grad-bias-last-row", "swiglu.grad", "SGL-8", "Takes the gradients of the biases at the last position.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return slices.Clone(dy.row(dy.rows - 1)) }
	}},
	{"swiglu-grad-first-row", "swiglu.grad", "SGL-8", "Takes the first row for the sums over all.", "", everyRow(firstRow)},
	{"swiglu-grad-bias-required", "swiglu.grad", "GRAD-2", "Does not compute dw3 where the value has no bias.", "", func(p *plain) {
		p.amendGated = func(g *gatedLayer) {
			if g.b3 == nil {
				g.w3.data = zeros(g.w3.data)
			}
		}
	}},
	{"swiglu-grad-exp-overflows", "swiglu.grad", "SGL-9", "Has exp(z) / (1 + exp(z)) for the sigmoid: NaN for large z.", "", func(p *plain) {
		p.siluSlope = func(z float32) float32 { return overflowing(z) * (1 + z*(1-overflowing(z))) }
	}},
	{"swiglu-grad-limits-at-infinity", "swiglu.grad", "SGL-9", "Gives the limits, 0 and 1, for the derivative at infinities.", "", func(p *plain) {
		p.siluSlope = func(z float32) float32 {
			if z == inf || z == -inf {
				return step(z)
			}
			return siluSlope(z)
		}
	}},
})
