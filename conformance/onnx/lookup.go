package onnx

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// gather is a lookup in the table whose rows lie along the axis.
func gather(c *call) []op.Tensor {
	x, at := c.floats(0), c.ints(1)
	axis := c.axis(0, len(x.Shape))
	table := moved(x, axis, 0)
	ids := slices.Clone(at.I64)
	for i, id := range ids {
		if id < 0 {
			ids[i] += int64(x.Shape[axis])
		}
	}
	y := c.lookup(reshaped(table, x.Shape[axis], table.Len()/x.Shape[axis]), ids)
	rest := slices.Delete(slices.Clone(x.Shape), axis, axis+1)
	// [indices, before, after] becomes [before, indices, after].
	before, after := size(rest[:axis]), size(rest[axis:])
	y = transposed(reshaped(y, len(ids), before, after), 1, 0, 2)
	return []op.Tensor{reshaped(y, slices.Concat(rest[:axis], at.Shape, rest[axis:])...)}
}

// tensorScatter is a lookup in the rows of the cache and those of the update.
func tensorScatter(c *call) []op.Tensor {
	cache, update := c.floats(0), c.floats(1)
	require(len(cache.Shape) == len(update.Shape) && len(cache.Shape) >= 2, "an update of shape %v for a cache of shape %v", update.Shape, cache.Shape)
	axis := c.axis(-2, len(cache.Shape))
	support(axis > 0, "TensorScatter along the batch")
	batch, length, added := cache.Shape[0], cache.Shape[axis], update.Shape[axis]
	start := make([]int64, batch)
	if t := c.optional(2); t.Present() {
		start = c.ints(2).I64
	}
	require(len(start) == batch, "%d write indices for a batch of %d", len(start), batch)
	width := size(cache.Shape[axis+1:])
	items := size(cache.Shape[:axis])
	table := concat(0, reshaped(cache, items*length, width), reshaped(update, update.Len()/width, width))
	require(update.Len() == items*added*width, "an update of shape %v for a cache of shape %v", update.Shape, cache.Shape)
	ids := make([]int64, items*length)
	for i := range ids {
		ids[i] = int64(i)
	}
	circular := c.text("mode", "linear") == "circular"
	for item := range items {
		for row := range added {
			at := start[item/(items/batch)] + int64(row)
			if circular {
				at %= int64(length)
			}
			require(0 <= at && at < int64(length), "row %d of a cache with %d", at, length)
			ids[item*length+int(at)] = int64(items*length + item*added + row)
		}
	}
	return []op.Tensor{reshaped(c.lookup(table, ids), cache.Shape...)}
}

// rotaryEmbedding multiplies each pair of features by a rotation, [x1 x2] [[cos sin] [-sin cos]].
func rotaryEmbedding(c *call) []op.Tensor {
	x := c.floats(0)
	shape := x.Shape
	if len(x.Shape) == 3 {
		x = splitHeads(x, int(c.integer("num_heads", 0)))
	}
	require(len(x.Shape) == 4, "an input of shape %v", shape)
	batch, heads, seq, d := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	rotated := int(c.integer("rotary_embedding_dim", 0))
	if rotated == 0 {
		rotated = d
	}
	half := rotated / 2
	require(0 < half && rotated%2 == 0 && rotated <= d, "%d of %d features are rotated", rotated, d)
	angles := func(i int) op.Tensor { // [B, T, half]
		t := c.floats(i)
		if at := c.optional(3); at.Present() {
			require(len(t.Shape) == 2 && t.Shape[1] == half, "a cache of shape %v for %d pairs", t.Shape, half)
			t = c.lookup(t, c.ints(3).I64)
		}
		return reshaped(t, batch, seq, half)
	}
	cos, sin := angles(1), angles(2)
	pair := func(k int) (first, second int) {
		if c.integer("interleaved", 0) != 0 {
			return 2 * k, 2*k + 1
		}
		return k, half + k
	}
	pairs := op.New(op.F64, bounded(batch*heads*seq*half, 1, 2)...)
	rotations := op.New(op.F64, bounded(batch*heads*seq*half, 2, 2)...)
	for i := range pairs.Shape[0] {
		k, t, b := i%half, i/half%seq, i/half/seq/heads
		row := x.F64[i/half*d:]
		first, second := pair(k)
		pairs.F64[2*i], pairs.F64[2*i+1] = row[first], row[second]
		cosine, sine := cos.F64[(b*seq+t)*half+k], sin.F64[(b*seq+t)*half+k]
		copy(rotations.F64[4*i:], []float64{cosine, sine, -sine, cosine})
	}
	turned := c.matmul(nil, pairs, rotations)
	y := picked(x, x.Shape, func(i int) int { return i })
	for i := range pairs.Shape[0] {
		row := y.F64[i/half*d:]
		first, second := pair(i % half)
		row[first], row[second] = turned.F64[2*i], turned.F64[2*i+1]
	}
	if len(shape) == 3 {
		y = mergeHeads(y)
	}
	return []op.Tensor{y}
}

// splitHeads turns [B, T, H D] into [B, H, T, D]; mergeHeads is its inverse.
func splitHeads(x op.Tensor, heads int) op.Tensor {
	require(len(x.Shape) == 3 && heads > 0 && x.Shape[2]%heads == 0, "%v is cut into %d heads", x.Shape, heads)
	return transposed(reshaped(x, x.Shape[0], x.Shape[1], heads, x.Shape[2]/heads), 0, 2, 1, 3)
}

func mergeHeads(x op.Tensor) op.Tensor {
	y := transposed(x, 0, 2, 1, 3)
	return reshaped(y, y.Shape[0], y.Shape[1], y.Shape[2]*y.Shape[3])
}
