package optimized_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

// A run of Adam that goes on in a kernel of its own, from what the first one returned, is the same run, bit for bit.
func TestAdamResumes(t *testing.T) {
	r := newRand(t)
	const attrs = `{"beta2":0.99,"weight_decay":0.1%s}`
	src := []op.Tensor{normal(r, 1, 1000), op.Float32([]float32{0.01})}
	begin := spec("adam", fmt.Sprintf(attrs, ""), normal(r, 1, 1000), absent, absent)
	whole := open(t, optimized.New(), begin)
	var before, want []op.Tensor
	for step := range 6 {
		if want = results(t, op.F32, whole, begin, src...); step == 2 {
			before = want
		}
	}
	resumed := spec("adam", fmt.Sprintf(attrs, `,"step":3`), before...)
	k := open(t, optimized.New(), resumed)
	var got []op.Tensor
	for range 3 {
		got = results(t, op.F32, k, resumed, src...)
	}
	for i := range got {
		same(t, got[i], want[i])
	}
}

// Weight decay that is decoupled takes no part in the gradient: a parameter that is not finite leaves the moments alone.
func TestDecoupledDecayLeavesMomentsAlone(t *testing.T) {
	for _, p := range []float64{math.NaN(), math.Inf(1)} {
		s := spec("adam", `{"weight_decay":0.1,"decoupled":true}`, op.Float32([]float32{float32(p)}, 1), absent, absent)
		got := results(t, op.F32, open(t, optimized.New(), s), s, op.Float32([]float32{2}, 1), op.Float32([]float32{0.01}))
		require.InDelta(t, 0.2, got[1].F32[0], 1e-7)
		require.InDelta(t, 0.004, got[2].F32[0], 1e-8)
	}
}
