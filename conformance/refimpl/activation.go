package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// gelu maps the attribute approximate to the activation.
var gelu = map[string]reference.Activation{"none": reference.ActGELU, "tanh": reference.ActGELUTanh}

func (f Functions) activate(y, x op.Tensor, act reference.Activation) error {
	store(y.F64, f.Activate(act, matrix(x)))
	return nil
}

func (f Functions) activateGrad(dx, x, dy op.Tensor, act reference.Activation) error {
	store(dx.F64, f.ActivateGrad(act, matrix(x), matrix(dy)))
	return nil
}
