package benchmarks

import "github.com/assaykit/assay/conformance/op"

// rotary: 3 operations for each rotated feature: two products and a sum; and for each pair and position a division, a sine and a cosine.
var _ = register(part{
	costs: func(c *cost) []op.Implementation {
		count := func(a op.RotaryInputs) error {
			each := float64(a.Rotated()) / float64(a.X.Shape[3])
			return c.add(3*each*float64(a.X.Len()) + 1.5*float64(a.Rotated()*a.Pos.Len()))
		}
		return []op.Implementation{
			op.Rotary(func(a op.RotaryArgs) error { return count(a.RotaryInputs) }),
			op.RotaryGrad(func(a op.RotaryGradArgs) error { return count(a.RotaryInputs) }),
		}
	},
	every: func(c config, seq int) []Workload { return []Workload{c.rotary(seq), c.rotaryGrad(seq)} },
	sized: func() []Workload {
		c := model("gpt3-small")
		return small(c.rotary(1024), c.rotaryGrad(1024))
	},
})

// rotary turns the queries of one sequence.
func (c config) rotary(seq int) Workload {
	return c.workload("rotary", "seq", seq, op.RotaryAttrs{Pairing: "halves", RotaryDim: c.HeadDim &^ 1, Base: 10000}, nil, func(d draw) []op.Tensor {
		pos := op.Tensor{DType: op.I64, Shape: []int{1, seq}}
		for t := range seq {
			pos.I64 = append(pos.I64, int64(t))
		}
		return []op.Tensor{d.normal("x", 1, c.Heads, seq, c.HeadDim), pos}
	})
}

func (c config) rotaryGrad(seq int) Workload {
	return upstream(c.rotary(seq), 1, c.Heads, seq, c.HeadDim)
}
