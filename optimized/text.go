package optimized

import "github.com/assaykit/assay/conformance/op"

func (c config) text() []op.Implementation { return nil }
