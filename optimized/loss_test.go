package optimized_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

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
