package optimized_test

import (
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestSoftmax(t *testing.T) {
	onRows(t, forwardScales, func(t *testing.T, _ *rand.Rand, x, _ op.Tensor) {
		check(t, 4*u, spec("softmax", ""), x)
		check(t, 4*u, spec("log_softmax", ""), x)
	})
}

func TestSoftmaxGradient(t *testing.T) {
	t.Parallel()
	onRows(t, backwardScales, func(t *testing.T, _ *rand.Rand, x, dy op.Tensor) {
		checkAll(t, 4*u, spec("softmax.grad", ""), x, dy)
		checkAll(t, 4*u, spec("log_softmax.grad", ""), x, dy)
	})
}
