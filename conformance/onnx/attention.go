package onnx

import (
	"maps"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// stages are the modes of qk_matmul_output, as they are since onnx 1.20: before that, 1 and 2 were exchanged.
var stages = []string{"scores", "capped", "masked", "weights"}

// attentionArgs are the inputs of attention after heads are split and the past is joined on.
type attentionArgs struct {
	q, k, v, mask op.Tensor // mask is [B|1, H|1, Tq, Tk], or absent
	attrs         attrs
	causal        bool
	offset        int // the position of the first query among the keys
}

// attention maps the causal mask of ONNX, whose first query stands behind the past or, where the number of keys that are no padding is
// given, at their end, to the boundary's, whose last query stands at the last key: keys that no query can see are cut off.
func attention(c *call) []op.Tensor {
	support(c.integer("left_window_size", -1) < 0 && c.integer("right_window_size", -1) < 0, "sliding windows")
	q, k, v := c.floats(0), c.floats(1), c.floats(2)
	flat := len(q.Shape) == 3
	if flat {
		heads, kvHeads := int(c.integer("q_num_heads", 0)), int(c.integer("kv_num_heads", 0))
		q, k, v = splitHeads(q, heads), splitHeads(k, kvHeads), splitHeads(v, kvHeads)
	}
	require(len(q.Shape) == 4 && len(k.Shape) == 4 && len(v.Shape) == 4, "queries, keys and values of shapes %v, %v, %v", q.Shape, k.Shape, v.Shape)
	a := attentionArgs{q: q, causal: c.integer("is_causal", 0) != 0}
	a.attrs = attrs{"causal": a.causal, "softcap": max(c.real("softcap", 0), 0)}
	if past := c.optional(4); past.Present() {
		require(len(past.Shape) == 4 && len(c.optional(5).Shape) == 4, "a past of shape %v", past.Shape)
		a.offset = past.Shape[2]
		k, v = concat(2, past, k), concat(2, c.floats(5), v)
	}
	a.k, a.v = k, v
	if _, ok := c.attrs["scale"]; ok {
		a.attrs["scale"] = c.real("scale", 0)
	}
	if t := c.optional(3); t.Present() {
		a.mask = c.mask(t, q, k)
	}
	mode := int(c.integer("qk_matmul_output_mode", 0))
	require(0 <= mode && mode < len(stages), "qk_matmul_output_mode %d", mode)
	out := []op.Tensor{{}, k, v, {}}
	part := func(a attentionArgs, keys int) (y, s op.Tensor) { return c.attend(a, keys, stages[mode]) }
	if lengths := c.optional(6); lengths.Present() {
		out[0], out[3] = a.byItem(c.ints(6).I64, part)
	} else {
		out[0], out[3] = part(a, k.Shape[2])
	}
	if flat {
		out[0] = mergeHeads(out[0])
	}
	return out
}

// mask returns a mask in the boundary's form: keys that it does not reach are hidden.
func (c *call) mask(t, q, k op.Tensor) op.Tensor {
	support(t.DType != op.I64, "a mask of integers")
	require(len(t.Shape) > 0 && len(t.Shape) <= 4 && t.Shape[len(t.Shape)-1] <= k.Shape[2], "a mask of shape %v for %d keys", t.Shape, k.Shape[2])
	hidden := math.Inf(-1)
	if t.DType == op.Bool {
		hidden = 0
	}
	t = resized(t, len(t.Shape)-1, k.Shape[2], hidden)
	shape := append(slices.Repeat([]int{1}, 4-len(t.Shape)), t.Shape...)
	t = reshaped(t, shape...)
	return broadcast(t, shape[0], shape[1], q.Shape[2], k.Shape[2])
}

// byItem attends for each batch item with so many keys of its own; its last query stands at the last of them.
func (a attentionArgs) byItem(lengths []int64, attend func(attentionArgs, int) (y, s op.Tensor)) (y, s op.Tensor) {
	require(len(lengths) == a.q.Shape[0] && a.k.Shape[0] == len(lengths) && a.v.Shape[0] == len(lengths), "%d lengths for a batch of %d", len(lengths), a.q.Shape[0])
	var ys, ss []op.Tensor
	for b, n := range lengths {
		require(0 <= n && n <= int64(a.k.Shape[2]), "a length of %d of %d keys", n, a.k.Shape[2])
		item := a
		item.q, item.k, item.v = part(a.q, 0, b, b+1), part(a.k, 0, b, b+1), part(a.v, 0, b, b+1)
		if a.mask.Present() && a.mask.Shape[0] > 1 {
			require(a.mask.Shape[0] == len(lengths), "a mask of shape %v for a batch of %d", a.mask.Shape, len(lengths))
			item.mask = part(a.mask, 0, b, b+1)
		}
		item.offset = int(n) - a.q.Shape[2]
		y, s := attend(item, int(n))
		ys, ss = append(ys, y), append(ss, s)
	}
	if ss[0].Present() {
		s = concat(0, ss...)
	}
	return concat(0, ys...), s
}

// attend is attention over the first keys keys; where s is wanted, it is that of a stage, for all keys.
func (c *call) attend(a attentionArgs, keys int, stage string) (y, s op.Tensor) {
	if a.causal {
		keys = a.offset + a.q.Shape[2]
	}
	shape := bounded(a.q.Shape[0], a.q.Shape[1], a.q.Shape[2], a.v.Shape[3])
	bounded(a.q.Shape[0], a.q.Shape[1], a.q.Shape[2], max(a.k.Shape[2], keys))
	if y = filled(op.F64, 0, shape...); keys > 0 {
		near := a.resized(keys)
		y = c.one("attention", a.attrs, nil, near.q, near.k, near.v, near.mask)
	}
	if c.wants(3) {
		s = c.scores(a, keys, stage)
	}
	return y, s
}

// scores is a stage of attention for all keys, of which those from keys on are hidden.
func (c *call) scores(a attentionArgs, keys int, stage string) op.Tensor {
	at := maps.Clone(a.attrs)
	at["stage"] = stage
	hidden := 0.0
	switch stage {
	case "scores", "capped":
		return c.one("attention.scores", at, nil, a.q, a.k, op.Tensor{})
	case "masked":
		hidden = math.Inf(-1)
	}
	if keys <= 0 {
		return filled(op.F64, hidden, a.q.Shape[0], a.q.Shape[1], a.q.Shape[2], a.k.Shape[2])
	}
	near := a.resized(keys)
	return resized(c.one("attention.scores", at, nil, near.q, near.k, near.mask), 3, a.k.Shape[2], hidden)
}

// resized returns the arguments with so many keys. Those that are added are hidden.
func (a attentionArgs) resized(keys int) attentionArgs {
	if keys > a.k.Shape[2] && !a.mask.Present() {
		a.mask = filled(op.Bool, 1, 1, 1, a.q.Shape[2], a.k.Shape[2])
	}
	hidden := math.Inf(-1)
	if a.mask.DType == op.Bool {
		hidden = 0
	}
	a.k, a.v = resized(a.k, 2, keys, 0), resized(a.v, 2, keys, 0)
	if a.mask.Present() {
		a.mask = resized(a.mask, 3, keys, hidden)
	}
	return a
}
