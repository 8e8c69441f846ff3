package optimized_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

// results returns all results of one step, in buffers that held NaN.
func results(t testing.TB, storage op.DType, k op.Kernel, s op.Spec, src ...op.Tensor) []op.Tensor {
	t.Helper()
	dst, err := op.Shapes(s, src, storage)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dst {
		for i := range d.F32 {
			d.F32[i] = float32(math.NaN())
		}
	}
	if err := k.Run(dst, src); err != nil {
		t.Fatal(err)
	}
	return dst
}

// checkAll compares all results of one call with the reference, and those of a second call with those of the first.
func checkAll(t testing.TB, tol float64, s op.Spec, src ...op.Tensor) {
	t.Helper()
	k := open(t, optimized.New(), s)
	got := results(t, op.F32, k, s, src...)
	for i, again := range results(t, op.F32, k, s, src...) {
		same(t, again, got[i])
	}
	for i, want := range reference(t, s, src...) {
		if want.Present() {
			near(t, got[i], want, tol)
		}
	}
}

// reference returns what the float64 reference computes.
func reference(t testing.TB, s op.Spec, src ...op.Tensor) []op.Tensor {
	t.Helper()
	s.Const, src = convert(s.Const, op.F64), convert(src, op.F64)
	return results(t, op.F64, open(t, refimpl.New(), s), s, src...)
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

func TestProductGradients(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			b, m, k, n := 1+r.IntN(3), 1+r.IntN(300), 1+r.IntN(140), 1+r.IntN(60)
			dy := normal(r, 1, b, m, n)
			checkAll(t, 40*u, spec("matmul.grad", ""), normal(r, 1, b, m, k), normal(r, 1, b, k, n), dy)
			checkAll(t, 40*u, spec("matmul.grad", `{"transpose_a":true}`), normal(r, 1, b, k, m), normal(r, 1, b, k, n), dy)
			checkAll(t, 40*u, spec("matmul.grad", `{"transpose_b":true}`), normal(r, 1, b, m, k), normal(r, 1, b, n, k), dy)
			checkAll(t, 40*u, spec("matmul.grad", `{"transpose_a":true,"transpose_b":true}`), normal(r, 1, b, k, m), normal(r, 1, b, n, k), dy)
			checkAll(t, 40*u, spec("linear.grad", "", normal(r, 1, k, n), normal(r, 1, n)), normal(r, 1, b, m, k), dy)
			checkAll(t, 40*u, spec("linear.grad", "", normal(r, 1, k, n), absent), normal(r, 1, b, m, k), dy)
		})
	}
}

func (c attentionCase) gradSpec(softcap float64) op.Spec {
	return spec("attention.grad", c.attrs[:len(c.attrs)-1]+fmt.Sprintf(`,"softcap":%v}`, softcap))
}

func TestAttentionGradient(t *testing.T) {
	t.Parallel()
	for i := range 100 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			c := newAttentionCase(r)
			checkAll(t, 60*u, c.gradSpec([]float64{0, 3}[i%2]), c.q, c.k, c.v, c.mask, normal(r, 1, c.b, c.h, c.tq, c.dv))
		})
	}
}

// NaN and infinities among queries, keys, values and upstream gradients give what they give in float64.
func TestAttentionGradientOfSpecials(t *testing.T) {
	t.Parallel()
	specials := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for i := range 100 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			c := newAttentionCase(r)
			dout := normal(r, 1, c.b, c.h, c.tq, c.dv)
			for range 1 + r.IntN(3) {
				x := [][]float32{c.q.F32, c.k.F32, c.v.F32, dout.F32}[r.IntN(4)]
				x[r.IntN(len(x))] = specials[r.IntN(3)]
			}
			s, src := c.gradSpec([]float64{0, 3}[i%2]), []op.Tensor{c.q, c.k, c.v, c.mask, dout}
			want := reference(t, s, src...)
			for i, got := range results(t, op.F32, open(t, optimized.New(), s), s, src...) {
				for e := range got.Len() {
					g, w := got.At(e), want[i].At(e)
					if g != w && !(math.IsNaN(g) && math.IsNaN(w)) && !(math.Abs(g-w) < 1e-3) {
						t.Fatalf("element %d of result %d: got %v, want %v", e, i, g, w)
					}
				}
			}
		})
	}
}

