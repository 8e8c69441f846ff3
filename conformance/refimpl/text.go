package refimpl

import "github.com/assaykit/assay/conformance/op"

func (f Functions) text() []op.Implementation { return nil }
