package conformance

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

var (
	f32Formats  = op.Formats{Storage: op.Float32Format, Accumulate: op.Float32Format}
	bf16Formats = op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format}
)

func TestBound(t *testing.T) {
	const u, tiny = 0x1p-24, 0x1p-126
	tests := []struct {
		name          string
		formats       op.Formats
		compare       vector.Compare
		want, acc, in float64
		eta           float64
		bound         float64
	}{
		{"output rounding only", f32Formats, vector.Bound, 3, 0, 0, 0, 2 * u * 3},
		{"arithmetic", f32Formats, vector.Bound, -3, 10, 0, 0, 2 * u * 13},
		{"inputs are exact in float32", f32Formats, vector.Bound, 3, 10, 1e9, 0, 2 * u * 13},
		{"inputs are rounded in bfloat16", bf16Formats, vector.Bound, 3, 10, 5, 0, 2 * (u*10 + 0x1p-8*(3+5))},
		{"underflow", f32Formats, vector.Bound, 0, 0, 0, 4, 4 * tiny},
		{"exact: one ulp", f32Formats, vector.Exact, 3, 10, 5, 4, 0x1p-22},
		{"exact at zero: one subnormal", f32Formats, vector.Exact, 0, 10, 5, 4, 0x1p-149},
		{"exact in float32 accumulated in bfloat16", op.Formats{Storage: op.Float32Format, Accumulate: op.BFloat16Format}, vector.Exact, 1, 0, 0, 0, 0x1p-7},
		{"exact in bfloat16", bf16Formats, vector.Exact, 1, 10, 5, 4, 0x1p-7},
		{"finite", f32Formats, vector.Finite, 3, 10, 5, 4, math.Inf(1)},
	}
	for _, tt := range tests {
		e := &vector.Expect{Want: []float64{tt.want}, Acc: []float64{tt.acc}, In: []float64{tt.in}, Eta: tt.eta}
		if got := (tolerance{e, tt.compare, tt.formats}).bound(0); got != tt.bound {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.bound)
		}
	}
}

func TestCompareElement(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	const big = math.MaxFloat32
	tests := []struct {
		name      string
		compare   vector.Compare
		want, got float64
		acc       float64
		ok        bool
	}{
		{"equal", vector.Bound, 1, 1, 0, true},
		{"minus zero is zero", vector.Bound, 0, math.Copysign(0, -1), 0, true},
		{"anything but zero is not, without a gauge", vector.Bound, 0, 1e-300, 0, false},
		{"inside", vector.Bound, 1, 1 + 0x1p-23, 0, true},
		{"outside", vector.Bound, 1, 1 + 0x1.8p-23, 0, false},
		{"NaN for NaN", vector.Bound, nan, nan, 0, true},
		{"NaN never passes as a number", vector.Bound, 1, nan, 1e30, false},
		{"nor under finite", vector.Finite, 1, nan, 0, false},
		{"a number never passes as NaN", vector.Finite, nan, 1, 0, false},
		{"infinity for infinity", vector.Bound, inf, inf, 0, true},
		{"sign of infinity", vector.Bound, inf, -inf, 0, false},
		{"a large number is no infinity", vector.Bound, inf, big, 0, false},
		{"infinity for a number", vector.Bound, 1e30, inf, 0, false},
		{"infinity where the number overflows", vector.Bound, 1e39, inf, 0, true},
		{"sign of overflow", vector.Bound, 1e39, -inf, 0, false},
		{"infinity at the edge of overflow", vector.Bound, big, inf, big, true},
		{"infinity where the bound reaches overflow", vector.Bound, 0.9 * big, inf, 0.9e7 * big, true},
		{"and where it does not", vector.Bound, 0.9 * big, inf, 0.5e6 * big, false},
		{"saturation is not overflow", vector.Bound, 1e39, big, 0, false},
		{"saturation is not overflow in exact cases", vector.Exact, 1e39, big, 0, false},
		{"one ulp in exact cases", vector.Exact, 1, 1 + 0x1p-23, 0, true},
		{"two ulp in exact cases", vector.Exact, 1, 1 + 0x1p-22, 1e9, false},
		{"exact cases round want", vector.Exact, 1 + 0x1p-30, 1, 0, true},
		{"any number under finite", vector.Finite, 1, -1e9, 0, true},
		{"infinity under finite", vector.Finite, 1, inf, 0, false},
		{"overflow under finite", vector.Finite, 1e39, inf, 0, true},
		{"overflow in exact cases", vector.Exact, 1e39, inf, 0, true},
		{"the largest number that there is", vector.Exact, big, big, 0, true},
		{"saturation inside a bound", vector.Bound, 1e39, big, 1e47, true},
	}
	for _, tt := range tests {
		e := &vector.Expect{Want: []float64{tt.want}, Acc: []float64{tt.acc}, In: []float64{0}}
		ratio, why := (tolerance{e, tt.compare, f32Formats}).compareElement(0, tt.got)
		if (why == "") != tt.ok {
			t.Errorf("%s: want %v, got %v: ratio %v, %q", tt.name, tt.want, tt.got, ratio, why)
		}
		if math.IsNaN(ratio) || tt.ok && ratio > 1 || !tt.ok && ratio <= 1 {
			t.Errorf("%s: ratio %v does not agree with the verdict", tt.name, ratio)
		}
	}
}

