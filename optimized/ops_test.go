package optimized_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
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

// Rows that are ignored, and what stands in them, count for nothing.
func TestIgnoredTargets(t *testing.T) {
	r := newRand(t)
	x := normal(r, 3, 4, 7)
	x.F32[7] = float32(math.NaN())
	for _, targets := range [][]int64{{3, -100, 6, -100}, {-100, -100, -100, -100}} {
		for _, reduction := range []string{"none", "sum", "mean"} {
			check(t, 4*u, spec("cross_entropy", fmt.Sprintf(`{"reduction":%q}`, reduction)), x, op.Int64(targets, 4))
		}
	}
}

// The error of every element is within the proved bound of its sum (Higham 2002, section 3.1): K+1 roundings of |A| |B| + |bias|.
func TestProducts(t *testing.T) {
	t.Parallel()
	for i := range 24 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			m, k, n := 1+r.IntN(140), 1+r.IntN(600), 1+r.IntN(60)
			a, b, bias := normal(r, 1, m, k), normal(r, 1, k, n), normal(r, 1, n)
			want, size := make([]float64, m*n), make([]float64, m*n) // A B and |A| |B|
			for e := range want {
				for p := range k {
					term := float64(a.F32[e/n*k+p]) * float64(b.F32[p*n+e%n])
					want[e] += term
					size[e] += math.Abs(term)
				}
			}
			bounded := func(got op.Tensor, bias []float32) {
				t.Helper()
				for e, g := range got.F32 {
					want, size := want[e], size[e]
					if bias != nil {
						want += float64(bias[e%n])
						size += math.Abs(float64(bias[e%n]))
					}
					if bound := float64(k+1) * u * size; !(math.Abs(float64(g)-want) <= bound) {
						t.Fatalf("[%d %d] x [%d %d]: element (%d, %d) is %v, want %v within %.3g", m, k, k, n, e/n, e%n, g, want, bound)
					}
				}
			}
			for _, trans := range []struct {
				attrs string
				a, b  op.Tensor
			}{
				{``, a, b},
				{`{"transpose_a":true}`, transposed(a), b},
				{`{"transpose_b":true}`, a, transposed(b)},
				{`{"transpose_a":true,"transpose_b":true}`, transposed(a), transposed(b)},
			} {
				s := spec("matmul", trans.attrs)
				bounded(run(t, open(t, optimized.New(), s), s, trans.a, trans.b), nil)
			}
			for _, bias := range []op.Tensor{bias, absent} {
				s := spec("linear", "", b, bias)
				bounded(run(t, open(t, optimized.New(), s), s, a), bias.F32)
			}
		})
	}
}

func transposed(x op.Tensor) op.Tensor {
	m, n := x.Shape[0], x.Shape[1]
	y := op.New(op.F32, n, m)
	for i := range m {
		for j := range n {
			y.F32[j*m+i] = x.F32[i*n+j]
		}
	}
	return y
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

// A row that holds a NaN or an infinity makes its own row of the product NaN where B is 0, and no other.
func TestProductOfSpecials(t *testing.T) {
	const m, k, n = 5, 300, 7
	for _, special := range []float64{math.NaN(), math.Inf(1)} {
		for row := range m {
			a := op.New(op.F32, m, k)
			a.F32[row*k+k-1] = float32(special)
			s := spec("matmul", "")
			for i, v := range run(t, open(t, optimized.New(), s), s, a, op.New(op.F32, k, n)).F32 {
				if isNaN := v != v; isNaN != (i/n == row) {
					t.Fatalf("%v in row %d: element (%d, %d) is %v", special, row, i/n, i%n, v)
				}
			}
		}
	}
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

func TestModels(t *testing.T) {
	m := modelSize{vocab: 51, ctx: 90, layers: 3, d: 12, hd: 12, gd: 6, f: 40}
	for i, tt := range []struct {
		attrs          string
		wpe, lnf, wout bool
	}{
		{``, true, true, false},
		{`,"windows":[0,5]`, true, true, true},
		{`,"norm":"post","positions":"sinusoidal","scale_embedding":true,"activation":"relu"`, false, false, false},
		{`,"positions":"none","activation":"gelu_tanh"`, false, true, false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			c := gptConst(r, m, tt.wpe, tt.lnf, tt.wout)
			attrs := `{"heads":4,"kv_heads":2` + tt.attrs + `}`
			check(t, 500*u, spec("gpt", attrs, c...), ids(r, m.vocab, 2, 70))
			check(t, 500*u, spec("gpt.loss", attrs, c...), ids(r, m.vocab, 2, 70), ids(r, m.vocab, 2, 70))
			check(t, 500*u, spec("gpt.loss", attrs[:len(attrs)-1]+`,"reduction":"none"}`, c...), ids(r, m.vocab, 2, 70), ids(r, m.vocab, 2, 70))
		})
	}
	r := newRand(t)
	check(t, 0, spec("embedding", "", normal(r, 1, 9, 5)), ids(r, 9, 2, 3))
	check(t, 0, spec("learned_positions", "", normal(r, 1, 9, 5)), ids(r, 9, 3))
	check(t, u, spec("sinusoidal_positions", `{"d_model":10}`), op.Int64([]int64{0, 1, 2047, 1 << 30}, 4))
}
