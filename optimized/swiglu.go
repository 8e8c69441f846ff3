package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// swiglu is the feed-forward layer (silu(x w1 + b1) * (x w3 + b3)) w2 + b2.
type swiglu struct {
	*engine
	gate, value, down *linear
	h                 gated
}

func newSwiGLU(e *engine, a op.SwiGLUInputs) *swiglu {
	return &swiglu{engine: e, gate: newLinear(e, weights(a.W1), a.B1.F32), value: newLinear(e, weights(a.W3), a.B3.F32),
		down: newLinear(e, weights(a.W2), a.B2.F32)}
}

// hidden computes gates, values and products of the rows of x.
func (l *swiglu) hidden(x []float32) {
	n := len(x) / l.gate.w.rows * l.gate.w.cols
	l.gate.apply(l.gemm, grow(&l.h.a, n), x)
	l.value.apply(l.gemm, grow(&l.h.c, n), x)
	grow(&l.h.product, n)
	l.team.run(n, 2*costExp, &l.h)
}

// gated is the task of multiplying values c by what SiLU makes of gates a.
type gated struct{ a, c, product []float32 }

func (g *gated) do(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		z := float64(g.a[i])
		s, _ := sigmoid(z)
		g.product[i] = float32(z * s * float64(g.c[i]))
	}
}

// gatedGrad is the task of the gradients of gates and values, which replace them, from those of the products.
type gatedGrad struct{ a, c, dproduct []float32 }

func (g *gatedGrad) do(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		z, d := float64(g.a[i]), float64(g.dproduct[i])
		s, t := sigmoid(z)
		g.a[i], g.c[i] = float32(s*(1+z*t)*float64(g.c[i])*d), float32(z*s*d)
	}
}

// sigmoid returns s = 1 / (1 + e^-z) and 1 - s, neither of which cancels.
func sigmoid(z float64) (s, t float64) {
	e := expNegative(-math.Abs(z))
	if s, t = 1/(1+e), e/(1+e); z < 0 {
		return t, s
	}
	return s, t
}

var _ = register("swiglu", withEngine(newSwiGLUOp))

func newSwiGLUOp(e *engine, a op.SwiGLUArgs) runner[op.SwiGLUArgs] {
	l := newSwiGLU(e, a.SwiGLUInputs)
	return func(a op.SwiGLUArgs) error {
		l.hidden(a.X.F32)
		l.down.apply(e.gemm, a.Y.F32, l.h.product)
		return nil
	}
}

var _ = register("swiglu.grad", withGradients(newSwiGLUGradOp))

// swigluGradOp is the op swiglu.grad.
type swigluGradOp struct {
	*swiglu
	back gatedGrad
	dx   []float32 // the value's share
}

func newSwiGLUGradOp(e *engine, a op.SwiGLUGradArgs) *swigluGradOp {
	return &swigluGradOp{swiglu: newSwiGLU(e, a.SwiGLUInputs)}
}

func (k *swigluGradOp) Run(a op.SwiGLUGradArgs) error {
	zero(a.DW1, a.DB1, a.DW3, a.DB3, a.DW2, a.DB2)
	k.hidden(a.X.F32)
	n := len(k.h.product)
	k.back = gatedGrad{k.h.a, k.h.c, grow(&k.grad.hidden, n)}
	k.down.backward(k.engine, k.back.dproduct, a.DW2.F32, a.DB2.F32, k.h.product, a.DY.F32)
	k.team.run(n, 2*costExp, &k.back)
	k.gate.backward(k.engine, a.DX.F32, a.DW1.F32, a.DB1.F32, a.X.F32, k.back.a)
	k.value.backward(k.engine, grow(&k.dx, a.X.Len()), a.DW3.F32, a.DB3.F32, a.X.F32, k.back.c)
	k.team.rows(a.DX.F32, k.dx, 1, costCopy, add)
	return nil
}
