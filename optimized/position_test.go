package optimized_test

import (
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestPositions(t *testing.T) {
	r := newRand(t)
	check(t, 0, spec("learned_positions", "", normal(r, 1, 9, 5)), ids(r, 9, 3))
	check(t, u, spec("sinusoidal_positions", `{"d_model":10}`), op.Int64([]int64{0, 1, 2047, 1 << 30}, 4))
}
