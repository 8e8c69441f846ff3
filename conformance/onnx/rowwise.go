package onnx

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

func softmax(c *call) []op.Tensor    { return []op.Tensor{softmaxOf(c, "softmax")} }
func logSoftmax(c *call) []op.Tensor { return []op.Tensor{softmaxOf(c, "log_softmax")} }

// softmaxOf works along one axis; before version 13, over all axes from that one on.
func softmaxOf(c *call, name string) op.Tensor {
	x := c.floats(0)
	if len(x.Shape) == 0 {
		return reshaped(c.one(name, nil, nil, reshaped(x, 1)))
	}
	if c.version >= 13 {
		return c.alongAxis(name, x, c.axis(-1, len(x.Shape)))
	}
	return reshaped(c.one(name, nil, nil, rows(x, c.axis(1, len(x.Shape)))), x.Shape...)
}

// layerNormalization gives the mean as a product with 1/n, and the inverse deviation as the slope of the normalization without scale and
// bias: the difference of its largest and smallest result, over that of the inputs.
func layerNormalization(c *call) []op.Tensor {
	x := c.floats(0)
	axis := c.axis(-1, len(x.Shape))
	flat, shape := rows(x, axis), x.Shape[axis:]
	d, eps := flat.Shape[1], c.real("epsilon", 1e-5)
	gamma, beta := reshaped(broadcast(c.floats(1), shape...), d), filled(op.F64, 0, d)
	if b := c.optional(2); b.Present() {
		beta = reshaped(broadcast(b, shape...), d)
	}
	norm := func(gamma, beta op.Tensor) op.Tensor {
		return c.one("layernorm", attrs{"eps": eps}, []op.Tensor{gamma, beta}, flat)
	}
	out := []op.Tensor{reshaped(norm(gamma, beta), x.Shape...), {}, {}}
	reduced := slices.Clone(x.Shape)
	for i := axis; i < len(reduced); i++ {
		reduced[i] = 1
	}
	if c.wants(1) {
		out[1] = reshaped(c.matmul(nil, flat, filled(op.F64, 1/float64(d), d, 1)), reduced...)
	}
	if c.wants(2) {
		y := norm(filled(op.F64, 1, d), filled(op.F64, 0, d))
		inverse := op.New(op.F64, flat.Shape[0])
		for i := range inverse.F64 {
			row := flat.F64[i*d : (i+1)*d]
			high, low := slices.Index(row, slices.Max(row)), slices.Index(row, slices.Min(row))
			support(high >= 0 && low >= 0 && row[high] > row[low], "the inverse deviation of a constant row")
			inverse.F64[i] = (y.F64[i*d+high] - y.F64[i*d+low]) / (row[high] - row[low])
		}
		out[2] = reshaped(inverse, reduced...)
	}
	return out
}

func rmsNormalization(c *call) []op.Tensor {
	x := c.floats(0)
	axis := c.axis(-1, len(x.Shape))
	flat := rows(x, axis)
	gamma := reshaped(broadcast(c.floats(1), x.Shape[axis:]...), flat.Shape[1])
	return []op.Tensor{reshaped(c.one("rmsnorm", attrs{"eps": c.real("epsilon", 1e-5)}, []op.Tensor{gamma}, flat), x.Shape...)}
}

