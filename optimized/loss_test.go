package optimized_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestCrossEntropy(t *testing.T) {
	onRows(t, forwardScales, func(t *testing.T, r *rand.Rand, x, _ op.Tensor) {
		n := x.Shape[1]
		check(t, 4*u, spec("cross_entropy", `{"reduction":"none"}`), x, ids(r, n, 3))
		check(t, 4*u, spec("cross_entropy", ``), x, ids(r, n, 3))
	})
}

func TestCrossEntropyGradient(t *testing.T) {
	t.Parallel()
	onRows(t, backwardScales, func(t *testing.T, r *rand.Rand, x, _ op.Tensor) {
		for _, reduction := range []string{"none", "sum", "mean"} {
			up := normal(r, 1)
			if reduction == "none" {
				up = normal(r, 1, 3)
			}
			checkAll(t, 4*u, spec("cross_entropy.grad", fmt.Sprintf(`{"reduction":%q,"ignore_index":0}`, reduction)), x, ids(r, x.Shape[1], 3), up)
		}
	})
}

// Rows that are ignored, and what stands in them, count for nothing.
func TestIgnoredTargets(t *testing.T) {
	r := newRand(t)
	x := normal(r, 3, 4, 7)
	x.F32[7] = float32(math.NaN())
	for _, targets := range [][]int64{{3, -100, 6, -100}, {-100, -100, -100, -100}} {
		for _, reduction := range []string{"none", "sum", "mean"} {
			check(t, 4*u, spec("cross_entropy", fmt.Sprintf(`{"reduction":%q}`, reduction)), x, op.Int64(targets, 4))
		}
	}
}
