package refimpl

import "github.com/assaykit/assay/conformance/op"

func (f Functions) gradients() []op.Implementation { return nil }
