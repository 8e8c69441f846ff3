package optimized

import "github.com/assaykit/assay/conformance/op"

// ffn is the feed-forward layer act(x w1 + b1) w2 + b2.
type ffn struct {
	*engine
	up, down *linear
	act      activation
}

func newFFN(e *engine, w1 view, b1 []float32, w2 view, b2 []float32, act string) *ffn {
	return &ffn{engine: e, up: newLinear(e, w1, b1), down: newLinear(e, w2, b2), act: activations[act]}
}

// ffnTape is what a forward pass leaves for the gradient.
type ffnTape struct {
	keep        bool // sums, which otherwise are overwritten by their activations
	sums, acted []float32
}

// apply computes the rows of y from those of x; the two may be the same slice.
func (l *ffn) apply(y, x []float32, t *ffnTape) {
	n := len(x) / l.up.w.rows * l.up.w.cols
	sums := grow(&t.sums, n)
	acted := sums
	if t.keep {
		acted = grow(&t.acted, n)
	}
	l.up.apply(l.gemm, sums, x)
	l.act.apply(l.team, acted, sums)
	l.down.apply(l.gemm, y, acted)
}

// ffnGrads are the gradients of an ffn's parameters.
type ffnGrads struct{ w1, b1, w2, b2 []float32 }

// backward computes the rows of dx from those of dy, which may be the same slice, and adds to the gradients of the weights.
func (l *ffn) backward(dx []float32, g ffnGrads, x, dy []float32, t *ffnTape) {
	hidden := grow(&l.grad.hidden, len(t.sums))
	l.down.backward(l.engine, hidden, g.w2, g.b2, t.acted, dy)
	l.team.gradRows(hidden, t.sums, hidden, 1, 2*l.act.cost, l.act.grad)
	l.up.backward(l.engine, dx, g.w1, g.b1, x, hidden)
}

var _ = register("ffn", withEngine(newFFNOp))

func newFFNOp(e *engine, a op.FFNArgs) runner[op.FFNArgs] {
	l := newFFN(e, weights(a.W1), a.B1.F32, weights(a.W2), a.B2.F32, a.Activation)
	return func(a op.FFNArgs) error {
		l.apply(a.Y.F32, a.X.F32, &e.tape.ffn)
		return nil
	}
}

var _ = register("ffn.grad", withGradients(newFFNGradOp))

// ffnGradOp is the op ffn.grad: a forward pass into y, which nobody reads, and the gradient.
type ffnGradOp struct {
	*ffn
	y []float32
}

func newFFNGradOp(e *engine, a op.FFNGradArgs) *ffnGradOp {
	e.tape.ffn.keep = true
	return &ffnGradOp{ffn: newFFN(e, weights(a.W1), a.B1.F32, weights(a.W2), a.B2.F32, a.Activation)}
}

func (k *ffnGradOp) Run(a op.FFNGradArgs) error {
	zero(a.DW1, a.DB1, a.DW2, a.DB2)
	k.apply(grow(&k.y, a.X.Len()), a.X.F32, &k.tape.ffn)
	k.backward(a.DX.F32, ffnGrads{a.DW1.F32, a.DB1.F32, a.DW2.F32, a.DB2.F32}, a.X.F32, a.DY.F32, &k.tape.ffn)
	return nil
}
