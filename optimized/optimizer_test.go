package optimized_test

import (
	"fmt"
	"testing"

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
