package precise

import (
	"slices"
)

type mhaAttrs struct {
	attentionAttrs
	Heads   int `json:"heads"`
	KVHeads int `json:"kv_heads"`
}

// kvHeads returns the number of key and value heads.
func (a mhaAttrs) kvHeads() int {
	if a.KVHeads == 0 {
		return a.Heads
	}
	return a.KVHeads
}

// heads cuts a row into n heads of equal length: MHA-2.
func heads(row []number, n int) [][]number {
	return slices.Collect(slices.Chunk(row, len(row)/n))
}

// projected is what one position contributes to attention: MHA-1.
func projected(x []number, in arrays, groups int) entry {
	return entry{heads(affine(x, in["wk"], in["bk"]), groups), heads(affine(x, in["wv"], in["bv"]), groups)}
}

// attended is one row of MHA-1: the heads of its query attend over the entries, and are projected by wo.
func attended(x []number, entries []entry, in arrays, a mhaAttrs, see func(head int) sight) []number {
	var merged []number
	qs := heads(affine(x, in["wq"], in["bq"]), a.Heads)
	score := a.scorer(len(qs[0]))
	for h, q := range qs {
		g := h / (a.Heads / a.kvHeads())
		var keys, values [][]number
		for _, e := range entries {
			keys, values = append(keys, e.keys[g]), append(values, e.values[g])
		}
		merged = append(merged, attend(q, keys, values, score, see(h))...)
	}
	return affine(merged, in["wo"], in["bo"])
}

// mixed is multi-head attention over rows that see each other, those of one batch item.
func mixed(rows [][]number, in arrays, a mhaAttrs, batch int) [][]number {
	var entries []entry
	for _, x := range rows {
		entries = append(entries, projected(x, in, a.kvHeads()))
	}
	out := make([][]number, len(rows))
	for i, x := range rows {
		out[i] = attended(x, entries, in, a, func(head int) sight {
			return masked(sight{position: i, causal: a.Causal, window: a.Window}, in["mask"], batch, head, i)
		})
	}
	return out
}

// byBatch evaluates all rows of each batch item of x, [B T d].
func byBatch(x *array, f func(rows [][]number, batch int) [][]number) Result {
	rows, seq := x.rows(), x.dim(1)
	var out [][]number
	for b := range x.dim(0) {
		out = append(out, f(rows[b*seq:(b+1)*seq], b)...)
	}
	return listed(out)
}

var _ = register("mha", func() mhaAttrs { return mhaAttrs{} }, multiHead)

func multiHead(a mhaAttrs, in arrays) Step {
	return gives("y", byBatch(in["x"], func(rows [][]number, batch int) [][]number { return mixed(rows, in, a, batch) }))
}
