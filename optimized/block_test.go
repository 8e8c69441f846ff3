package optimized_test

import (
	"fmt"
	"testing"
)

// BenchmarkGradient is backward beside forward: BenchmarkAttention and BenchmarkPrefill have the same sizes.
func BenchmarkGradient(b *testing.B) {
	r := newRand(b)
	x, block := normal(r, 1, 1, 12, 512, 64), blockConst(r, nil, small.d, small.hd, small.gd, small.f)
	b.Run("attention", func(b *testing.B) {
		bench(b, 1, 0, spec("attention.grad", `{"causal":true}`), x, x, x, absent, x)
	})
	b.Run("block", func(b *testing.B) {
		y := normal(r, 1, 1, 256, small.d)
		bench(b, 1, 0, spec("block", `{"heads":12,"causal":true}`, block...), y)
	})
	b.Run("block.grad", func(b *testing.B) {
		y := normal(r, 1, 1, 256, small.d)
		bench(b, 1, 0, spec("block.grad", `{"heads":12,"causal":true}`, block...), y, y)
	})
}

func TestComposites(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			g := 1 + r.IntN(3)
			h := g * (1 + r.IntN(3))
			d, hd, f := 2*(1+r.IntN(20)), 1+r.IntN(20), 1+r.IntN(70)
			b, T := 1+r.IntN(3), 1+r.IntN(150)
			x := normal(r, 1, b, T, d)
			attrs := fmt.Sprintf(`"heads":%d,"kv_heads":%d`, h, g)
			causal := fmt.Sprintf(`,"causal":%v,"window":%d`, r.IntN(2) == 0, r.IntN(2)*r.IntN(100))
			act := []string{"relu", "gelu", "gelu_tanh"}[r.IntN(3)]
			more := fmt.Sprintf(`,"activation":%q,"norm":%q`, act, []string{"pre", "post"}[r.IntN(2)])
			c := blockConst(r, nil, d, h*hd, g*hd, f)
			check(t, 200*u, spec("mha", "{"+attrs+causal+"}", c[2:10]...), x, absent)
			check(t, 200*u, spec("ffn", fmt.Sprintf(`{"activation":%q}`, act), c[12:16]...), x)
			check(t, 200*u, spec("block", "{"+attrs+causal+more+"}", c...), x)
		})
	}
}

func TestLayerGradients(t *testing.T) {
	const b, n, d, f = 2, 70, 12, 30
	for _, act := range []string{"relu", "gelu", "gelu_tanh"} {
		t.Run(act, func(t *testing.T) {
			r := newRand(t)
			w := blockConst(r, nil, d, 16, 8, f)
			x, dy := normal(r, 1, b, n, d), normal(r, 1, b, n, d)
			checkAll(t, 100*u, spec("ffn.grad", fmt.Sprintf(`{"activation":%q}`, act), w[12:]...), x, dy)
			checkAll(t, 100*u, spec("ffn.grad", fmt.Sprintf(`{"activation":%q}`, act), w[12], absent, w[14], absent), x, dy)
			for _, norm := range []string{"pre", "post"} {
				attrs := fmt.Sprintf(`{"heads":4,"kv_heads":2,"norm":%q,"activation":%q,"causal":true,"window":50}`, norm, act)
				checkBeside(t, 300*u, spec("block.grad", attrs, w...), x, dy)
			}
		})
	}
	r := newRand(t)
	w := blockConst(r, nil, d, 16, 8, f)
	x, dy := normal(r, 1, b, n, d), normal(r, 1, b, n, d)
	checkBeside(t, 100*u, spec("mha.grad", `{"heads":4,"kv_heads":2,"scale":0.3}`, w[2:10]...), x, normal(r, 1, b, 4, n, n), dy)
	checkBeside(t, 100*u, spec("mha.grad", `{"heads":4,"kv_heads":2,"causal":true}`, w[2], absent, w[4], absent, w[6], absent, w[8], absent), x, absent, dy)
}
