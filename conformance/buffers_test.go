package conformance

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

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

// arenaOf is a buffer of x, in use.
func arenaOf(t op.Tensor, where site) arena {
	a := newArena(t.DType, t.Shape, where)
	a.name = "x"
	a.hold(t)
	return a
}

// parts are the memory of an arena with its guards, and which element of the tensor the first of each is.
func (a arena) parts() map[int]op.Tensor {
	return map[int]op.Tensor{-a.before.Len(): a.before, 0: a.Tensor, a.Len(): a.behind}
}

// Buffers notice one changed element, wherever it is, in each dtype and at each alignment.
func TestBuffersNotice(t *testing.T) {
	for _, d := range []op.DType{op.F32, op.F64, op.I64, op.Bool} {
		for _, where := range []site{{}, {shift: 1}, {shift: 2}, {shift: 3}, {fence: true}} {
			a := arenaOf(four(d), where)
			require.Equal(t, -1, differ(a.Tensor, four(d)))
			require.NoError(t, a.checkGuards())
			require.GreaterOrEqual(t, a.before.Len(), guardOf(a.Shape))
			if a.block == nil {
				require.Equal(t, guardOf(a.Shape), a.behind.Len())
			}
			for from, part := range a.parts() {
				for i := range part.Len() {
					a := arenaOf(four(d), where)
					change(a.parts()[from], i)
					if from == 0 {
						require.NoError(t, a.checkGuards(), "%v %v: element %d", d, where, i)
						require.Equal(t, i, differ(a.Tensor, four(d)))
					} else {
						require.ErrorContains(t, a.checkGuards(), fmt.Sprintf("x: element %d, outside its 4 elements", from+i))
					}
					a.release()
				}
			}
			a.release()
		}
	}
}

// A guard is as wide as a row of the tensor, which a kernel may write too many, within limits.
func TestGuardsAreAsWideAsRows(t *testing.T) {
	for want, shape := range map[int][]int{64: {}, 65: {2, 65}, 4096: {50257}} {
		require.Equal(t, want, guardOf(shape), "%v", shape)
	}
	require.Equal(t, 64, guardOf([]int{1000, 3}))
}

// A buffer before a fence ends exactly there, and what lies behind it belongs to it.
func TestFences(t *testing.T) {
	a := newArena(op.F64, []int{3}, site{fence: true})
	if a.block == nil {
		t.Skip("this system has no memory that can be neither read nor written")
	}
	end := uintptr(unsafe.Pointer(&a.F64[2])) + 8
	require.Equal(t, 3, cap(a.F64))
	for _, tt := range []struct {
		address uintptr
		element int
		ok      bool
	}{{end - 1, 0, false}, {end, 3, true}, {end + 17, 5, true}, {end + fenceBytes - 1, 3 + fenceBytes/8 - 1, true}, {end + fenceBytes, 0, false}} {
		element, ok := a.beyond(tt.address)
		require.Equal(t, tt.ok, ok)
		if ok {
			require.Equal(t, tt.element, element)
		}
	}
	a.release()
	again := newArena(op.F64, []int{4}, site{fence: true})
	defer again.release()
	require.Same(t, &a.F64[2], &again.F64[3], "the memory is used again")
}

// A result arrives unwritten, and each element that is not written is found. A boolean has no value for that: ops have no boolean results.
func TestUnwrittenElements(t *testing.T) {
	for _, d := range []op.DType{op.F32, op.F64, op.I64} {
		for missing := range 4 {
			a := newArena(d, []int{4}, site{shift: 1})
			for i := range 4 {
				if i != missing {
					change(a.Tensor, i)
				}
			}
			if a.checkWritten() == nil {
				t.Errorf("%v: element %d was never written", d, missing)
			}
			change(a.Tensor, missing)
			if err := a.checkWritten(); err != nil {
				t.Errorf("%v: all were written: %v", d, err)
			}
		}
		nan := newArena(d, []int{1}, site{})
		spent.fill(nan.Tensor)
		if err := nan.checkWritten(); err != nil {
			t.Errorf("%v: a result made of what was overwritten is taken for never written: %v", d, err)
		}
	}
}

// What was overwritten after a step is not what it was, and every later write to it, or around it, is noticed.
func TestSpentBuffers(t *testing.T) {
	for _, d := range []op.DType{op.F32, op.F64, op.I64, op.Bool} {
		fresh := func() arena {
			a := arenaOf(four(d), site{shift: 2})
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
		for from, part := range fresh().parts() {
			for i := range part.Len() {
				a := fresh()
				if change(a.parts()[from], i); a.spent() {
					t.Errorf("%v: element %d was written, and nobody noticed", d, from+i)
				}
			}
		}
	}
	if !(arena{}).spent() {
		t.Error("an absent tensor is not spent")
	}
}

// A kernel may do what it likes to the shape that it is shown.
func TestLentShapes(t *testing.T) {
	a := arenaOf(four(op.I64), site{})
	a.lend().Shape[0] = 9
	if a.Shape[0] != 4 {
		t.Error("the kernel's shape is the suite's")
	}
}