// reduceLogSumExp is x_i - log_softmax(x)_i, for any i of a row: the largest element's, which greedy finds. Of no elements it is -Inf, the
// logarithm of an empty sum, and no op has a part in it.
func reduceLogSumExp(c *call) []op.Tensor {
	x := c.floats(0)
	rank := len(x.Shape)
	reduce := make([]bool, rank)
	var axes []int64
	if t := c.optional(1); t.Present() {
		axes = c.ints(1).I64
	} else {
		axes = c.attrs["axes"].ints
	}
	for _, a := range axes {
		reduce[axisOf(a, rank)] = true
	}
	if len(axes) == 0 {
		support(c.integer("noop_with_empty_axes", 0) == 0, "a reduction over no axes")
		for i := range reduce {
			reduce[i] = true
		}
	}
	var kept, perm, last []int
	for i, d := range x.Shape {
		switch {
		case !reduce[i]:
			kept, perm = append(kept, d), append(perm, i)
		case c.integer("keepdims", 1) != 0:
			kept = append(kept, 1)
			last = append(last, i)
		default:
			last = append(last, i)
		}
	}
	if empty(x) {
		return []op.Tensor{filled(op.F64, math.Inf(-1), kept...)}
	}
	flat := rows(transposed(x, append(perm, last...)...), len(perm))
	n := flat.Shape[1]
	at := c.greedy(flat).I64
	for i := range at {
		at[i] += int64(i * n)
	}
	column := func(t op.Tensor) op.Tensor { return c.lookup(reshaped(t, t.Len(), 1), at) }
	return []op.Tensor{reshaped(c.combined([]float64{1, -1}, column(flat), column(c.one("log_softmax", nil, nil, flat))), kept...)}
}

// greedy returns the largest element of each row.
func (c *call) greedy(logits op.Tensor) op.Tensor {
	y := c.one("greedy", nil, nil, logits)
	for _, token := range y.I64 {
		if token < 0 || token >= int64(logits.Shape[1]) {
			fail("greedy gives token %d of %d", token, logits.Shape[1])
		}
	}
	return y
}

// argMax is greedy decoding along an axis. The last of equal elements is the first of the reversed row.
func argMax(c *call) []op.Tensor {
	x := c.floats(0)
	axis := c.axis(0, len(x.Shape))
	last := moved(x, axis, len(x.Shape)-1)
	flat := rows(last, len(last.Shape)-1)
	n := flat.Shape[1]
	reversed := c.integer("select_last_index", 0) != 0
	if reversed {
		flat = picked(flat, flat.Shape, func(i int) int { return i/n*n + n - 1 - i%n })
	}
	y := c.greedy(flat)
	for i := range y.I64 {
		if reversed {
			y.I64[i] = int64(n) - 1 - y.I64[i]
		}
	}
	shape := slices.Clone(x.Shape)
	if shape[axis] = 1; c.integer("keepdims", 1) == 0 {
		shape = slices.Delete(shape, axis, axis+1)
	}
	return []op.Tensor{reshaped(y, shape...)}
}

// topK is greedy decoding, repeated with -Inf in the place of what was found. The smallest are the largest of -x.
func topK(c *call) []op.Tensor {
	x := c.optional(0)
	support(x.Present() && x.DType != op.Bool, "TopK of booleans, or of nothing")
	rank := len(x.Shape)
	axis := c.axis(-1, rank)
	k := int(c.integer("k", 0))
	if c.version >= 10 {
		k = int(c.scalar(1))
	}
	last := moved(x, axis, rank-1)
	flat := rows(last, rank-1)
	n := flat.Shape[1]
	require(0 < k && k <= n, "TopK of %d of %d elements", k, n)
	support(k <= maxElements/flat.Len()*64, "TopK of %d of %d elements in %d rows, which takes as many passes", k, n, flat.Shape[0])
	logits := op.New(op.F64, flat.Shape...)
	for i := range logits.F64 {
		logits.F64[i] = flat.At(i)
		support(float64(float32(logits.F64[i])) == logits.F64[i], "TopK of %v, which is no float32", logits.F64[i])
	}
	if c.version >= 11 && c.integer("largest", 1) == 0 {
		logits = negated(logits)
	}
	indices := op.New(op.I64, bounded(flat.Shape[0], k)...)
	for found := range k {
		for r, token := range c.greedy(logits).I64 {
			indices.I64[r*k+found] = token
			logits.F64[r*n+int(token)] = math.Inf(-1)
		}
	}
	values := picked(flat, indices.Shape, func(i int) int { return i/k*n + int(indices.I64[i]) })
	shape := append(slices.Clone(last.Shape[:rank-1]), k)
	return []op.Tensor{moved(reshaped(values, shape...), rank-1, axis), moved(reshaped(indices, shape...), rank-1, axis)}
}
