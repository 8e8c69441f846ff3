package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("layernorm", func(f functions) op.Implementation { return op.LayerNorm(f.layerNorm) })
var _ = offer("layernorm.grad", func(f functions) op.Implementation { return op.LayerNormGrad(f.layerNormGrad) })

func (f functions) layerNorm(a op.LayerNormArgs) error {
	store(a.Y.F64, f.LayerNorm(matrix(a.X), a.Gamma.F64, a.Beta.F64, a.Eps))
	return nil
}

func (f functions) layerNormGrad(a op.LayerNormGradArgs) error {
	dx, dgamma, dbeta := f.LayerNormGrad(matrix(a.X), a.Gamma.F64, a.Eps, matrix(a.DY))
	store(a.DX.F64, dx)
	copy(a.DGamma.F64, dgamma)
	copy(a.DBeta.F64, dbeta)
	return nil
}
