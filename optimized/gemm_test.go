package optimized_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
	"github.com/assaykit/assay/optimized/internal/kernel"
)

// checked returns a kernel in Go of any shape. Where assembly would read or write outside its slices, this one panics.
func checked(mr, nr int) kernel.Kernel {
	add := func(kc, rows int, a, b, c []float32, ldc int) {
		for i := range rows {
			for j := range nr {
				var sum float32
				for k := range kc {
					sum += a[k*rows+i] * b[k*nr+j]
				}
				c[i*ldc+j] += sum
			}
		}
	}
	return kernel.Kernel{
		Name: fmt.Sprintf("checked %dx%d", mr, nr), MR: mr, NR: nr,
		Tile: func(kc int, a, b, c []float32, ldc int) { add(kc, mr, a, b, c, ldc) },
		Row:  func(kc int, a, b, c []float32) { add(kc, 1, a, b, c, 0) },
	}
}

// Whatever kernel this machine has, the others compute the same, and none of their shapes reaches outside a buffer.
func TestKernels(t *testing.T) {
	t.Parallel()
	for _, kern := range append(kernel.All(), checked(6, 16), checked(8, 32), checked(5, 64), checked(1, 1)) {
		t.Run(kern.Name, func(t *testing.T) {
			check := func(tol float64, s op.Spec, src ...op.Tensor) {
				t.Helper()
				got := results(t, op.F32, open(t, optimized.New(optimized.WithKernel(kern)), s), s, src...)
				for i, want := range results(t, op.F32, open(t, optimized.New(), s), s, src...) {
					near(t, got[i], want, tol)
				}
			}
			r := newRand(t)
			for range 10 {
				b, m, k, n := 1+r.IntN(2), 1+r.IntN(150), 1+r.IntN(300), 1+r.IntN(90)
				check(40*u, spec("matmul", ""), normal(r, 1, b, m, k), normal(r, 1, b, k, n))
				check(40*u, spec("matmul.grad", `{"transpose_a":true}`), normal(r, 1, b, k, m), normal(r, 1, b, k, n), normal(r, 1, b, m, n))
				c := newAttentionCase(r)
				check(200*u, c.spec(), c.q, c.k, c.v, c.mask)
				check(200*u, c.gradSpec(0), c.q, c.k, c.v, c.mask, normal(r, 1, c.b, c.h, c.tq, c.dv))
			}
			model := spec("gpt.loss", `{"heads":4,"kv_heads":2}`, gptConst(r, tinyModel, true, true, false)...)
			check(200*u, model, ids(r, tinyModel.vocab, 3, 20), ids(r, tinyModel.vocab, 3, 20))
		})
	}
}

// Long sums are made of short ones: of equal terms, whose rounding errors do not cancel, one long sum would be off by far more.
func TestLongSumsAreBlocked(t *testing.T) {
	const n = 1 << 17
	a, b := op.New(op.F32, 1, n), op.New(op.F32, n, 1)
	for i := range n {
		a.F32[i], b.F32[i] = 0.1, 1
	}
	s, want := spec("matmul", ""), n*float64(float32(0.1))
	got := float64(run(t, open(t, optimized.New(), s), s, a, b).F32[0])
	if bound := (256 + n/256) * u * want; math.Abs(got-want) > bound {
		t.Errorf("got %v, want %v within %.3g", got, want, bound)
	}
}
