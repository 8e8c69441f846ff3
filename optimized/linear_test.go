package optimized_test

import (
	"fmt"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

func TestLinear(t *testing.T) {
	t.Parallel()
	for i := range 24 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			p := newProduct(r)
			for _, bias := range []op.Tensor{normal(r, 1, p.n), absent} {
				s := spec("linear", "", p.b, bias)
				p.bounded(t, run(t, open(t, optimized.New(), s), s, p.a), bias.F32)
			}
		})
	}
}

func TestLinearGradient(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			b, m, k, n := 1+r.IntN(3), 1+r.IntN(300), 1+r.IntN(140), 1+r.IntN(60)
			dy := normal(r, 1, b, m, n)
			checkAll(t, 40*u, spec("linear.grad", "", normal(r, 1, k, n), normal(r, 1, n)), normal(r, 1, b, m, k), dy)
			checkAll(t, 40*u, spec("linear.grad", "", normal(r, 1, k, n), absent), normal(r, 1, b, m, k), dy)
		})
	}
}
