package optimized_test

import (
	"fmt"
	"testing"
)

func TestRowOps(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 1000, 50257} {
		for _, scale := range []float64{1, 30, 1e4} {
			t.Run(fmt.Sprintf("n=%d/scale=%g", n, scale), func(t *testing.T) {
				r := newRand(t)
				x := normal(r, scale, 3, n)
				check(t, 4*u, spec("softmax", ""), x)
				check(t, 4*u, spec("log_softmax", ""), x)
				check(t, 4*u, spec("relu", ""), x)
				check(t, 4*u, spec("gelu", ""), x)
				check(t, 4*u, spec("gelu", `{"approximate":"tanh"}`), x)
				if n > 1 {
					check(t, 4*u, spec("layernorm", `{"eps":0}`, normal(r, 1, n), normal(r, 1, n)), x)
				}
				check(t, 4*u, spec("cross_entropy", `{"reduction":"none"}`), x, ids(r, n, 3))
				check(t, 4*u, spec("cross_entropy", ``), x, ids(r, n, 3))
			})
		}
	}
}

func TestRowGradients(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 64, 1000, 50257} {
		for _, scale := range []float64{1, 8} {
			t.Run(fmt.Sprintf("n=%d/scale=%g", n, scale), func(t *testing.T) {
				r := newRand(t)
				x, dy := normal(r, scale, 3, n), normal(r, 1, 3, n)
				checkAll(t, 4*u, spec("softmax.grad", ""), x, dy)
				checkAll(t, 4*u, spec("log_softmax.grad", ""), x, dy)
				checkAll(t, 4*u, spec("relu.grad", ""), x, dy)
				checkAll(t, 4*u, spec("gelu.grad", ""), x, dy)
				checkAll(t, 4*u, spec("gelu.grad", `{"approximate":"tanh"}`), x, dy)
				checkAll(t, 4*u, spec("layernorm.grad", "", normal(r, 1, n), normal(r, 1, n)), x, dy)
				for _, reduction := range []string{"none", "sum", "mean"} {
					up := normal(r, 1)
					if reduction == "none" {
						up = normal(r, 1, 3)
					}
					checkAll(t, 4*u, spec("cross_entropy.grad", fmt.Sprintf(`{"reduction":%q,"ignore_index":0}`, reduction)), x, ids(r, n, 3), up)
				}
			})
		}
	}
	r := newRand(t)
	checkAll(t, 4*u, spec("embedding.grad", "", normal(r, 1, 9, 70)), ids(r, 9, 40), normal(r, 1, 40, 70))
}
