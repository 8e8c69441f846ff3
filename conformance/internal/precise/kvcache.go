package precise

import (
	"slices"
)

// entry is what a cache holds of one position of one batch item: a key and a value for each KV head.
type entry struct{ keys, values [][]number }

type attentionCachedAttrs struct {
	attentionAttrs
	Capacity int `json:"capacity"`
}

var _ = registerStateful("attention.cached", func() attentionCachedAttrs { return attentionCachedAttrs{} }, attentionCached)

// attentionCached: KV. The state of each batch item is the list of its entries.
func attentionCached(a attentionCachedAttrs, _ arrays) kernel {
	var state [][]entry
	return func(in arrays) Step {
		q, k, v := in["q"], in["k"], in["v"]
		batch, heads, steps, groups := q.dim(0), q.dim(1), q.dim(2), k.dim(1)
		next, faults := continued(state, batch, in, steps, a.Capacity)
		if faults != nil {
			return fails(faults...)
		}
		for b := range next {
			for t := range steps {
				var e entry
				for g := range groups {
					e.keys = append(e.keys, k.row((b*groups+g)*steps+t))
					e.values = append(e.values, v.row((b*groups+g)*steps+t))
				}
				next[b] = append(next[b], e)
			}
		}
		state = next
		held, first := slices.Clone(state), len(state[0])-steps
		score := a.scorer(q.dim(3))
		return gives("out", byRow(v.dim(3), func(at int) []number {
			b, h, i := at/(heads*steps), at/steps%heads, at%steps
			var keys, values [][]number
			for _, e := range held[b] {
				keys, values = append(keys, e.keys[h/(heads/groups)]), append(values, e.values[h/(heads/groups)])
			}
			return attend(q.row(at), keys, values, score, sight{position: first + i, causal: true, window: a.Window})
		}))
	}
}

// continued returns what a step of a cached op starts from, KV-1, KV-3, KV-4: the lists of the items that beam_idx names, cut to their first
// pos entries. Or else the errors that apply: KV-6, KV-7, KV-8.
// The state before the first step is empty lists.
func continued[E any](state [][]E, batch int, in arrays, steps, capacity int) (next [][]E, faults []string) {
	if state == nil {
		state = make([][]E, batch)
	}
	pos := in["pos"].I64[0]
	if pos < 0 || pos > int64(len(state[0])) {
		faults = append(faults, "position")
	}
	if pos+int64(steps) > int64(capacity) {
		faults = append(faults, "capacity")
	}
	for b := range state {
		from := int64(b)
		if in["beam_idx"] != nil {
			from = in["beam_idx"].I64[b]
		}
		if from < 0 || from >= int64(len(state)) {
			faults = append(faults, "index")
		}
		if faults == nil {
			next = append(next, slices.Clone(state[from][:pos]))
		}
	}
	if faults != nil {
		return nil, faults
	}
	return next, nil
}
