package optimized_test

import (
	"fmt"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// gatedConst returns the weights of swiglu.
func gatedConst(t *testing.T, d, hidden int) []op.Tensor {
	r := newRand(t)
	var out []op.Tensor
	for _, s := range [][2]int{{d, hidden}, {d, hidden}, {hidden, d}} {
		out = append(out, normal(r, 1.5/float64(s[0]), s[0], s[1]), normal(r, 0.5, s[1]))
	}
	return out
}

func TestSwiGLU(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 17}, {70, 12, 30}, {7, 130, 65}, {300, 64, 172}} {
		for _, scale := range []float64{1, 30} {
			t.Run(fmt.Sprintf("rows=%d/d=%d/hidden=%d/scale=%g", s[0], s[1], s[2], scale), func(t *testing.T) {
				w := gatedConst(t, s[1], s[2])
				x, dy := normal(newRand(t), scale, s[0], s[1]), normal(newRand(t), 1, s[0], s[1])
				for absent := range len(w)/2 + 1 {
					w := append([]op.Tensor(nil), w...)
					if absent > 0 {
						w[2*absent-1] = op.Tensor{}
					}
					check(t, 200*u, spec("swiglu", "", w...), x)
					checkAll(t, 200*u, spec("swiglu.grad", "", w...), x, dy)
				}
			})
		}
	}
}