// What stands in keys and values that no query sees, and in queries and upstream gradients that see no key, does not change a bit.
func TestHiddenPairsLeaveNoTraceInGradients(t *testing.T) {
	const b, h, g, tq, tk, d, dv = 1, 4, 2, 70, 150, 6, 5
	r := newRand(t)
	mask := op.New(op.Bool, 1, 1, tq, tk)
	hidden := func(j int) bool { return j%3 == 0 }
	blind := func(i int) bool { return i%4 == 0 }
	for at := range mask.Bool {
		mask.Bool[at] = !hidden(at%tk) && !blind(at/tk) && r.IntN(3) > 0
	}
	q, k, v, dout := normal(r, 1, b, h, tq, d), normal(r, 1, b, g, tk, d), normal(r, 1, b, g, tk, dv), normal(r, 1, b, h, tq, dv)
	s := spec("attention.grad", "")
	want := results(t, op.F32, open(t, optimized.New(), s), s, q, k, v, mask, dout)
	poisoned := func(x op.Tensor, is func(int) bool, poison float64) op.Tensor {
		y := op.New(op.F32, x.Shape...)
		copy(y.F32, x.F32)
		for i := range y.F32 {
			if is(i / x.Shape[3] % x.Shape[2]) {
				y.F32[i] = float32(poison)
			}
		}
		return y
	}
	for _, poison := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		got := results(t, op.F32, open(t, optimized.New(), s), s,
			poisoned(q, blind, poison), poisoned(k, hidden, poison), poisoned(v, hidden, poison), mask, poisoned(dout, blind, poison))
		for i := range want {
			same(t, got[i], want[i])
		}
	}
	for i := range want[0].F32 {
		if blind(i/d%tq) && want[0].F32[i] != 0 {
			t.Fatalf("dq of a query that sees no key is %v", want[0].F32[i])
		}
	}
	for i := range want[1].F32 {
		if hidden(i/d%tk) && want[1].F32[i] != 0 {
			t.Fatalf("dk of a key that no query sees is %v", want[1].F32[i])
		}
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

// checkBeside is checkAll where the gradient of bk, which is 0 in exact arithmetic, is judged by the size of that of wk, its neighbour.
func checkBeside(t testing.TB, tol float64, s op.Spec, src ...op.Tensor) {
	t.Helper()
	got := results(t, op.F32, open(t, optimized.New(), s), s, src...)
	want := reference(t, s, src...)
	for i, w := range want {
		if !w.Present() {
			continue
		}
		if size, before := largest(w), largest(want[max(i-1, 0)]); size < 1e-9*before {
			near(t, op.Float32(append(got[i].F32, float32(before)), len(got[i].F32)+1), op.Float64(append(w.F64, before), len(w.F64)+1), tol)
			continue
		}
		near(t, got[i], w, tol)
	}
}

func largest(x op.Tensor) float64 {
	m := 0.0
	for i := range x.Len() {
		m = max(m, math.Abs(x.At(i)))
	}
	return m
}

func TestLossGradients(t *testing.T) {
	t.Parallel()
	m := modelSize{vocab: 300, ctx: 80, layers: 2, d: 12, hd: 16, gd: 8, f: 30}
	for i, tt := range []struct {
		attrs          string
		wpe, lnf, wout bool
	}{
		{`,"windows":[0,20]`, true, true, false},
		{`,"positions":"sinusoidal","scale_embedding":true`, false, true, true},
		{`,"positions":"none","norm":"post","activation":"gelu_tanh","scale_embedding":true`, false, false, false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			c := gptConst(r, m, tt.wpe, tt.lnf, tt.wout)
			attrs := `{"heads":4,"kv_heads":2,"ignore_index":7` + tt.attrs
			in, out := ids(r, m.vocab, 2, 70), ids(r, m.vocab, 2, 70)
			out.I64[3] = 7
			for _, reduction := range []string{"none", "sum", "mean"} {
				up := normal(r, 1)
				if reduction == "none" {
					up = normal(r, 1, 2, 70)
				}
				checkBeside(t, 1000*u, spec("gpt.loss.grad", attrs+fmt.Sprintf(`,"reduction":%q}`, reduction), c...), in, out, up)
			}
		})
	}
}
