package optimized_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

// attentionCase is a random call of the op attention.
type attentionCase struct {
	b, h, g, tq, tk, d, dv int
	attrs                  string
	q, k, v, mask          op.Tensor
}

func newAttentionCase(r *rand.Rand) attentionCase {
	g := 1 + r.IntN(3)
	c := attentionCase{b: 1 + r.IntN(2), g: g, h: g * (1 + r.IntN(3)), tq: 1 + r.IntN(90), tk: 1 + r.IntN(200), d: 1 + r.IntN(20), dv: 1 + r.IntN(20)}
	scale := ""
	if r.IntN(3) == 0 {
		scale = `,"scale":-0.7`
	}
	c.attrs = fmt.Sprintf(`{"causal":%v,"window":%d%s}`, r.IntN(2) == 0, r.IntN(2)*r.IntN(100), scale)
	c.q, c.k, c.v = normal(r, 2, c.b, c.h, c.tq, c.d), normal(r, 2, c.b, c.g, c.tk, c.d), normal(r, 1, c.b, c.g, c.tk, c.dv)
	shape := []int{1 + r.IntN(2)*(c.b-1), 1 + r.IntN(2)*(c.h-1), c.tq, c.tk}
	switch r.IntN(3) {
	case 1:
		c.mask = op.New(op.Bool, shape...)
		for i := range c.mask.Bool {
			c.mask.Bool[i] = r.IntN(3) > 0
		}
	case 2:
		c.mask = normal(r, 3, shape...)
		for i := range c.mask.F32 {
			if r.IntN(3) == 0 {
				c.mask.F32[i] = float32(math.Inf(-1))
			}
		}
	}
	return c
}

func (c attentionCase) spec() op.Spec { return spec("attention", c.attrs) }

func TestAttention(t *testing.T) {
	t.Parallel()
	for i := range 150 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			c := newAttentionCase(r)
			tol := 40 * u
			if strings.Contains(c.attrs, "scale") { // scores and their rounding grow with it, and from there the error of the weights (SPEC.md, A.5)
				tol *= max(1, 0.7*math.Sqrt(float64(c.d)))
			}
			if i%3 == 0 { // scores of thousands: their own rounding, of 1e-4 and more, is what decides
				for j := range c.q.F32 {
					c.q.F32[j] *= 1000
				}
				tol = 2e-2
			}
			check(t, tol, c.spec(), c.q, c.k, c.v, c.mask)
		})
	}
}

// NaN and infinities among queries, keys and values give what they give in float64.
func TestAttentionOfSpecials(t *testing.T) {
	t.Parallel()
	specials := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for i := range 150 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			c := newAttentionCase(r)
			for range 1 + r.IntN(3) {
				x := [][]float32{c.q.F32, c.k.F32, c.v.F32}[r.IntN(3)]
				x[r.IntN(len(x))] = specials[r.IntN(3)]
			}
			check(t, 40*u, c.spec(), c.q, c.k, c.v, c.mask)
		})
	}
}

// What stands in keys and values that no query sees does not change a bit.
func TestHiddenKeysLeaveNoTrace(t *testing.T) {
	const b, h, g, tq, tk, d, dv = 1, 4, 2, 70, 150, 6, 5
	r := newRand(t)
	hidden := make([]bool, tk)
	for j := range hidden {
		hidden[j] = r.IntN(3) == 0
	}
	boolean, float := op.New(op.Bool, 1, 1, tq, tk), normal(r, 1, 1, 1, tq, tk)
	for i := range boolean.Bool {
		if boolean.Bool[i] = !hidden[i%tk]; hidden[i%tk] {
			float.F32[i] = float32(math.Inf(-1))
		}
	}
	q, k, v := normal(r, 1, b, h, tq, d), normal(r, 1, b, g, tk, d), normal(r, 1, b, g, tk, dv)
	for _, mask := range []op.Tensor{boolean, float} {
		s := spec("attention", "")
		want := run(t, open(t, optimized.New(), s), s, q, k, v, mask)
		for _, poison := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			pk, pv := op.New(op.F32, k.Shape...), op.New(op.F32, v.Shape...)
			for i, x := range k.F32 {
				if pk.F32[i] = x; hidden[i/d%tk] {
					pk.F32[i] = float32(poison)
				}
			}
			for i, x := range v.F32 {
				if pv.F32[i] = x; hidden[i/dv%tk] {
					pv.F32[i] = float32(poison)
				}
			}
			same(t, run(t, open(t, optimized.New(), s), s, q, pk, pv, mask), want)
		}
	}
}

