package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// generated are the results of a step that gives two tokens, and where the third result is absent.
func generated(a, b int64, length int64) []vector.Expect {
	return []vector.Expect{
		{Name: "tokens", Type: "I64", Shape: []int{2}, Ints: []int64{a, b}},
		{Name: "length", Type: "I64", Shape: []int{}, Ints: []int64{length}},
		{Name: "score"},
	}
}

// generation is a case with such results, made by hand: it borrows the names of an op's results, and its kernels are not opened by the op
// table.
func generation(s vector.Step, compare vector.Compare) trace {
	return trace{
		opCase: opCase{"gpt.generate", &vector.Case{ID: "gpt.generate/case", Clauses: []string{"DEC-1"}, Attrs: json.RawMessage("{}"), Compare: compare, Steps: []vector.Step{s}}},
		tensors: tensors{
			src: [][]op.Tensor{{op.Int64([]int64{1}, 1), {}}},
			dst: [][]op.Tensor{{op.New(op.I64, 2), op.New(op.I64), {}}},
		},
	}
}

type stub func(dst []op.Tensor)

func (s stub) Open(op.Spec) (op.Kernel, error) { return s, nil }

func (s stub) Run(dst, _ []op.Tensor) error {
	s(dst)
	return nil
}

// answer gives these numbers.
func answer(a, b, length int64) stub {
	return func(dst []op.Tensor) { dst[0].I64[0], dst[0].I64[1], dst[1].I64[0] = a, b, length }
}

func TestIntegersAlternativesAndAbsentResults(t *testing.T) {
	step := vector.Step{Dst: generated(7, 3, 2), Or: [][]vector.Expect{generated(7, 4, 1)}}
	for _, tt := range []struct {
		name    string
		impl    stub
		compare vector.Compare
		says    string // a part of the failure; empty: it passes
	}{
		{"right", answer(7, 3, 2), vector.Bound, ""},
		{"the alternative", answer(7, 4, 1), vector.Bound, ""},
		{"a mixture of the two", answer(7, 4, 2), vector.Bound, "tokens[1]: got 4, want 3, bound 0, ratio +Inf: want exactly this integer, and 1 alternatives do not fit either"},
		{"the other mixture", answer(7, 3, 1), vector.Bound, "length[]: got 1, want 2"},
		{"a wrong token", answer(8, 3, 2), vector.Bound, "tokens[0]: got 8, want 7"},
		{"a wrong token where only the kind of floats is judged", answer(8, 3, 2), vector.Finite, "tokens[0]: got 8, want 7"},
		{"a token that is never written", func(dst []op.Tensor) { dst[0].I64[0], dst[1].I64[0] = 7, 2 }, vector.Bound, "BUF-1] step 0: tokens[1] holds what it held before"},
		{"a token past the end", func(dst []op.Tensor) { answer(7, 3, 2)(dst); dst[0].I64[:3][2] = 0 }, vector.Bound, "BUF-2] step 0: tokens: element 2"},
		{"the absent result, through its slice", func(dst []op.Tensor) { answer(7, 3, 2)(dst); dst[2].F32[0] = 1 }, vector.Bound, "BUF-6] step 0: panic"},
		{"the absent result, with a tensor of its own", func(dst []op.Tensor) { answer(7, 3, 2)(dst); dst[2] = op.New(op.F32) }, vector.Bound,
			"BUF-2] step 0: score was written, and is absent in this call"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := generation(step, tt.compare)
			tr.impl = tt.impl
			_, err := execute(tr, f32Formats, 1, false)
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("got %v, want a failure that says %q", err, tt.says)
			}
		})
	}
}

func TestErrorsAboutNumbers(t *testing.T) {
	p := generation(vector.Step{Error: "number"}, vector.Exact)
	if err := p.rightKind(0, op.ErrNumber); err != nil {
		t.Error(err)
	}
	if err := p.rightKind(0, op.ErrIndex); err == nil {
		t.Error("an error about an index passes for one about a number")
	}
}
