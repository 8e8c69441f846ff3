package conformance

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/assaykit/assay/conformance/op"
)

// guardOf returns how many elements stand before and after a buffer of this shape: a row of it, because kernels that run over write a vector
// or a row too many, and no fewer than the widest vectors, unrolled, hold.
func guardOf(shape []int) int {
	const least, most = 64, 4096
	if len(shape) == 0 {
		return least
	}
	return min(max(least, shape[len(shape)-1]), most)
}

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

// index returns the first element of t that holds the mark, or that does not; -1 where there is none.
func (m mark) index(t op.Tensor, holds bool) int {
	switch t.DType {
	case op.F32:
		bits := math.Float32bits(m.f32)
		return slices.IndexFunc(t.F32, func(x float32) bool { return (math.Float32bits(x) == bits) == holds })
	case op.F64:
		bits := math.Float64bits(m.f64)
		return slices.IndexFunc(t.F64, func(x float64) bool { return (math.Float64bits(x) == bits) == holds })
	case op.I64:
		return slices.IndexFunc(t.I64, func(x int64) bool { return (x == m.i64) == holds })
	}
	return slices.IndexFunc(t.Bool, func(x bool) bool { return (x == m.bool) == holds })
}

// site says where buffers lie.
type site struct {
	shift int  // they begin so many elements later than they could, so that kernels meet buffers that are not aligned
	fence bool // they end where memory can be neither read nor written, in place of a guard, on systems that have such memory
}

// arena is a tensor between guards. Its slices' capacity reaches into the guard behind them, so that a kernel which reslices too far is
// caught like one that writes through a pointer.
type arena struct {
	op.Tensor
	name   string    // of the argument
	step   int       // of the case
	before op.Tensor // the guard before it, flat
	behind op.Tensor // the guard behind it, flat
	block  []byte    // that it lies at the end of, if not nil; then there is no guard behind it
}

// newArena returns an arena full of what says that it was never written.
func newArena(d op.DType, shape []int, where site) arena {
	n, _ := op.Elements(shape)
	guard := guardOf(shape)
	a := arena{Tensor: op.Tensor{DType: d, Shape: slices.Clone(shape)}, before: op.Tensor{DType: d}, behind: op.Tensor{DType: d}}
	if where.fence {
		a.block = takeBlock((guard + n) * sizes[d])
	}
	before, behind := guard, 0
	if a.block == nil {
		before, behind = guard+where.shift, guard
	}
	switch d {
	case op.F32:
		a.before.F32, a.F32, a.behind.F32 = thirds[float32](a.block, before, n, behind)
	case op.F64:
		a.before.F64, a.F64, a.behind.F64 = thirds[float64](a.block, before, n, behind)
	case op.I64:
		a.before.I64, a.I64, a.behind.I64 = thirds[int64](a.block, before, n, behind)
	case op.Bool:
		a.before.Bool, a.Bool, a.behind.Bool = thirds[bool](a.block, before, n, behind)
	}
	for _, t := range []op.Tensor{a.before, a.Tensor, a.behind} {
		unwritten.fill(t)
	}
	return a
}

// sizes are those of an element in bytes.
var sizes = map[op.DType]int{op.F32: 4, op.F64: 8, op.I64: 8, op.Bool: 1}

// thirds returns memory for a, b and c elements, one after the other: the last of the block if there is one.
func thirds[T any](block []byte, a, b, c int) (before, data, behind []T) {
	n := a + b + c
	var whole []T
	if block == nil {
		whole = make([]T, n)
	} else {
		var t T
		whole = unsafe.Slice((*T)(unsafe.Pointer(&block[len(block)-n*int(unsafe.Sizeof(t))])), n)
	}
	return whole[:a], whole[a : a+b], whole[a+b:]
}

// hold copies the elements of t, which has the arena's dtype and shape.
func (a arena) hold(t op.Tensor) {
	copy(a.F32, t.F32)
	copy(a.F64, t.F64)
	copy(a.I64, t.I64)
	copy(a.Bool, t.Bool)
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

// bytes returns how much memory the arena takes.
func (a arena) bytes() int {
	return (a.before.Len() + a.Len() + a.behind.Len()) * sizes[a.DType]
}

// spent reports whether an overwritten tensor and its guards are as they were left.
func (a arena) spent() bool {
	return spent.index(a.Tensor, false) < 0 && a.checkGuards() == nil
}

// checkGuards reports an element outside the tensor that was written.
func (a arena) checkGuards() error {
	if at := unwritten.index(a.before, false); at >= 0 {
		return a.outside(at - a.before.Len())
	}
	if at := unwritten.index(a.behind, false); at >= 0 {
		return a.outside(a.Len() + at)
	}
	return nil
}

func (a arena) outside(element int) error {
	return fmt.Errorf("%s: element %d, outside its %d elements, was written", a.name, element, a.Len())
}

// checkWritten reports an element of a result that was never written.
func (a arena) checkWritten() error {
	if at := unwritten.index(a.Tensor, true); at >= 0 {
		return fmt.Errorf("%s%v holds what it held before: it was never written, or added to", a.name, unravel(at, a.Shape))
	}
	return nil
}

// beyond reports whether an address is behind the arena, where memory can be neither read nor written, and which element would be there.
func (a arena) beyond(address uintptr) (element int, ok bool) {
	if a.block == nil {
		return 0, false
	}
	end := uintptr(unsafe.Pointer(unsafe.SliceData(a.block))) + uintptr(len(a.block))
	return a.Len() + int(address-end)/sizes[a.DType], address >= end && address-end < fenceBytes
}

// release gives the memory back that others may use now.
func (a arena) release() {
	if a.block != nil {
		giveBlock(a.block)
	}
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

// home are the buffers of a trace, for another trace of the same case to find its numbers at the same addresses.
type home struct {
	arenas []arena
	next   int
}

// place returns the next buffer, full of what says that it was never written.
func (h *home) place(d op.DType, shape []int, where site) arena {
	if h.next == len(h.arenas) {
		h.arenas = append(h.arenas, newArena(d, shape, where))
	}
	a := h.arenas[h.next]
	h.next++
	unwritten.fill(a.Tensor)
	return a
}
