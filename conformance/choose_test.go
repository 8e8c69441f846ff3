package conformance

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// A token that floats decide is held to formats only where they have the numbers that decide, and an arithmetic for which cases keep their
// distance. Exact cases need no distance, and an op of integers alone no format.
func TestTokensInNarrowFormats(t *testing.T) {
	short, long := []float32{1, 2, float32(math.NaN()), float32(math.Inf(-1))}, []float32{1, 1 + 0x1p-20, 0, 0}
	formats := func(storage, accumulate op.Format) op.Formats {
		return op.Formats{Storage: storage, Accumulate: accumulate}
	}
	tokens := []vector.Expect{{Name: "token", Type: "I64", Shape: []int{1}, Ints: []int64{0}}}
	floats := []vector.Expect{{Name: "y", Shape: []int{1}, Want: []float64{1}, Acc: []float64{0}, In: []float64{0}}}
	for _, tt := range []struct {
		name    string
		x       []float32
		dst     []vector.Expect
		compare vector.Compare
		formats op.Formats
		says    string // empty: it applies
	}{
		{"float32", long, tokens, vector.Bound, f32Formats, ""},
		{"float64", long, tokens, vector.Bound, formats(op.Float64Format, op.Float64Format), ""},
		{"bfloat16 has the numbers", short, tokens, vector.Bound, formats(op.BFloat16Format, op.Float32Format), ""},
		{"bfloat16 has not", long, tokens, vector.Bound, formats(op.BFloat16Format, op.Float32Format), "bfloat16 rounds the inputs by which tokens are chosen"},
		{"nor in an exact case", long, tokens, vector.Exact, formats(op.BFloat16Format, op.Float32Format), "bfloat16 rounds the inputs by which tokens are chosen"},
		{"arithmetic in bfloat16", short, tokens, vector.Bound, formats(op.BFloat16Format, op.BFloat16Format), "tokens may be others in bfloat16 arithmetic"},
		{"the same in an exact case", short, tokens, vector.Exact, formats(op.BFloat16Format, op.BFloat16Format), ""},
		{"integers alone", nil, tokens, vector.Exact, formats(op.BFloat16Format, op.BFloat16Format), ""},
		{"no tokens", long, floats, vector.Bound, formats(op.BFloat16Format, op.Float32Format), ""},
	} {
		c := opCase{Case: &vector.Case{Compare: tt.compare, Attrs: json.RawMessage("{}"), Steps: []vector.Step{{Dst: tt.dst}}}}
		src := op.Int64([]int64{1}, 1)
		if tt.x != nil {
			src = op.Float32(tt.x, len(tt.x))
		}
		for _, where := range []tensors{{src: [][]op.Tensor{{src}}}, {consts: []op.Tensor{src}}} {
			err := c.applies(where, tt.formats)
			if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, errNotApplicable) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
			}
		}
	}
}

// A case applies up to bounds of a tenth of the root mean square of its results. Elements that are judged by their kind do not count.
func TestBoundsThatSayNothing(t *testing.T) {
	u := op.Float32Format.UnitRoundoff()
	for _, tt := range []struct {
		name  string
		want  []float64
		bound float64 // of each element, beside the rounding of the result
		ok    bool
	}{
		{"narrow", []float64{3, -4}, 0.34, true},
		{"wide", []float64{3, -4}, 0.37, false},
		{"NaN and infinities do not count", []float64{3, math.NaN(), -4, math.Inf(1)}, 0.34, true},
		{"nor make it narrower", []float64{3, math.NaN(), -4, math.Inf(-1)}, 0.37, false},
		{"zeros alone", []float64{0, 0}, 1, true},
	} {
		e := vector.Expect{Name: "y", Shape: []int{len(tt.want)}, Want: tt.want, In: make([]float64, len(tt.want))}
		for range tt.want {
			e.Acc = append(e.Acc, tt.bound/(2*u))
		}
		c := opCase{Case: &vector.Case{Compare: vector.Bound, Steps: []vector.Step{{Dst: []vector.Expect{e}}}}}
		if err := c.applies(tensors{}, f32Formats); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want it to apply: %v", tt.name, err, tt.ok)
		}
		c.Compare = vector.Finite
		if err := c.applies(tensors{}, f32Formats); err != nil {
			t.Errorf("%s, by kind: %v", tt.name, err)
		}
	}
}

// A format fits numbers from its smallest normal one to its largest, and 0, infinities and NaN.
func TestFits(t *testing.T) {
	for x, want := range map[float64]bool{
		0: true, 0x1p-14: true, -0x1p-14: true, 0x1p-15: false, -0x1p-15: false, 65504: true, -65504: true, 65536: false, -65536: false,
		math.Inf(1): true, math.Inf(-1): true, math.NaN(): true,
	} {
		ts := tensors{consts: []op.Tensor{op.Float32([]float32{1, float32(x)}, 2)}}
		if got := ts.fit(op.Float16Format); got != want {
			t.Errorf("%v fits float16: %v, want %v", x, got, want)
		}
		if !ts.fit(op.BFloat16Format) || !ts.fit(op.Float32Format) {
			t.Errorf("%v does not fit a format of the range of float32", x)
		}
	}
}
