package optimized_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

func BenchmarkMatMul(b *testing.B) {
	r := newRand(b)
	for _, n := range []int{64, 512, 1024} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("n=%d/workers=%d", n, workers), func(b *testing.B) {
				bench(b, workers, 2*float64(n)*float64(n)*float64(n), spec("matmul", ""), normal(r, 1, n, n), normal(r, 1, n, n))
			})
		}
	}
}

// BenchmarkMatMulNaive is the triple loop that BenchmarkMatMul is to be compared with.
func BenchmarkMatMulNaive(b *testing.B) {
	const n = 512
	r := newRand(b)
	x, y, c := normal(r, 1, n, n).F32, normal(r, 1, n, n).F32, make([]float32, n*n)
	for b.Loop() {
		for i := range n {
			for j := range n {
				var sum float32
				for k := range n {
					sum += x[i*n+k] * y[k*n+j]
				}
				c[i*n+j] = sum
			}
		}
	}
	b.ReportMetric(2*float64(n*n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// A product A B of random shape in float64, and what bounds its error: that of every element is within the proved bound of its sum (Higham
// 2002, section 3.1), K+1 roundings of |A| |B| + |bias|.
type product struct {
	m, k, n    int
	a, b       op.Tensor
	want, size []float64 // A B and |A| |B|
}

func newProduct(r *rand.Rand) product {
	p := product{m: 1 + r.IntN(140), k: 1 + r.IntN(600), n: 1 + r.IntN(60)}
	p.a, p.b = normal(r, 1, p.m, p.k), normal(r, 1, p.k, p.n)
	p.want, p.size = make([]float64, p.m*p.n), make([]float64, p.m*p.n)
	for e := range p.want {
		for i := range p.k {
			term := float64(p.a.F32[e/p.n*p.k+i]) * float64(p.b.F32[i*p.n+e%p.n])
			p.want[e] += term
			p.size[e] += math.Abs(term)
		}
	}
	return p
}

// bounded holds got to A B plus the bias, which may be nil.
func (p product) bounded(t *testing.T, got op.Tensor, bias []float32) {
	t.Helper()
	for e, g := range got.F32 {
		want, size := p.want[e], p.size[e]
		if bias != nil {
			want += float64(bias[e%p.n])
			size += math.Abs(float64(bias[e%p.n]))
		}
		if bound := float64(p.k+1) * u * size; !(math.Abs(float64(g)-want) <= bound) {
			t.Fatalf("[%d %d] x [%d %d]: element (%d, %d) is %v, want %v within %.3g", p.m, p.k, p.k, p.n, e/p.n, e%p.n, g, want, bound)
		}
	}
}

func TestMatMul(t *testing.T) {
	t.Parallel()
	for i := range 24 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p := newProduct(newRand(t))
			for _, trans := range []struct {
				attrs string
				a, b  op.Tensor
			}{
				{``, p.a, p.b},
				{`{"transpose_a":true}`, transposed(p.a), p.b},
				{`{"transpose_b":true}`, p.a, transposed(p.b)},
				{`{"transpose_a":true,"transpose_b":true}`, transposed(p.a), transposed(p.b)},
			} {
				s := spec("matmul", trans.attrs)
				p.bounded(t, run(t, open(t, optimized.New(), s), s, trans.a, trans.b), nil)
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

func TestMatMulGradient(t *testing.T) {
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
		})
	}
}
