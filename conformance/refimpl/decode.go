package refimpl

import "github.com/assaykit/assay/conformance/op"

func (f Functions) decoding() []op.Implementation { return nil }
