package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("ffn", func(f functions) op.Implementation { return op.FFN(f.ffn) })
var _ = offer("ffn.grad", func(f functions) op.Implementation { return op.FFNGrad(f.ffnGrad) })

func (f functions) ffn(a op.FFNArgs) error {
	w := reference.FFNWeights{W1: matrix(a.W1), B1: a.B1.F64, W2: matrix(a.W2), B2: a.B2.F64}
	store(a.Y.F64, f.FFN(matrix(a.X), w, reference.Activation(a.Activation)))
	return nil
}

func (f functions) ffnGrad(a op.FFNGradArgs) error {
	w := reference.FFNWeights{W1: matrix(a.W1), B1: a.B1.F64, W2: matrix(a.W2), B2: a.B2.F64}
	dx, dw := f.FFNGrad(matrix(a.X), w, reference.Activation(a.Activation), matrix(a.DY))
	store(a.DX.F64, dx)
	sum(reference.FFNWeights{W1: matrix(a.DW1), B1: a.DB1.F64, W2: matrix(a.DW2), B2: a.DB2.F64})(dw)
	return nil
}
