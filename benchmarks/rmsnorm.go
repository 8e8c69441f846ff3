package benchmarks

import "github.com/assaykit/assay/conformance/op"

// rmsnorm: 4 operations an element: square and add, divide, multiply. Its gradient: 3 to normalise; gamma dy, the mean of its products,
// the product with that, a difference, a division; dgamma.
var _ = register(part{
	costs: func(c *cost) []op.Implementation {
		return []op.Implementation{
			op.RMSNorm(func(a op.RMSNormArgs) error { return c.add(4 * float64(a.X.Len())) }),
			op.RMSNormGrad(func(a op.RMSNormGradArgs) error { return c.add(11 * float64(a.X.Len())) }),
		}
	},
	every: func(c config, seq int) []Workload { return []Workload{c.rmsNorm(seq), c.rmsNormGrad(seq)} },
	sized: func() []Workload {
		c := model("gpt3-small")
		return small(c.rmsNorm(1024), c.rmsNormGrad(1024))
	},
})

func (c config) rmsNorm(seq int) Workload {
	return c.workload("rmsnorm", "seq", seq, op.RMSNormAttrs{Eps: c.Eps}, c.dims(), c.vectors(seq))
}

func (c config) rmsNormGrad(seq int) Workload { return upstream(c.rmsNorm(seq), seq, c.DModel) }
