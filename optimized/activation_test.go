package optimized_test

import (
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestActivations(t *testing.T) {
	onRows(t, forwardScales, func(t *testing.T, _ *rand.Rand, x, _ op.Tensor) {
		check(t, 4*u, spec("relu", ""), x)
		check(t, 4*u, spec("gelu", ""), x)
		check(t, 4*u, spec("gelu", `{"approximate":"tanh"}`), x)
	})
}

func TestActivationGradients(t *testing.T) {
	t.Parallel()
	onRows(t, backwardScales, func(t *testing.T, _ *rand.Rand, x, dy op.Tensor) {
		checkAll(t, 4*u, spec("relu.grad", ""), x, dy)
		checkAll(t, 4*u, spec("gelu.grad", ""), x, dy)
		checkAll(t, 4*u, spec("gelu.grad", `{"approximate":"tanh"}`), x, dy)
	})
}
