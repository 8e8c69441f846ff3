package optimized_test

import (
	"fmt"
	"testing"
)

func TestFFN(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			l, act := newLayerCase(r), []string{"relu", "gelu", "gelu_tanh"}[r.IntN(3)]
			check(t, 200*u, spec("ffn", fmt.Sprintf(`{"activation":%q}`, act), l.block[12:16]...), l.x)
		})
	}
}

func TestFFNGradient(t *testing.T) {
	const b, n, d, f = 2, 70, 12, 30
	for _, act := range []string{"relu", "gelu", "gelu_tanh"} {
		t.Run(act, func(t *testing.T) {
			r := newRand(t)
			w := blockConst(r, nil, d, 1, 1, f)[12:]
			x, dy := normal(r, 1, b, n, d), normal(r, 1, b, n, d)
			s := fmt.Sprintf(`{"activation":%q}`, act)
			checkAll(t, 100*u, spec("ffn.grad", s, w...), x, dy)
			checkAll(t, 100*u, spec("ffn.grad", s, w[0], absent, w[2], absent), x, dy)
		})
	}
}
