package reference

// FFNWeights are W1 [d,F], B1 [F], W2 [F,d], B2 [d]. A nil bias is absent.
type FFNWeights struct {
	W1, W2 Matrix
	B1, B2 []float64
}

// Parameters returns the data of every weight, in the order of SPEC.md's table; nil for one that is absent.
func (w FFNWeights) Parameters() [][]float64 { return [][]float64{w.W1.Data, w.B1, w.W2.Data, w.B2} }

// FFN returns the position-wise feed-forward layer (Vaswani et al. 2017, section 3.3)
//
//	y = act(x W1 + b1) W2 + b2        x [T,d] -> y [T,d]
func (p Primitives) FFN(x Matrix, w FFNWeights, act Activation) Matrix {
	return p.Linear(p.Activate(act, p.Linear(x, w.W1, w.B1)), w.W2, w.B2)
}

// FFNGrad returns the gradients of FFN, y = act(x W1 + b1) W2 + b2, from that of its result. With h = x W1 + b1 and a = act(h), from the
// last step to the first:
//
//	da, dW2, db2 = those of Linear at y = a W2 + b2
//	dh           = act'(h) da
//	dx, dW1, db1 = those of Linear at h = x W1 + b1        dy [T,d] -> dx [T,d]
func (p Primitives) FFNGrad(x Matrix, w FFNWeights, act Activation, dy Matrix) (dx Matrix, dw FFNWeights) {
	h := p.Linear(x, w.W1, w.B1)
	a := p.Activate(act, h)

	da, dW2, dB2 := p.LinearGrad(a, w.W2, w.B2, dy)
	dh := p.ActivateGrad(act, h, da)
	dx, dW1, dB1 := p.LinearGrad(x, w.W1, w.B1, dh)
	return dx, FFNWeights{W1: dW1, B1: dB1, W2: dW2, B2: dB2}
}
