package optimized_test

import (
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestLayerNorm(t *testing.T) {
	onRows(t, forwardScales, func(t *testing.T, r *rand.Rand, x, _ op.Tensor) {
		if n := x.Shape[1]; n > 1 {
			check(t, 4*u, spec("layernorm", `{"eps":0}`, normal(r, 1, n), normal(r, 1, n)), x)
		}
	})
}

func TestLayerNormGradient(t *testing.T) {
	t.Parallel()
	onRows(t, backwardScales, func(t *testing.T, r *rand.Rand, x, dy op.Tensor) {
		n := x.Shape[1]
		checkAll(t, 4*u, spec("layernorm.grad", "", normal(r, 1, n), normal(r, 1, n)), x, dy)
	})
}
