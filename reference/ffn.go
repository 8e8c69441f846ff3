package reference

// FFNWeights are W1 [d,F], B1 [F], W2 [F,d], B2 [d]. A nil bias is absent.
type FFNWeights struct {
	W1, W2 Matrix
	B1, B2 []float64
}

// FFN returns the position-wise feed-forward layer (Vaswani et al. 2017, section 3.3)
//
//	y = act(x W1 + b1) W2 + b2        x [T,d] -> y [T,d]
func (p Primitives) FFN(x Matrix, w FFNWeights, act Activation) Matrix {
	return p.Linear(p.Activate(act, p.Linear(x, w.W1, w.B1)), w.W2, w.B2)
}