func TestCompareSampled(t *testing.T) {
	e := &vector.Expect{Name: "y", Shape: []int{2, 3}, Sampled: true, Index: []int64{1, 5}, Want: []float64{10, 20}, Acc: []float64{0, 0}, In: []float64{0, 0}}
	got := op.Float32([]float32{-1, 10, -1, -1, -1, 21}, 2, 3)
	_, m := compareTensor(tolerance{e, vector.Bound, f32Formats}, got)
	if m == nil || m.Count != 1 || m.Of != 2 || m.Index[0] != 1 || m.Index[1] != 2 || m.Got != 21 || m.Want != 20 {
		t.Errorf("got %+v", m)
	}
}

// The mismatch that is shown is the one furthest outside, wherever it stands, and all are counted; the ratio is the largest of all.
func TestCompareShowsTheWorst(t *testing.T) {
	e := &vector.Expect{Name: "y", Shape: []int{2, 2}, Want: []float64{1, 1, 1, 1}, Acc: make([]float64, 4), In: make([]float64, 4)}
	for at := range 4 {
		got := []float32{1, 1.25, 1.25, 1}
		got[at] += 0.5
		count := 2
		if at == 0 || at == 3 {
			count = 3
		}
		worst, m := compareTensor(tolerance{e, vector.Bound, f32Formats}, op.Float32(got, 2, 2))
		if m == nil || m.Index[0] != at/2 || m.Index[1] != at%2 || m.Count != count || m.Of != 4 || float64(m.Ratio) != worst || worst < 0x1p22 {
			t.Errorf("element %d: ratio %v, %+v", at, worst, m)
		}
		inside := []float32{1, 1, 1, 1}
		inside[at] += 0x1p-23
		if worst, m := compareTensor(tolerance{e, vector.Bound, f32Formats}, op.Float32(inside, 2, 2)); m != nil || worst != 1 {
			t.Errorf("element %d, an ulp off: ratio %v, %+v", at, worst, m)
		}
	}
}

// Integers are compared where they are stored, one by one.
func TestCompareIntegers(t *testing.T) {
	whole := &vector.Expect{Name: "y", Type: "I64", Shape: []int{4}, Ints: []int64{5, 6, 7, 8}}
	some := &vector.Expect{Name: "y", Type: "I64", Shape: []int{4}, Sampled: true, Index: []int64{1, 3}, Ints: []int64{6, 8}}
	for _, tt := range []struct {
		expect       *vector.Expect
		got          []int64
		index, count int
	}{
		{whole, []int64{5, 6, 7, 8}, 0, 0}, {whole, []int64{5, 6, 7, 9}, 3, 1}, {whole, []int64{5, 0, 7, 0}, 1, 2},
		{some, []int64{0, 6, 0, 8}, 0, 0}, {some, []int64{6, 8, 0, 8}, 1, 1}, {some, []int64{5, 6, 7, 7}, 3, 1},
	} {
		worst, m := compareTensor(tolerance{tt.expect, vector.Exact, f32Formats}, op.Int64(tt.got, 4))
		switch {
		case tt.count == 0 && (m != nil || worst != 0):
			t.Errorf("%v: %v, %+v", tt.got, worst, m)
		case tt.count != 0 && (m == nil || m.Count != tt.count || m.Index[0] != tt.index || !math.IsInf(worst, 1) || m.Of != len(tt.expect.Ints)):
			t.Errorf("%v: %v, %+v, want %d mismatches, the first at %d", tt.got, worst, m, tt.count, tt.index)
		}
	}
}

func TestUnravel(t *testing.T) {
	for flat := range 24 {
		if got := unravel(flat, []int{2, 3, 4}); got[0] != flat/12 || got[1] != flat/4%3 || got[2] != flat%4 {
			t.Errorf("%d is at %v", flat, got)
		}
	}
}

// Between the samples nothing is known but that it is finite, and NaN there must not pass.
func TestCompareBetweenSamples(t *testing.T) {
	e := &vector.Expect{Name: "y", Shape: []int{4}, Sampled: true, Index: []int64{0, 3}, Want: []float64{1, 2}, Acc: []float64{0, 0}, In: []float64{0, 0}}
	nan := float32(math.NaN())
	for _, tt := range []struct {
		got []float32
		ok  bool
	}{{[]float32{1, 5, -7, 2}, true}, {[]float32{1, nan, 0, 2}, false}, {[]float32{1, 0, float32(math.Inf(-1)), 2}, false}} {
		if _, m := compareTensor(tolerance{e, vector.Bound, f32Formats}, op.Float32(tt.got, 4)); (m == nil) != tt.ok {
			t.Errorf("%v: got %+v", tt.got, m)
		}
	}
	e.Index[1] = 2 // and behind the last
	if _, m := compareTensor(tolerance{e, vector.Bound, f32Formats}, op.Float32([]float32{1, 5, 2, nan}, 4)); m == nil || m.Index[0] != 3 || m.Of != 4 || m.Count != 1 {
		t.Errorf("NaN behind the last sample: got %+v", m)
	}
	e.Index[1] = 3
	e.Want[1] = math.Inf(1) // an overflow somewhere: then the rest may be anything
	if _, m := compareTensor(tolerance{e, vector.Bound, f32Formats}, op.Float32([]float32{1, float32(math.Inf(1)), nan, float32(math.Inf(1))}, 4)); m != nil {
		t.Errorf("with an infinity among the samples: %+v", m)
	}
}

func TestNumberInJSON(t *testing.T) {
	b, err := json.Marshal([]Number{1.5, Number(math.Inf(1)), Number(math.Inf(-1)), Number(math.NaN()), 0x1p-149})
	if want := `[1.5,"+Inf","-Inf","NaN",1.40129846e-45]`; err != nil || string(b) != want {
		t.Errorf("got %s, %v; want %s", b, err, want)
	}
}
