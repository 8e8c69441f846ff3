package mutant

import "github.com/assaykit/assay/conformance/op"

func (p *plain) decodingOps() []op.Implementation { return nil }
