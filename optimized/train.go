package optimized

import "github.com/assaykit/assay/conformance/op"

func (c config) training() []op.Implementation {
	return []op.Implementation{
		op.Open(gradOpener(c, newGPTTrain)),
	}
}
