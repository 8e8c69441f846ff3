package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("linear", func(f functions) op.Implementation { return op.Linear(f.linear) })
var _ = offer("linear.grad", func(f functions) op.Implementation { return op.LinearGrad(f.linearGrad) })

func (f functions) linear(a op.LinearArgs) error {
	store(a.Y.F64, f.Linear(matrix(a.X), matrix(a.W), a.B.F64))
	return nil
}

func (f functions) linearGrad(a op.LinearGradArgs) error {
	dx, dw, db := f.LinearGrad(matrix(a.X), matrix(a.W), a.B.F64, matrix(a.DY))
	store(a.DX.F64, dx)
	store(a.DW.F64, dw)
	copy(a.DB.F64, db)
	return nil
}
