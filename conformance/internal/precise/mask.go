package precise

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// sight is what one query may see: MSK.
type sight struct {
	position int // p, where the query stands among the keys
	causal   bool
	window   int
	hidden   func(j int) bool   // by a mask; nil: none
	bias     func(j int) number // of a float mask; nil: none
}

func (s sight) sees(j int) bool {
	ahead := j - s.position // how far ahead of the query the key is
	if s.causal && ahead > 0 {
		return false
	}
	if s.window > 0 && (ahead <= -s.window || ahead >= s.window) {
		return false
	}
	return s.hidden == nil || !s.hidden(j)
}

// masked completes what query i of a head sees by the optional mask, [1 or B, 1 or H, Tq, Tk].
func masked(s sight, mask *array, batch, head, i int) sight {
	if mask == nil {
		return s
	}
	b, h := batch%mask.dim(0), head%mask.dim(1)
	start := ((b*mask.dim(1)+h)*mask.dim(2) + i) * mask.dim(3)
	if mask.DType == op.Bool {
		s.hidden = func(j int) bool { return !mask.Bool[start+j] }
		return s
	}
	s.hidden = func(j int) bool { return math.IsInf(mask.At(start+j), -1) }
	s.bias = func(j int) number { return mask.at(start + j) }
	return s
}
