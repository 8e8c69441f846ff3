package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("clip_norm", func(f functions) op.Implementation { return op.ClipNorm(f.clipNorm) })
var _ = offer("clip_value", func(f functions) op.Implementation { return op.ClipValue(f.clipValue) })

func (f functions) clipNorm(a op.ClipNormArgs) error {
	ys, norm, err := f.ClipNorm(a.MaxNorm, a.Eps, a.G.F64)
	if err != nil {
		return err
	}
	copy(a.Y.F64, ys[0])
	a.Norm.F64[0] = norm
	return nil
}

func (f functions) clipValue(a op.ClipValueArgs) error {
	copy(a.Y.F64, f.ClipValue(a.G.F64, a.Limit))
	return nil
}
