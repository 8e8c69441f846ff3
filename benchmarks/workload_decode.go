package benchmarks

import "github.com/assaykit/assay/conformance/op"

func (c config) decoding(seq int) []Workload { return nil }

func (c *cost) decoding() []op.Implementation { return nil }
