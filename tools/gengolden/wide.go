package main

import "github.com/assaykit/assay/conformance/vector"

// Beyond a block. Most cases are small, so that each can be seen through, and a kernel whose tiles, pages or pieces of work have 64
// elements never meets the second of them there. Each op has cases in which every length passes 64: one element more than a block at
// least, so that what comes after the first block, and the rest that does not fill one, are there. A test holds all ops to it.

var wideFlag = vector.Flag{Name: "wide", Bug: "what lies beyond the first 64 of a dimension is left out, or taken from another block, tile, page or worker"}

// wideSamples is how many elements of a result are stored of a wide case, and wideWhole up to how many all are.
const (
	wideSamples = 256
	wideWhole   = 512
)

// withWide returns the family with its wide cases among the others.
func (f family) withWide() family {
	if len(f.wide) == 0 {
		return f
	}
	f.flags = append(f.flags[:len(f.flags):len(f.flags)], wideFlag)
	for _, c := range f.wide {
		c.flags, c.whole = wideFlag.Name, wideWhole
		if c.samples == nil {
			c.samples = func(shape []int) []int64 { return tiles(shape, wideSamples) }
		}
		f.cases = append(f.cases, c)
	}
	return f
}
