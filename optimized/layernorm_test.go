package optimized_test

import (
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
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

// LN-4: the squares of these rows overflow and underflow float32, their results do not.
func TestLayerNormBeyondTheSquaresOfFloat32(t *testing.T) {
	for _, scale := range []float64{1e30, 1e-30} {
		for _, n := range []int{4, 33} {
			check(t, 4*u, spec("layernorm", `{"eps":0}`, normal(newRand(t), 1, n), normal(newRand(t), 1, n)), normal(newRand(t), scale, 3, n))
		}
	}
	s := spec("layernorm", "", op.Float32([]float32{1, 1, 1, 1}, 4), op.New(op.F32, 4))
	y := run(t, open(t, optimized.New(), s), s, op.Float32([]float32{1e30, 2e30, -1e30, -2e30}, 1, 4))
	near(t, y, op.Float32([]float32{0.6324555320, 1.2649110641, -0.6324555320, -1.2649110641}, 1, 4), 4*u)
}
