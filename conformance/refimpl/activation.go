package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("relu", func(f functions) op.Implementation {
	return op.ReLU(func(a op.ReLUArgs) error { return f.activate(a.Y, a.X, reference.ActReLU) })
})

var _ = offer("relu.grad", func(f functions) op.Implementation {
	return op.ReLUGrad(func(a op.ReLUGradArgs) error { return f.activateGrad(a.DX, a.X, a.DY, reference.ActReLU) })
})

var _ = offer("gelu", func(f functions) op.Implementation {
	return op.GELU(func(a op.GELUArgs) error { return f.activate(a.Y, a.X, gelu[a.Approximate]) })
})

var _ = offer("gelu.grad", func(f functions) op.Implementation {
	return op.GELUGrad(func(a op.GELUGradArgs) error { return f.activateGrad(a.DX, a.X, a.DY, gelu[a.Approximate]) })
})

// gelu maps the attribute approximate to the activation.
var gelu = map[string]reference.Activation{"none": reference.ActGELU, "tanh": reference.ActGELUTanh}

func (f functions) activate(y, x op.Tensor, act reference.Activation) error {
	store(y.F64, f.Activate(act, matrix(x)))
	return nil
}

func (f functions) activateGrad(dx, x, dy op.Tensor, act reference.Activation) error {
	store(dx.F64, f.ActivateGrad(act, matrix(x), matrix(dy)))
	return nil
}
