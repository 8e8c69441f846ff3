package mutant

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// ffnParts are the decisions in which a feed-forward layer goes wrong.
type ffnParts struct {
	activation func(name string) string
	amendFFN   func(w *feedForward)

	slopeAt func(before, after float32) float32 // where the activation's slope is taken
	hidden2 func(before, after matrix) matrix   // what the second layer of the feed-forward was given
}

var _ = parts(func(p *plain) {
	p.ffnParts = ffnParts{
		activation: func(name string) string { return name },
		amendFFN:   func(*feedForward) {},
		slopeAt:    func(before, _ float32) float32 { return before }, hidden2: func(_, after matrix) matrix { return after },
	}
})

var _ = offer((*plain).ffnOp)

func (p *plain) ffnOp(a op.FFNArgs) error {
	w := feedForward{rowsOf(a.W1), rowsOf(a.W2), a.B1.F32, a.B2.F32, a.Activation}
	copy(a.Y.F32, p.ffn(rowsOf(a.X), w).data)
	return nil
}

// feedForward are the weights of a feed-forward layer.
type feedForward struct {
	w1, w2     matrix
	b1, b2     []float32
	activation string
}

func (p *plain) ffn(x matrix, w feedForward) matrix {
	p.amendFFN(&w)
	return p.linear(p.activated(p.linear(x, w.w1, w.b1), p.activation(w.activation)), w.w2, w.b2)
}

// activated returns what an activation makes of each element.
func (p *plain) activated(x matrix, name string) matrix {
	act := map[string]func(float32) float32{"relu": p.relu, "gelu": p.geluErf, "gelu_tanh": p.geluTanh}[name]
	y := newMatrix(x.rows, x.cols)
	for i := range y.data {
		y.data[i] = p.store(act(x.data[i]))
	}
	return y
}

var _ = offer((*plain).ffnGradOp)

func (p *plain) ffnGradOp(a op.FFNGradArgs) error {
	w := feedForward{rowsOf(a.W1), rowsOf(a.W2), a.B1.F32, a.B2.F32, a.Activation}
	var g blockGrads
	dx := p.ffnGrad(rowsOf(a.X), rowsOf(a.DY), w, &g)
	p.amendGrads(&g)
	p.giveAll([]op.Tensor{a.DW1, a.DB1, a.DW2, a.DB2}, g.ffn())
	p.give(a.DX, dx.data)
	return nil
}

func (p *plain) ffnGrad(x, dy matrix, w feedForward, g *blockGrads) matrix {
	p.amendFFN(&w)
	name := p.activation(w.activation)
	times := func(slope func(float32) float32) func(x, dy float32) float32 {
		return func(x, dy float32) float32 { return dy * slope(x) }
	}
	back := map[string]func(x, dy float32) float32{"relu": p.reluGrad, "gelu": times(p.geluErfSlope), "gelu_tanh": times(p.geluTanhSlope)}[name]
	before := p.linear(x, w.w1, w.b1)
	after := p.activated(before, name)
	var dh, dx matrix
	dh, g.w2, g.b2 = p.linearGrad(p.hidden2(before, after), w.w2, dy, w.b2)
	for i := range dh.data {
		dh.data[i] = p.store(back(p.slopeAt(before.data[i], after.data[i]), dh.data[i]))
	}
	dx, g.w1, g.b1 = p.linearGrad(x, w.w1, dh, w.b1)
	return dx
}

var _ = plant([]bug{
	{"ffn-tanh-for-erf", "ffn", "FFN-2", "Computes the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErf = geluTanh }},
	{"ffn-erf-for-tanh", "ffn", "FFN-2", "Computes the erf form of GELU for the tanh form.", "", func(p *plain) { p.geluTanh = geluErf }},
	{"ffn-activation-ignored", "ffn", "FFN-2", "Computes GELU where ReLU is wanted.", "", func(p *plain) {
		p.activation = func(name string) string {
			if name == "relu" {
				return "gelu"
			}
			return name
		}
	}},
	{"ffn-first-bias-missing", "ffn", "FFN-1", "Does not add b1.", "", func(p *plain) { p.amendFFN = func(w *feedForward) { w.b1 = nil } }},
	{"ffn-second-bias-missing", "ffn", "FFN-1", "Does not add b2.", "", func(p *plain) { p.amendFFN = func(w *feedForward) { w.b2 = nil } }},
})

var _ = plant([]bug{
	{"ffn-grad-slope-at-result", "ffn.grad", "GRAD-24", "Takes the slope of the activation at its result.", "", func(p *plain) {
		p.slopeAt = func(_, after float32) float32 { return after }
	}},
	{"ffn-grad-weights-before-activation", "ffn.grad", "GRAD-24", "Multiplies by what the activation was given in dw2.", "", func(p *plain) {
		p.hidden2 = func(before, _ matrix) matrix { return before }
	}},
	{"ffn-grad-activation-passed", "ffn.grad", "GRAD-24", "Passes the gradient through the activation unchanged.", "", func(p *plain) {
		p.reluGrad = func(_, dy float32) float32 { return dy }
		p.geluErfSlope = func(float32) float32 { return 1 }
		p.geluTanhSlope = func(float32) float32 { return 1 }
	}},
	{"ffn-grad-tanh-for-erf", "ffn.grad", "GRAD-24", "Differentiates the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErfSlope = geluTanhSlope }},
	{"ffn-grad-erf-for-tanh", "ffn.grad", "GRAD-24", "Differentiates the erf form of GELU for the tanh form.", "", func(p *plain) { p.geluTanhSlope = geluErfSlope }},
	{"ffn-grad-first-bias-last-row", "ffn.grad", "GRAD-24", "Takes the gradients of the biases at the last position.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return slices.Clone(dy.row(dy.rows - 1)) }
	}},
	{"ffn-grad-bias-required", "ffn.grad", "GRAD-2", "Does not compute dw1 where there is no bias.", "", amended(func(_ *plain, g *blockGrads) {
		if g.b1 == nil {
			g.w1.data = zeros(g.w1.data)
		}
	})},
})
