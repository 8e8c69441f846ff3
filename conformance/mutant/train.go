package mutant

import "github.com/assaykit/assay/conformance/op"

func (p *plain) trainingOps() []op.Implementation { return nil }
