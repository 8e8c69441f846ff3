package mutant

import "github.com/assaykit/assay/conformance/op"

func (p *plain) gradientOps() []op.Implementation { return nil }
