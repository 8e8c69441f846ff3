package conformance

import (
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// four has four elements, the same of each dtype.
func four(d op.DType) op.Tensor {
	switch d {
	case op.F32:
		return op.Float32([]float32{1, 2, float32(math.NaN()), 4}, 4)
	case op.F64:
		return op.Float64([]float64{1, 2, math.NaN(), 4}, 4)
	case op.I64:
		return op.Int64([]int64{1, 2, 3, 4}, 4)
	}
	return op.Bools([]bool{true, false, true, true}, 4)
}

// change gives element i of t another value than any that fills a buffer.
func change(t op.Tensor, i int) {
	switch t.DType {
	case op.F32:
		t.F32[i] = 77
	case op.F64:
		t.F64[i] = 77
	case op.I64:
		t.I64[i] = 77
	default:
		t.Bool[i] = !t.Bool[i]
	}
}

// Buffers notice one changed element, wherever it is, in each dtype and at each alignment.
func TestBuffersNotice(t *testing.T) {
	for _, d := range []op.DType{op.F32, op.F64, op.I64, op.Bool} {
		for shift := range 4 {
			a := guarded(four(d), shift)
			if at := differ(a.Tensor, four(d)); at >= 0 || a.checkGuards("x") != nil {
				t.Errorf("%v, shift %d: a copy differs at %d, guards: %v", d, shift, at, a.checkGuards("x"))
			}
			if n := a.whole.Len(); a.start < guard || n-a.start-a.Len() < guard {
				t.Errorf("%v, shift %d: %d elements in %d from %d: want %d before and after", d, shift, a.Len(), n, a.start, guard)
			}
			for i := range a.whole.Len() {
				a := guarded(four(d), shift)
				change(a.whole, i)
				inside := i >= a.start && i < a.start+a.Len()
				if got := a.checkGuards("x") == nil; got != inside {
					t.Errorf("%v, shift %d: element %d was written, and the guards hold: %v, want %v", d, shift, i-a.start, got, inside)
				}
				if want := i - a.start; inside && differ(a.Tensor, four(d)) != want {
					t.Errorf("%v: element %d was changed, differ says %d", d, want, differ(a.Tensor, four(d)))
				}
			}
		}
	}
}

// A result arrives unwritten, and each element that is not written is found. A boolean has no value for that: ops have no boolean results.
func TestUnwrittenElements(t *testing.T) {
	for _, d := range []op.DType{op.F32, op.F64, op.I64} {
		for missing := range 4 {
			a := newArena(d, []int{4}, 1)
			for i := range 4 {
				if i != missing {
					change(a.Tensor, i)
				}
			}
			if a.checkWritten("y") == nil {
				t.Errorf("%v: element %d was never written", d, missing)
			}
			change(a.Tensor, missing)
			if err := a.checkWritten("y"); err != nil {
				t.Errorf("%v: all were written: %v", d, err)
			}
		}
		nan := newArena(d, []int{1}, 0)
		spent.fill(nan.Tensor)
		if err := nan.checkWritten("y"); err != nil {
			t.Errorf("%v: a result made of what was overwritten is taken for never written: %v", d, err)
		}
	}
}

// What was overwritten after a step is not what it was, and every later write to it, or around it, is noticed.
func TestSpentBuffers(t *testing.T) {
	for _, d := range []op.DType{op.F32, op.F64, op.I64, op.Bool} {
		fresh := func() arena {
			a := guarded(four(d), 2)
			spent.fill(a.Tensor)
			return a
		}
		for i := range 4 {
			if at := fresh().copied(); at.At(i) == four(d).At(i) && at.At(i) != 0 {
				t.Errorf("%v: element %d is as it was", d, i)
			}
		}
		if !fresh().spent() {
			t.Errorf("%v: a buffer that nobody wrote is not spent", d)
		}
		for i := range fresh().whole.Len() {
			a := fresh()
			if change(a.whole, i); a.spent() {
				t.Errorf("%v: element %d was written, and nobody noticed", d, i-a.start)
			}
		}
	}
	if !(arena{}).spent() {
		t.Error("an absent tensor is not spent")
	}
}

// A kernel may do what it likes to the shape that it is shown.
func TestLentShapes(t *testing.T) {
	a := guarded(four(op.I64), 0)
	a.lend().Shape[0] = 9
	if a.Shape[0] != 4 {
		t.Error("the kernel's shape is the suite's")
	}
}
