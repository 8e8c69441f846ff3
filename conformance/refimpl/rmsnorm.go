package refimpl

import "github.com/assaykit/assay/conformance/op"

var _ = offer("rmsnorm", func(f functions) op.Implementation { return op.RMSNorm(f.rmsNorm) })
var _ = offer("rmsnorm.grad", func(f functions) op.Implementation { return op.RMSNormGrad(f.rmsNormGrad) })

func (f functions) rmsNorm(a op.RMSNormArgs) error {
	store(a.Y.F64, f.RMSNorm(matrix(a.X), a.Gamma.F64, a.Eps))
	return nil
}

func (f functions) rmsNormGrad(a op.RMSNormGradArgs) error {
	dx, dgamma := f.RMSNormGrad(matrix(a.X), a.Gamma.F64, a.Eps, matrix(a.DY))
	store(a.DX.F64, dx)
	copy(a.DGamma.F64, dgamma)
	return nil
}
