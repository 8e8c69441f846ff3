package mutant

import "github.com/assaykit/assay/conformance/op"

func (p *plain) textOps() []op.Implementation { return nil }
