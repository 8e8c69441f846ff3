package onnx

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// The optimizers take a rate, a step count and, for each of n tensors: all parameters, all gradients, then all of each state.

// each runs an optimizer on each of its tensors; states is how many each has. step returns the new parameter and the new states.
func (c *call) each(states int, step func(param, grad op.Tensor, state []op.Tensor) []op.Tensor) []op.Tensor {
	n := (len(c.in) - 2) / (2 + states)
	require(n > 0 && len(c.in) == 2+n*(2+states), "an optimizer with %d inputs", len(c.in))
	out := make([]op.Tensor, n*(1+states))
	for i := range n {
		var state []op.Tensor
		for s := range states {
			state = append(state, c.floats(2+(2+s)*n+i))
		}
		for s, t := range step(c.floats(2+i), c.floats(2+n+i), state) {
			out[s*n+i] = t
		}
	}
	return out
}

// farStep is a step count at which Adam's bias corrections are 1 in every format.
const farStep = 1 << 40

// adam is Adam with L2 regularization. ONNX corrects the bias through the rate, so its epsilon is larger than ours by the second
// correction's root; and it does not correct at step 0, where ours is told that it has taken many steps.
func adam(c *call) []op.Tensor {
	rate, t := c.scalar(0), c.scalar(1)
	alpha, beta, eps := c.real("alpha", 0.9), c.real("beta", 0.999), c.real("epsilon", 0)
	support(c.real("norm_coefficient_post", 0) == 0, "decay after the step")
	a := attrs{"beta1": alpha, "beta2": beta, "eps": eps, "weight_decay": c.real("norm_coefficient", 0), "step": int64(farStep)}
	if t > 0 {
		require(t == math.Trunc(t) && t <= farStep, "step %v", t)
		a["step"], a["eps"] = int64(t)-1, eps/math.Sqrt(1-math.Pow(beta, t))
	}
	return c.each(2, func(param, grad op.Tensor, state []op.Tensor) []op.Tensor {
		return c.call("adam", a, append([]op.Tensor{param}, state...), []op.Tensor{grad, floats([]float64{rate})})
	})
}

// adagrad is Adam with beta1 = 0 and beta2 = 1/2 at its first step: v = (H + g^2)/2, whose bias correction is 1/2.
func adagrad(c *call) []op.Tensor {
	rate := c.scalar(0) / (1 + c.scalar(1)*c.real("decay_factor", 0))
	a := attrs{"beta1": 0, "beta2": 0.5, "eps": c.real("epsilon", 0), "weight_decay": c.real("norm_coefficient", 0)}
	return c.each(1, func(param, grad op.Tensor, state []op.Tensor) []op.Tensor {
		y := c.call("adam", a, []op.Tensor{param, filled(op.F64, 0, param.Shape...), state[0]}, []op.Tensor{grad, floats([]float64{rate})})
		doubled := slices.Clone(y[2].F64)
		for i := range doubled {
			doubled[i] *= 2
		}
		return []op.Tensor{y[0], floats(doubled, y[2].Shape...)}
	})
}

// momentum is sgd: ONNX's beta is one less dampening, and is 1 at step 0.
func momentum(c *call) []op.Tensor {
	rate, beta := c.scalar(0), c.real("beta", 0)
	if c.scalar(1) == 0 {
		beta = 1
	}
	nesterov := c.text("mode", "") == "nesterov"
	a := attrs{"momentum": c.real("alpha", 0), "dampening": 1 - beta, "nesterov": nesterov, "weight_decay": c.real("norm_coefficient", 0)}
	support(beta <= 1 && !(nesterov && beta != 1), "Momentum with beta %v: sgd has dampening of at least 0, and none with Nesterov's", beta)
	return c.each(1, func(param, grad op.Tensor, state []op.Tensor) []op.Tensor {
		return c.call("sgd", a, []op.Tensor{param, state[0]}, []op.Tensor{grad, floats([]float64{rate})})
	})
}
