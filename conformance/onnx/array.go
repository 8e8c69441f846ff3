package onnx

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// Data movement: everything that a translation does to tensors between ops. Nothing here computes.

// size returns the product of dimensions.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// empty reports whether a tensor is there and has no elements. Only reductions and lists of axes may be.
func empty(t op.Tensor) bool { return t.Present() && t.Len() == 0 }

// reshaped returns the tensor's elements under another shape.
func reshaped(t op.Tensor, shape ...int) op.Tensor {
	require(size(shape) == t.Len(), "shape %v does not hold the %d elements of %v", shape, t.Len(), t.Shape)
	t.Shape = slices.Clone(shape)
	return t
}

// picked returns a tensor of the given shape whose element i is element from(i) of t.
func picked(t op.Tensor, shape []int, from func(i int) int) op.Tensor {
	out := op.New(t.DType, bounded(slices.Clone(shape)...)...)
	for i := range out.Len() {
		switch j := from(i); t.DType {
		case op.F64:
			out.F64[i] = t.F64[j]
		case op.I64:
			out.I64[i] = t.I64[j]
		case op.Bool:
			out.Bool[i] = t.Bool[j]
		}
	}
	return out
}

// strides returns how far apart neighbours along each axis lie.
func strides(shape []int) []int {
	s, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// strided returns a tensor of the given shape whose element at an index is that of t at the sum of index * step.
func strided(t op.Tensor, shape, step []int) op.Tensor {
	own := strides(shape)
	return picked(t, shape, func(i int) int {
		at := 0
		for axis, s := range own {
			at += i / s % shape[axis] * step[axis]
		}
		return at
	})
}

// transposed returns the tensor whose axis i is axis perm[i] of t.
func transposed(t op.Tensor, perm ...int) op.Tensor {
	of := strides(t.Shape)
	shape, step := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		shape[i], step[i] = t.Shape[p], of[p]
	}
	return strided(t, shape, step)
}

// moved returns the tensor with axis from at position to, the others in order.
func moved(t op.Tensor, from, to int) op.Tensor {
	var perm []int
	for i := range t.Shape {
		if i != from {
			perm = append(perm, i)
		}
	}
	return transposed(t, slices.Insert(perm, to, from)...)
}

// broadcast returns t repeated to a shape, by NumPy's rule: axes are aligned at the last, and one of length 1 or missing is repeated.
func broadcast(t op.Tensor, shape ...int) op.Tensor {
	require(len(t.Shape) <= len(shape), "%v cannot be broadcast to %v", t.Shape, shape)
	of, step, missing := strides(t.Shape), make([]int, len(shape)), len(shape)-len(t.Shape)
	for i, d := range t.Shape {
		require(d == shape[missing+i] || d == 1, "%v cannot be broadcast to %v", t.Shape, shape)
		if d > 1 {
			step[missing+i] = of[i]
		}
	}
	return strided(t, shape, step)
}

// common returns the shape that two shapes are broadcast to.
func common(a, b []int) []int {
	if len(a) < len(b) {
		a, b = b, a
	}
	out, missing := slices.Clone(a), len(a)-len(b)
	for i, d := range b {
		if out[missing+i] == 1 {
			out[missing+i] = d
		}
		require(d == 1 || d == out[missing+i], "%v and %v cannot be broadcast", a, b)
	}
	return out
}

// concat joins tensors along an axis.
func concat(axis int, ts ...op.Tensor) op.Tensor {
	var parts op.Tensor
	total := 0
	for i, t := range ts {
		require(len(t.Shape) == len(ts[0].Shape) && t.DType == ts[0].DType, "%v and %v cannot be joined", ts[0].Shape, t.Shape)
		for j, d := range t.Shape {
			require(j == axis || d == ts[0].Shape[j], "%v and %v cannot be joined along axis %d", ts[0].Shape, t.Shape, axis)
		}
		first := moved(t, axis, 0)
		if i == 0 {
			parts = first
		} else {
			parts.F64, parts.I64, parts.Bool = append(parts.F64, first.F64...), append(parts.I64, first.I64...), append(parts.Bool, first.Bool...)
		}
		total += t.Shape[axis]
	}
	parts.Shape = slices.Clone(parts.Shape)
	parts.Shape[0] = total
	return moved(parts, 0, axis)
}

// part returns the elements lo to hi-1 along an axis.
func part(t op.Tensor, axis, lo, hi int) op.Tensor {
	require(0 <= lo && lo < hi && hi <= t.Shape[axis], "elements %d to %d of an axis with %d", lo, hi-1, t.Shape[axis])
	first := moved(t, axis, 0)
	n := first.Len() / t.Shape[axis]
	shape := slices.Clone(first.Shape)
	shape[0] = hi - lo
	return moved(picked(first, shape, func(i int) int { return lo*n + i }), 0, axis)
}

// resized returns t with n elements along an axis: those from n on are cut off, missing ones are fill.
func resized(t op.Tensor, axis, n int, fill float64) op.Tensor {
	have := t.Shape[axis]
	if n <= have {
		return part(t, axis, 0, n)
	}
	shape := slices.Clone(t.Shape)
	shape[axis] = n - have
	return concat(axis, t, filled(t.DType, fill, shape...))
}

// filled returns a tensor of one value.
func filled(d op.DType, x float64, shape ...int) op.Tensor {
	t := op.New(d, bounded(slices.Clone(shape)...)...)
	for i := range t.F64 {
		t.F64[i] = x
	}
	for i := range t.I64 {
		t.I64[i] = int64(x)
	}
	for i := range t.Bool {
		t.Bool[i] = x != 0
	}
	return t
}

// floats returns a tensor over numbers.
func floats(x []float64, shape ...int) op.Tensor { return op.Float64(x, shape...) }

// axisOf resolves an axis that may count from the end.
func axisOf(axis int64, rank int) int {
	if axis < 0 {
		axis += int64(rank)
	}
	require(0 <= axis && axis < int64(rank), "axis %d of %d", axis, rank)
	return int(axis)
}
