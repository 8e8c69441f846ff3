package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// guard is how many elements stand before and after every buffer that a kernel is given.
const guard = 16

// mark is what fills the elements of a buffer, one value for each dtype. The NaNs carry a payload, so that they can be told from a NaN that
// a kernel computed, and those of one mark from those of another.
type mark struct {
	f32  float32
	f64  float64
	i64  int64
	bool bool
}

var (
	// unwritten fills a buffer before the kernel sees it.
	unwritten = mark{math.Float32frombits(0x7fc0a55a), math.Float64frombits(0x7ff80000a55aa55a), math.MinInt64 + 0xa55a, true}
	// spent fills a tensor that a kernel has no business with any more. Results made of it are not taken for never written.
	spent = mark{math.Float32frombits(0x7fc05aa5), math.Float64frombits(0x7ff800005aa55aa5), math.MinInt64 + 0x5aa5, false}
)

// fill gives every element of t the mark.
func (m mark) fill(t op.Tensor) {
	for i := range t.F32 {
		t.F32[i] = m.f32
	}
	for i := range t.F64 {
		t.F64[i] = m.f64
	}
	for i := range t.I64 {
		t.I64[i] = m.i64
	}
	for i := range t.Bool {
		t.Bool[i] = m.bool
	}
}

// at reports whether element i of t still holds the mark.
func (m mark) at(t op.Tensor, i int) bool {
	switch t.DType {
	case op.F32:
		return math.Float32bits(t.F32[i]) == math.Float32bits(m.f32)
	case op.F64:
		return math.Float64bits(t.F64[i]) == math.Float64bits(m.f64)
	case op.I64:
		return t.I64[i] == m.i64
	}
	return t.Bool[i] == m.bool
}

// arena is a tensor between guards. Its slices' capacity reaches into the guard behind them, so that a kernel which reslices too far is
// caught like one that writes through a pointer.
type arena struct {
	op.Tensor
	whole op.Tensor // flat: guard, data, guard
	start int
}

// newArena returns an arena whose data begins shift elements later than it could, so that kernels meet buffers that are not aligned.
func newArena(d op.DType, shape []int, shift int) arena {
	n, _ := op.Elements(shape)
	a := arena{whole: op.New(d, n+2*guard+shift), start: guard + shift}
	unwritten.fill(a.whole)
	a.Tensor = op.Tensor{DType: d, Shape: slices.Clone(shape)}
	end := a.start + n
	switch d {
	case op.F32:
		a.F32 = a.whole.F32[a.start:end]
	case op.F64:
		a.F64 = a.whole.F64[a.start:end]
	case op.I64:
		a.I64 = a.whole.I64[a.start:end]
	case op.Bool:
		a.Bool = a.whole.Bool[a.start:end]
	}
	return a
}

// lend returns the tensor as a kernel is shown it: with a shape of its own to scribble on.
func (a arena) lend() op.Tensor {
	t := a.Tensor
	t.Shape = slices.Clone(t.Shape)
	return t
}

// copied returns a copy of the tensor.
func (a arena) copied() op.Tensor {
	t := a.Tensor
	t.F32, t.F64, t.I64, t.Bool = slices.Clone(t.F32), slices.Clone(t.F64), slices.Clone(t.I64), slices.Clone(t.Bool)
	return t
}

// guarded returns an arena that holds a copy of t; the zero arena for an absent tensor.
func guarded(t op.Tensor, shift int) arena {
	if !t.Present() {
		return arena{}
	}
	a := newArena(t.DType, t.Shape, shift)
	copy(a.F32, t.F32)
	copy(a.F64, t.F64)
	copy(a.I64, t.I64)
	copy(a.Bool, t.Bool)
	return a
}

// spent reports whether an overwritten tensor and its guards are as they were left.
func (a arena) spent() bool {
	if !a.Present() {
		return true
	}
	for i := range a.Len() {
		if !spent.at(a.Tensor, i) {
			return false
		}
	}
	return a.checkGuards("") == nil
}

// checkGuards reports an element outside the tensor that was written.
func (a arena) checkGuards(name string) error {
	if !a.Present() {
		return nil
	}
	end := a.start + a.Len()
	for i := range a.whole.Len() {
		if (i < a.start || i >= end) && !unwritten.at(a.whole, i) {
			return fmt.Errorf("%s: element %d, outside its %d elements, was written", name, i-a.start, a.Len())
		}
	}
	return nil
}

// checkWritten reports an element of a result that was never written.
func (a arena) checkWritten(name string) error {
	for i := range a.Len() {
		if unwritten.at(a.Tensor, i) {
			return fmt.Errorf("%s%v holds what it held before: it was never written, or added to", name, unravel(i, a.Shape))
		}
	}
	return nil
}

// differ returns the first position where two tensors of the same shape differ in their bits, or -1.
func differ(a, b op.Tensor) int {
	for i := range a.F32 {
		if math.Float32bits(a.F32[i]) != math.Float32bits(b.F32[i]) {
			return i
		}
	}
	for i := range a.F64 {
		if math.Float64bits(a.F64[i]) != math.Float64bits(b.F64[i]) {
			return i
		}
	}
	for i := range a.I64 {
		if a.I64[i] != b.I64[i] {
			return i
		}
	}
	for i := range a.Bool {
		if a.Bool[i] != b.Bool[i] {
			return i
		}
	}
	return -1
}

// guardAll returns copies of tensors between guards, and what a kernel is shown of them.
func guardAll(ts []op.Tensor, shift int) (arenas []arena, shown []op.Tensor) {
	arenas, shown = make([]arena, len(ts)), make([]op.Tensor, len(ts))
	for i, t := range ts {
		arenas[i] = guarded(t, shift)
		shown[i] = arenas[i].lend()
	}
	return arenas, shown
}
