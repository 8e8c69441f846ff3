package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("init", func(f functions) op.Implementation { return op.Init(f.init) })

func (f functions) init(a op.InitArgs) error {
	w, err := f.Init(ints(a.Draws), a.W.Shape[0], a.W.Shape[1], reference.InitConfig{
		Scheme: reference.InitScheme(a.Scheme), Gain: a.Gain, FanOut: a.Mode == "fan_out", A: a.A, Std: a.Std, Layers: a.Layers,
	})
	store(a.W.F64, w)
	return err
}
