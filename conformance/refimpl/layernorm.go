package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

func (f Functions) layerNorm(a op.LayerNormArgs) error {
	store(a.Y.F64, f.LayerNorm(matrix(a.X), a.Gamma.F64, a.Beta.F64, a.Eps))
	return nil
}

func (f Functions) layerNormGrad(a op.LayerNormGradArgs) error {
	dx, dgamma, dbeta := f.LayerNormGrad(matrix(a.X), a.Gamma.F64, a.Eps, matrix(a.DY))
	store(a.DX.F64, dx)
	copy(a.DGamma.F64, dgamma)
	copy(a.DBeta.F64, dbeta)
	return nil
}
