package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

// cacheFlags are those of both cached ops.
var cacheFlags = []vector.Flag{
	{Name: "append", Bug: "new entries are written at the wrong position, or queries are placed at 0 and not behind the cache",
		See: "onnx attention vectors: ignoring the offset passes 53 of 56"},
	{Name: "rewind", Bug: "entries at or beyond pos are still attended to, or the step appends behind them"},
	{Name: "beam", Bug: "the reorder is done after the append, in place so that rows overwrite each other, or copies share memory"},
	{Name: "state-after-error", Bug: "an error is not reported, or leaves half of a step in the cache"},
	{Name: "capacity", Bug: "filling the cache exactly is refused, or overfilling slides or wraps"},
	{Name: "window", Bug: "a window counts positions from the step and not from the start of the sequence"},
	{Name: "groups", Bug: "the cache is laid out by query heads, or groups are dealt in turn"},
}

// cached draws one step of attention.cached: tokens new positions at pos.
func (s attentionShape) cached(tokens, pos int) args {
	s.Tq, s.Tk = tokens, tokens
	return s.args().with("pos", scalar(int64(pos)))
}

var _ = register("attention.cached", attentionCachedFamily)

func attentionCachedFamily() family {
	f := family{flags: append(cacheFlags,
		vector.Flag{Name: "masked-nan", Bug: "NaN in dead entries leaks through a weight of 0", See: "pytorch #101967"},
		vector.Flag{Name: "denominator", Bug: "a constant is added to the denominator, or a key is counted twice"})}
	one := attentionShape{B: 1, H: 1, D: 4}
	two := attentionShape{B: 2, H: 2, D: 3}
	three := attentionShape{B: 3, H: 1, D: 3}
	grouped := attentionShape{B: 2, H: 4, G: 2, D: 3, Dv: 2}
	add := func(name, comment, clauses, flags string, a attrs, steps ...step) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, steps: steps})
	}
	ok := func(a args) step { return step{src: a} }
	fails := func(kind string, a args) step { return step{src: a, err: kind} }
	room := func(n int) attrs { return attrs{"capacity": n} }
	// tokenwise appends n single positions from pos on.
	tokenwise := func(s attentionShape, pos, n int) []step {
		var steps []step
		for i := range n {
			steps = append(steps, ok(s.cached(1, pos+i)))
		}
		return steps
	}

	add("prefill", "One step fills an empty cache: causal attention.", "KV-1", "append", room(16), ok(one.cached(6, 0)))
	add("prefill-batch", "Prefill of two sequences with two heads.", "KV-1", "append", room(8), ok(two.cached(5, 0)))
	add("append-one", "Prefill, then one position at a time.", "KV-1 KV-2", "append", room(16),
		append([]step{ok(two.cached(4, 0))}, tokenwise(two, 4, 4)...)...)
	add("append-many", "Prefill, then several positions at once.", "KV-1 KV-2", "append", room(16), ok(two.cached(3, 0)), ok(two.cached(4, 3)),
		ok(two.cached(2, 7)))
	add("tokenwise", "From an empty cache, one position at a time.", "KV-1 KV-2", "append", room(9), tokenwise(one, 0, 9)...)
	add("long", "Steps that cross the edges of blocks: 15, 2, 14, 2, 30 and 3 positions.", "KV-1 KV-2", "append", room(70),
		ok(one.cached(15, 0)), ok(one.cached(2, 15)), ok(one.cached(14, 17)), ok(one.cached(2, 31)), ok(one.cached(30, 33)), ok(one.cached(3, 63)))
	add("scale", "An explicit scale.", "KV-1", "append", attrs{"capacity": 8, "scale": 0.3}, ok(two.cached(3, 0)), ok(two.cached(2, 3)))
	add("value-dim", "Values of another dimension than keys.", "KV-1", "append", room(8),
		ok(attentionShape{B: 1, H: 2, D: 5, Dv: 2}.cached(3, 0)), ok(attentionShape{B: 1, H: 2, D: 5, Dv: 2}.cached(1, 3)))
	add("groups", "Four query heads over two heads of keys and values.", "KV-1 ATT-4", "groups append", room(8),
		append([]step{ok(grouped.cached(3, 0))}, tokenwise(grouped, 3, 2)...)...)
	f.cases = append(f.cases, testCase{
		name: "first-token", comment: "The first position attends to itself alone: its value, exactly.", clauses: "KV-1 ATT-5", flags: "denominator",
		attrs: room(4), steps: []step{ok(two.cached(1, 0))}, compare: vector.Exact,
	})

	ahead := func(pos int, keys ...float64) step {
		n := len(keys) / 2
		return ok(args{"q": all(1, 1, 1, n, 2), "k": floats(keys, 1, 1, n, 2), "v": whole(-9, 9, 1, 1, n, 3), "pos": scalar(int64(pos))})
	}
	f.cases = append(f.cases, testCase{
		name: "dominant", comment: "One key is ahead of the others by more than 110, the first and then the last: its value, exactly.", clauses: "KV-1 ATT-5",
		flags: "denominator append", attrs: attrs{"capacity": 8, "scale": 1}, compare: vector.Exact,
		steps: []step{ahead(0, 100, 20, 1, 2, -3, 4), ahead(3, 0, 1), ahead(4, 300, 0)},
	})

	add("rewind", "Two positions are taken back and others written.", "KV-3", "rewind", room(16),
		ok(two.cached(5, 0)), ok(two.cached(2, 3)), ok(two.cached(1, 5)))
	add("rewind-restart", "pos = 0 starts again in a cache that was in use.", "KV-3", "rewind", room(8), ok(two.cached(6, 0)), ok(two.cached(3, 0)),
		ok(two.cached(1, 3)))
	add("rewind-step", "Each step overwrites the position before it: speculative decoding.", "KV-3", "rewind", room(8),
		ok(one.cached(4, 0)), ok(one.cached(2, 3)), ok(one.cached(2, 4)), ok(one.cached(2, 5)))
	poisoned := one.cached(3, 3)
	poisoned["k"] = normal(1.4, 1, 1, 3, 4).set(nan, 4, 8)
	poisoned["v"] = normal(1, 1, 1, 3, 4).set(inf, 5).set(nan, 9)
	add("rewind-nan", "Dead entries held NaN and Inf; they reach nothing after the rewind.", "KV-3 MSK-11", "rewind masked-nan", room(8),
		ok(one.cached(3, 0)), ok(poisoned), ok(one.cached(1, 4).with("k", normal(1.4, 1, 1, 1, 4))), ok(one.cached(2, 3)), ok(one.cached(1, 5)))

	add("beam", "Rows are exchanged and duplicated before the append.", "KV-4", "beam", room(8),
		ok(three.cached(3, 0)), ok(three.cached(1, 3).with("beam_idx", ids(2, 0, 1))), ok(three.cached(1, 4).with("beam_idx", ids(1, 1, 0))),
		ok(three.cached(1, 5)))
	add("beam-copies", "After all rows became one, they go their own ways.", "KV-4", "beam", room(8),
		ok(three.cached(2, 0)), ok(three.cached(1, 2).with("beam_idx", ids(0, 0, 0))), ok(three.cached(1, 3)),
		ok(three.cached(1, 4).with("beam_idx", ids(2, 1, 2))))
	add("beam-rewind", "A reorder and a rewind in one step.", "KV-3 KV-4", "beam rewind", room(8),
		ok(three.cached(4, 0)), ok(three.cached(2, 2).with("beam_idx", ids(1, 2, 2))), ok(three.cached(1, 4)))
	add("beam-groups", "A reorder with grouped heads.", "KV-4 ATT-4", "beam groups", room(8),
		ok(grouped.cached(2, 0)), ok(grouped.cached(1, 2).with("beam_idx", ids(1, 0))), ok(grouped.cached(1, 3).with("beam_idx", ids(1, 1))))

	for _, w := range []int{1, 2, 4} {
		add(fmt.Sprintf("window-%d", w), fmt.Sprintf("A window of %d over the cache.", w), "KV-5 MSK-2", "window", attrs{"capacity": 12, "window": w},
			ok(one.cached(5, 0)), ok(one.cached(1, 5)), ok(one.cached(3, 6)), ok(one.cached(1, 9)))
	}

	add("capacity-exact", "Filling the cache to the last entry is no error.", "KV-7", "capacity", room(5), ok(one.cached(3, 0)), ok(one.cached(2, 3)))
	add("capacity-error", "One position too many: an error, and the state is what it was.", "KV-7", "capacity state-after-error", room(5),
		ok(two.cached(4, 0)), fails("capacity", two.cached(2, 4)), ok(two.cached(1, 4)), fails("capacity", two.cached(1, 5)), ok(two.cached(1, 4)))
	add("capacity-prefill", "A prefill that is too long, then one that fits.", "KV-7", "capacity state-after-error", room(3),
		fails("capacity", one.cached(4, 0)), ok(one.cached(3, 0)))
	add("position-error", "A position beyond the length, and a negative one: errors, and the state is what it was.", "KV-6", "state-after-error", room(9),
		ok(two.cached(3, 0)), fails("position", two.cached(1, 4)), ok(two.cached(1, 3)), fails("position", two.cached(2, -1)), ok(two.cached(2, 4)))
	add("position-first", "An empty cache takes position 0 only.", "KV-6", "state-after-error", room(4), fails("position", one.cached(1, 1)),
		ok(one.cached(2, 0)))
	add("beam-error", "A beam index outside the batch: an error, and the rows are where they were.", "KV-8", "state-after-error beam", room(9),
		ok(three.cached(3, 0)), fails("index", three.cached(1, 3).with("beam_idx", ids(1, 3, 0))), ok(three.cached(1, 3)),
		fails("index", three.cached(1, 4).with("beam_idx", ids(2, 1, -1))), ok(three.cached(1, 4)))
	add("reorder-undone", "An error in a step that also reorders leaves the order as it was.", "KV-6 KV-7", "state-after-error beam", room(4),
		ok(three.cached(3, 0)), fails("position", three.cached(1, 5).with("beam_idx", ids(2, 2, 2))),
		fails("capacity", three.cached(2, 3).with("beam_idx", ids(1, 2, 0))),
		ok(three.cached(1, 3)))
	wide := func(n, pos int) step {
		return step{src: attentionShape{B: 1, H: 2, G: 1, Tq: n, Tk: n, D: 66}.recipes().with("pos", scalar(int64(pos)))}
	}
	f.wide = []testCase{{
		name: "wide", comment: "131 positions of 66 elements: a step to the edge of a page, one across it, one position, and many.", clauses: "KV-1 KV-2",
		attrs: attrs{"capacity": 200}, steps: []step{wide(63, 0), wide(2, 63), wide(1, 65), wide(64, 66), wide(1, 130)},
	}}
	return f
}
