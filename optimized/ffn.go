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

// apply computes the rows of y from those of x; the two may be the same slice.
func (l *ffn) apply(y, x []float32) {
	hidden := grow(&l.hidden, len(x)/l.up.w.rows*l.up.w.cols)
	l.up.apply(l.gemm, hidden, x)
	l.act.apply(l.team, hidden, hidden)
	l.down.apply(l.gemm, y, hidden)
}

// ffnOp is the op ffn.
type ffnOp struct{ *ffn }

func newFFNOp(e *engine, a op.FFNArgs) ffnOp {
	return ffnOp{newFFN(e, weights(a.W1), a.B1.F32, weights(a.W2), a.B2.F32, a.Activation)}
}

func (k ffnOp) Run(a op.FFNArgs) error {
	k.apply(a.Y.F32, a.X.F32)
	return nil
}
