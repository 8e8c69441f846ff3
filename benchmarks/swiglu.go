package benchmarks

import "github.com/assaykit/assay/conformance/op"

// swiglu: its three products and 5 operations a hidden element: exp, add, divide, multiply by z, multiply. Its gradient: the same; 5 for
// the derivative of SiLU, two products with the gradient and one with the value; the products' gradients; dx is a sum of two.
var _ = register(part{
	costs: func(c *cost) []op.Implementation {
		return []op.Implementation{
			op.SwiGLU(func(a op.SwiGLUArgs) error {
				return c.add(gatedCost(a.SwiGLUInputs) + linearCost(rows(a.X), a.W2, a.B2))
			}),
			op.SwiGLUGrad(func(a op.SwiGLUGradArgs) error {
				n := rows(a.X)
				c.add(linearGradCost(n, a.W1, a.B1) + linearGradCost(n, a.W3, a.B3) + linearGradCost(n, a.W2, a.B2))
				return c.add(gatedCost(a.SwiGLUInputs) + 8*float64(n*a.W1.Shape[1]) + float64(a.X.Len()))
			}),
		}
	},
	every: func(c config, seq int) []Workload { return []Workload{c.swiglu(seq), c.swigluGrad(seq)} },
	sized: func() []Workload {
		c := model("gpt3-small")
		return []Workload{c.swiglu(128), c.swiglu(1024), c.swigluGrad(128)}
	},
})

// gatedCost counts the hidden layer.
func gatedCost(a op.SwiGLUInputs) float64 {
	n := rows(a.X)
	return linearCost(n, a.W1, a.B1) + linearCost(n, a.W3, a.B3) + 5*float64(n*a.W1.Shape[1])
}

// swiglu has no biases, as in LLaMA.
func (c config) swiglu(seq int) Workload {
	return c.workload("swiglu", "seq", seq, none{}, c.dims(), c.vectors(1, seq), "b1", "b3", "b2")
}

func (c config) swigluGrad(seq int) Workload { return upstream(c.swiglu(seq), 1, seq, c.DModel) }
