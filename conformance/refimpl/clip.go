package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

func (f Functions) clipNorm(a op.ClipNormArgs) error {
	ys, norm, err := f.ClipNorm(a.MaxNorm, a.Eps, a.G.F64)
	if err != nil {
		return err
	}
	copy(a.Y.F64, ys[0])
	a.Norm.F64[0] = norm
	return nil
}

func (f Functions) clipValue(a op.ClipValueArgs) error {
	copy(a.Y.F64, f.ClipValue(a.G.F64, a.Limit))
	return nil
}
