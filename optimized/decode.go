package optimized

import "github.com/assaykit/assay/conformance/op"

func (c config) decoding() []op.Implementation { return nil }