func TestAttentionSpecialRows(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	max := float32(math.MaxFloat32)
	// One query of 1, keys and values in order; first come as many keys of score 0 and value 1 as fill pages, where pages is not 0.
	tests := []struct {
		name   string
		pages  int
		scores []float32
		values []float32
		want   float32
	}{
		{"one key", 0, []float32{-3}, []float32{0.3}, 0.3},
		{"all -Inf", 0, []float32{-inf, -inf}, []float32{1, 2}, nan},
		{"-Inf beside a finite score", 0, []float32{-inf, 5}, []float32{1, 2}, 2},
		{"-Inf beside a finite score, its value infinite", 0, []float32{-inf, 5}, []float32{inf, 2}, nan},
		{"+Inf", 0, []float32{inf, 5}, []float32{1, 2}, nan},
		{"+Inf pages later", 2, []float32{inf}, []float32{1}, nan},
		{"NaN", 0, []float32{nan, 5}, []float32{1, 2}, nan},
		{"NaN pages later", 2, []float32{nan}, []float32{1}, nan},
		{"-Inf pages later", 2, []float32{-inf}, []float32{5}, 1},
		{"far ahead, pages later", 2, []float32{200}, []float32{0.3}, 0.3},
		{"far behind, pages later", 2, []float32{-200}, []float32{0.3}, 1},
		{"weight 0 and an infinite value, pages later", 2, []float32{-200}, []float32{inf}, nan},
		{"sums of large values", 0, []float32{0, 0, 0, 0}, []float32{max, max, max, max}, max},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := tt.pages * 64
			scores, values := make([]float32, n), make([]float32, n)
			for i := range values {
				values[i] = 1
			}
			scores, values = append(scores, tt.scores...), append(values, tt.values...)
			n = len(scores)
			s := spec("attention", `{"scale":1}`)
			q, k, v := op.Float32([]float32{1}, 1, 1, 1, 1), op.Float32(scores, 1, 1, n, 1), op.Float32(values, 1, 1, n, 1)
			got := run(t, open(t, optimized.New(), s), s, q, k, v, absent).F32[0]
			if got != tt.want && !(got != got && tt.want != tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("a window as wide as an int", func(t *testing.T) {
		r := newRand(t)
		for _, causal := range []string{"true", "false"} {
			c := newAttentionCase(r)
			s := spec("attention", `{"window":9223372036854775807,"causal":`+causal+"}")
			check(t, 40*u, s, c.q, c.k, c.v, c.mask)
		}
	})
	t.Run("pages of -Inf before a finite score", func(t *testing.T) {
		const n = 130
		scores, values := make([]float32, n), make([]float32, n)
		for i := range n - 1 {
			scores[i] = -inf
		}
		scores[n-1], values[n-1] = -7, 0.3
		s := spec("attention", `{"scale":1}`)
		got := run(t, open(t, optimized.New(), s), s, op.Float32([]float32{1}, 1, 1, 1, 1), op.Float32(scores, 1, 1, n, 1), op.Float32(values, 1, 1, n, 1), absent)
		if got.F32[0] != 0.3 {
			t.Errorf("got %v, want 0.3", got.F32[0])
		}
	})
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

func BenchmarkAttention(b *testing.B) {
	const h, n, d = 12, 512, 64
	r := newRand(b)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("heads=%d/seq=%d/workers=%d", h, n, workers), func(b *testing.B) {
			x := normal(r, 1, 1, h, n, d)
			bench(b, workers, 2*h*n*(n+1)*d, spec("attention", `{"causal":true}`), x, x, x, absent)
		})
	}
}
