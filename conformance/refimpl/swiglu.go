package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("swiglu", func(f functions) op.Implementation { return op.SwiGLU(f.swiglu) })
var _ = offer("swiglu.grad", func(f functions) op.Implementation { return op.SwiGLUGrad(f.swigluGrad) })

func (f functions) swiglu(a op.SwiGLUArgs) error {
	store(a.Y.F64, f.SwiGLU(matrix(a.X), swigluWeights(a.W1, a.B1, a.W3, a.B3, a.W2, a.B2)))
	return nil
}

func (f functions) swigluGrad(a op.SwiGLUGradArgs) error {
	dx, dw := f.SwiGLUGrad(matrix(a.X), swigluWeights(a.W1, a.B1, a.W3, a.B3, a.W2, a.B2), matrix(a.DY))
	store(a.DX.F64, dx)
	sum(swigluWeights(a.DW1, a.DB1, a.DW3, a.DB3, a.DW2, a.DB2))(dw)
	return nil
}

func swigluWeights(w1, b1, w3, b3, w2, b2 op.Tensor) reference.SwiGLUWeights {
	return reference.SwiGLUWeights{W1: matrix(w1), B1: b1.F64, W3: matrix(w3), B3: b3.F64, W2: matrix(w2), B2: b2.F64}
}
