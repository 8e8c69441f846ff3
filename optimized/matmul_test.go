package optimized_test

import (
	"fmt"
	"math"
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
