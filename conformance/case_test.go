package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// What a case stores must be of the form that the op table gives the results.
func TestResultsThatTheTableDoesNotKnow(t *testing.T) {
	dst := generation(vector.Step{}, vector.Exact).dst[0]
	for name, edit := range map[string]func([]vector.Expect){
		"tokens is [1], the op table makes it [2]":       func(r []vector.Expect) { r[0].Shape = []int{1} },
		`tokens has dtype "", the op table makes it I64`: func(r []vector.Expect) { r[0].Type = "" },
		"score is there: true, the op table says false":  func(r []vector.Expect) { r[2].Shape = []int{} },
		"length is there: false, the op table says true": func(r []vector.Expect) { r[1].Shape = nil },
	} {
		or := generated(7, 3, 2)
		edit(or)
		for _, s := range []vector.Step{{Dst: or}, {Dst: generated(7, 3, 2), Or: [][]vector.Expect{or}}} {
			if err := agree(&s, dst); err == nil || err.Error() != name {
				t.Errorf("got %v, want %q", err, name)
			}
		}
	}
}

// Where the shapes are wrong there are destinations all the same, one for each result, of its type.
func TestDestinationsOfWrongShapes(t *testing.T) {
	dst := standIns("beam_search", op.Float32Format)
	if len(dst) != 3 || dst[0].DType != op.I64 || dst[1].DType != op.I64 || dst[2].DType != op.F32 || dst[0].Len() != 1 || dst[2].Len() != 1 {
		t.Errorf("got %v", dst)
	}
	if dst := standIns("beam_search", op.Float64Format); dst[2].DType != op.F64 {
		t.Errorf("got %v for float64", dst[2])
	}
	wrong := traceOf(t, [2]float64{1, 1}).Case
	wrong.Steps[0].Dst[0].Shape = []int{2}
	if _, err := (opCase{"relu", wrong}).tensorsIn(op.Float32Format); !errors.Is(err, vector.ErrCorrupt) {
		t.Errorf("a stored result of another shape: got %v, want ErrCorrupt", err)
	}
}

// The neighbour works on other floats, all of them, and integers of sources, of the same shapes; the case's own stay.
func TestOtherNumbers(t *testing.T) {
	ts := tensors{
		consts: []op.Tensor{op.Float32([]float32{1, 2, 3}, 3), {}, op.Int64([]int64{1, 2}, 2)},
		src:    [][]op.Tensor{{op.Float64([]float64{4, 5}, 2), op.Int64([]int64{6, 8}, 2), op.Bools([]bool{true}, 1)}, {op.Float32([]float32{7, -7.5}, 2)}},
	}
	before := fmt.Sprint(ts.consts, ts.src)
	other := ts.others()
	if got := fmt.Sprint(ts.consts, ts.src); got != before {
		t.Errorf("the case itself was changed: %s", got)
	}
	want := fmt.Sprint([]op.Tensor{op.Float32([]float32{-2, -3, -1}, 3), {}, op.Int64([]int64{1, 2}, 2)},
		[][]op.Tensor{{op.Float64([]float64{-5, -4}, 2), op.Int64([]int64{8, 6}, 2), op.Bools([]bool{true}, 1)}, {op.Float32([]float32{7.5, -7}, 2)}})
	if got := fmt.Sprint(other.consts, other.src); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
