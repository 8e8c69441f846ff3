package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

func (f Functions) linear(a op.LinearArgs) error {
	store(a.Y.F64, f.Linear(matrix(a.X), matrix(a.W), a.B.F64))
	return nil
}

func (f Functions) linearGrad(a op.LinearGradArgs) error {
	dx, dw, db := f.LinearGrad(matrix(a.X), matrix(a.W), a.B.F64, matrix(a.DY))
	store(a.DX.F64, dx)
	store(a.DW.F64, dw)
	copy(a.DB.F64, db)
	return nil
}
