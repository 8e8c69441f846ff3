package optimized_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
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

func TestBlock(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			l := newLayerCase(r)
			act, norm := []string{"relu", "gelu", "gelu_tanh"}[r.IntN(3)], []string{"pre", "post"}[r.IntN(2)]
			check(t, 200*u, spec("block", fmt.Sprintf(`{%s,"activation":%q,"norm":%q}`, l.attrs, act, norm), l.block...), l.x)
		})
	}
}

func TestBlockGradient(t *testing.T) {
	const b, n, d, f = 2, 70, 12, 30
	for _, act := range []string{"relu", "gelu", "gelu_tanh"} {
		t.Run(act, func(t *testing.T) {
			r := newRand(t)
			w := blockConst(r, nil, d, 16, 8, f)
			x, dy := normal(r, 1, b, n, d), normal(r, 1, b, n, d)
			for _, norm := range []string{"pre", "post"} {
				attrs := fmt.Sprintf(`{"heads":4,"kv_heads":2,"norm":%q,"activation":%q,"causal":true,"window":50}`, norm, act)
				checkBeside(t, 300*u, spec("block.grad", attrs, w...), x, dy)
			}
		})
	}
}

// layerCase is a random block, and what it is given.
type layerCase struct {
	block []op.Tensor
	attrs string // heads and what they see
	x     op.Tensor
}

func newLayerCase(r *rand.Rand) layerCase {
	g := 1 + r.IntN(3)
	h := g * (1 + r.IntN(3))
	d, hd, f := 2*(1+r.IntN(20)), 1+r.IntN(20), 1+r.IntN(70)
	return layerCase{
		block: blockConst(r, nil, d, h*hd, g*hd, f),
		attrs: fmt.Sprintf(`"heads":%d,"kv_heads":%d,"causal":%v,"window":%d`, h, g, r.IntN(2) == 0, r.IntN(2)*r.IntN(100)),
		x:     normal(r, 1, 1+r.IntN(3), 1+r.IntN(150), d),
	}
}
