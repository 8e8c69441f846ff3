package optimized_test

import (
	"fmt"
	"testing"
)

func TestMHA(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			l := newLayerCase(newRand(t))
			check(t, 200*u, spec("mha", "{"+l.attrs+"}", l.block[2:10]...), l.x, absent)
		})
	}
}

func TestMHAGradient(t *testing.T) {
	const b, n, d = 2, 70, 12
	r := newRand(t)
	w := blockConst(r, nil, d, 16, 8, 1)
	x, dy := normal(r, 1, b, n, d), normal(r, 1, b, n, d)
	checkBeside(t, 100*u, spec("mha.grad", `{"heads":4,"kv_heads":2,"scale":0.3}`, w[2:10]...), x, normal(r, 1, b, 4, n, n), dy)
	checkBeside(t, 100*u, spec("mha.grad", `{"heads":4,"kv_heads":2,"causal":true}`, w[2], absent, w[4], absent, w[6], absent, w[8], absent), x, absent, dy)
}
