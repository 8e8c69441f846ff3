package optimized_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

var absent op.Tensor

func newRand(t testing.TB) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, c := range t.Name() {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(h, 1))
}

// normal returns a tensor of normal deviates times scale.
func normal(r *rand.Rand, scale float64, shape ...int) op.Tensor {
	t := op.New(op.F32, shape...)
	for i := range t.F32 {
		t.F32[i] = float32(r.NormFloat64() * scale)
	}
	return t
}

// ids returns a tensor of numbers in [0, n).
func ids(r *rand.Rand, n int, shape ...int) op.Tensor {
	t := op.New(op.I64, shape...)
	for i := range t.I64 {
		t.I64[i] = r.Int64N(int64(n))
	}
	return t
}

func scalar(v int) op.Tensor { return op.Int64([]int64{int64(v)}) }

func spec(name, attrs string, consts ...op.Tensor) op.Spec {
	return op.Spec{Op: name, Attrs: json.RawMessage(attrs), Const: consts}
}

func open(t testing.TB, impl op.Implementation, s op.Spec) op.Kernel {
	t.Helper()
	k, err := impl.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// run returns the first result of one step, in a buffer that held NaN.
func run(t testing.TB, k op.Kernel, s op.Spec, src ...op.Tensor) op.Tensor {
	t.Helper()
	return results(t, op.F32, k, s, src...)[0]
}

func convert(ts []op.Tensor, d op.DType) []op.Tensor {
	out := make([]op.Tensor, len(ts))
	for i, t := range ts {
		out[i] = t.Convert(d)
	}
	return out
}

// near fails the test where got differs from want in kind, or by more than tol times want's largest finite element and the smallest normal
// number.
func near(t testing.TB, got, want op.Tensor, tol float64) {
	t.Helper()
	size := 0.0
	for i := range want.Len() {
		if w := math.Abs(want.At(i)); w > size && !math.IsInf(w, 0) {
			size = w
		}
	}
	for i := range want.Len() {
		g, w := got.At(i), want.At(i)
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= tol*size+0x1p-126) {
			t.Fatalf("element %d of %v: got %.9g, want %.9g, off by %.3g of the largest, want at most %.3g", i, want.Shape, g, w, math.Abs(g-w)/size, tol)
		}
	}
}

// check compares one call with the reference.
func check(t testing.TB, tol float64, s op.Spec, src ...op.Tensor) {
	t.Helper()
	near(t, run(t, open(t, optimized.New(), s), s, src...), reference(t, s, src...)[0], tol)
}

// same fails the test unless the two tensors hold the same bits.
func same(t testing.TB, got, want op.Tensor) {
	t.Helper()
	if len(got.F32) != len(want.F32) {
		t.Fatalf("%d elements, want %d", len(got.F32), len(want.F32))
	}
	for i := range want.F32 {
		if math.Float32bits(got.F32[i]) != math.Float32bits(want.F32[i]) {
			t.Fatalf("element %d of %v: got %x, want %x", i, want.Shape, math.Float32bits(got.F32[i]), math.Float32bits(want.F32[i]))
		}
	}
}

const u = 1.0 / (1 << 24) // unit roundoff of float32

// blockConst returns the weights of a block, or stacked over layers those of a model's blocks.
func blockConst(r *rand.Rand, layers []int, d, hd, gd, f int) []op.Tensor {
	var out []op.Tensor
	add := func(shift float32, scale float64, shape ...int) {
		x := normal(r, scale, append(append([]int{}, layers...), shape...)...)
		for i := range x.F32 {
			x.F32[i] += shift
		}
		out = append(out, x)
	}
	norm := func() { add(1, 0.1, d); add(0, 0.1, d) }
	layer := func(in, n int) { add(0, 1/math.Sqrt(float64(in)), in, n); add(0, 0.1, n) }
	norm()
	layer(d, hd)
	layer(d, gd)
	layer(d, gd)
	layer(hd, d)
	norm()
	layer(d, f)
	layer(f, d)
	return out
}

// modelSize are the dimensions of a model.
type modelSize struct{ vocab, ctx, layers, d, hd, gd, f int }

// gptConst returns the weights of a model; wpe, lnf and wout say which of the optional ones it has.
func gptConst(r *rand.Rand, m modelSize, wpe, lnf, wout bool) []op.Tensor {
	out := []op.Tensor{normal(r, 0.5, m.vocab, m.d), absent}
	if wpe {
		out[1] = normal(r, 0.1, m.ctx, m.d)
	}
	out = append(out, blockConst(r, []int{m.layers}, m.d, m.hd, m.gd, m.f)...)
	tail := []op.Tensor{absent, absent, absent}
	if lnf {
		tail[0], tail[1] = normal(r, 1, m.d), normal(r, 0.1, m.d)
	}
	if wout {
		tail[2] = normal(r, 0.2, m.d, m.vocab)
	}
	return append(out, tail...)
}

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
	return allResults(t, refimpl.New(), s, op.F64, src...)
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

// allResults runs one call of an implementation, with floats of the storage type.
func allResults(t testing.TB, impl op.Implementation, s op.Spec, storage op.DType, src ...op.Tensor) []op.Tensor {
	t.Helper()
	s.Const, src = convert(s.Const, storage), convert(src, storage)
	return results(t, storage, open(t, impl, s), s, src...)
}

// agrees compares all results of a call with the reference: integers and zeros are equal, floats near.
func agrees(t testing.TB, s op.Spec, src ...op.Tensor) {
	t.Helper()
	got, want := allResults(t, optimized.New(), s, op.F32, src...), reference(t, s, src...)
	for i := range want {
		if !slices.Equal(got[i].I64, want[i].I64) {
			t.Fatalf("%s %s: result %d is %v, want %v", s.Op, s.Attrs, i, got[i].I64, want[i].I64)
		}
		for j, w := range want[i].F64 {
			if g := float64(got[i].F32[j]); g != w && !(math.Abs(g-w) <= 300*u*math.Abs(w)) || (g == 0) != (w == 0) {
				t.Fatalf("%s %s: element %d of result %d is %v, want %v", s.Op, s.Attrs, j, i, g, w)
			}
		}
	}
}

// small is one layer of gpt3-small's dimensions, with a small vocabulary.
var small = modelSize{vocab: 1024, ctx: 1024, layers: 1, d: 768, hd: 768, gd: 768, f: 3072}

// bench times one call, whose cost in arithmetic operations may be given.
func bench(b *testing.B, workers int, flops float64, s op.Spec, src ...op.Tensor) {
	k := open(b, optimized.New(optimized.Workers(workers)), s)
	dst, err := op.Shapes(s, src, op.F32)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Run(dst, src); err != nil {
			b.Fatal(err)
		}
	}
	if flops > 0 {
		b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
}

// onRows calls f with three rows of each length, and the gradients of three rows, for each scale of the rows.
func onRows(t *testing.T, scales []float64, f func(t *testing.T, r *rand.Rand, x, dy op.Tensor)) {
	for _, n := range []int{1, 2, 3, 7, 64, 1000, 50257} {
		for _, scale := range scales {
			t.Run(fmt.Sprintf("n=%d/scale=%g", n, scale), func(t *testing.T) {
				r := newRand(t)
				f(t, r, normal(r, scale, 3, n), normal(r, 1, 3, n))
			})
		}
	}
}

// The scales of rows. At the large ones a single element decides what a softmax is.
var (
	forwardScales  = []float64{1, 30, 1e4}
	backwardScales = []float64{1, 8}
)
