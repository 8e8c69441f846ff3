package precise

import (
	"math"
	"slices"
)

// compare orders numbers that are not NaN. Those that agree to 200 bits are equal: what is equal in exact arithmetic may have been rounded in
// different orders.
func compare(x, y number) int {
	if x.isFinite() && y.isFinite() {
		diff := sub(x, y)
		size := math.MinInt32
		for _, v := range []number{x, y} {
			if !v.isZero() {
				size = max(size, v.v.MantExp(nil))
			}
		}
		if diff.isZero() || diff.v.MantExp(nil) < size-200 {
			return 0
		}
	}
	return x.v.Cmp(y.v)
}

// choosable: DEC-1.
func choosable(row []number) bool {
	m := largest(row)
	return m.isFinite()
}

// ranked are the tokens of a row that can be chosen, the best first: DEC-2, DEC-3. Logits are given, not computed.
func ranked(row []number) []int {
	var tokens []int
	for i, x := range row {
		if x.isFinite() {
			tokens = append(tokens, i)
		}
	}
	slices.SortStableFunc(tokens, func(i, j int) int { return row[j].v.Cmp(row[i].v) })
	return tokens
}

type samplingAttrs struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
}

func samplingDefaults() samplingAttrs { return samplingAttrs{Temperature: 1, TopP: 1} }

// distribution is DEC-5 to DEC-10 of one row.
func (a samplingAttrs) distribution(row []number) []number {
	probs := slices.Repeat([]number{zero}, len(row))
	tokens := ranked(row)
	if a.Temperature == 0 {
		probs[tokens[0]] = one
		return probs
	}
	if a.TopK > 0 {
		tokens = tokens[:min(a.TopK, len(tokens))]
	}
	weights := func() (ps []number) { // of the tokens that are left
		var xs []number
		for _, t := range tokens {
			xs = append(xs, quo(sub(row[t], row[tokens[0]]), of(a.Temperature)))
		}
		_, es := exponentials(xs)
		total := sum(es...)
		for _, e := range es {
			ps = append(ps, quo(e, total))
		}
		return ps
	}
	ps := weights()
	if a.TopP < 1 {
		reached := zero
		for n, p := range ps {
			if reached = add(reached, p); compare(reached, of(a.TopP)) >= 0 {
				tokens = tokens[:n+1]
				break
			}
		}
		ps = weights()
	}
	for i, t := range tokens {
		probs[t] = ps[i]
	}
	return probs
}

// inverted: DEC-12, DEC-13.
func inverted(probs []number, draw int64) int {
	u, reached, last := uniform(draw), zero, 0
	for t, p := range probs {
		if p.isZero() {
			continue
		}
		last = t
		if reached = add(reached, p); compare(reached, u) > 0 {
			return t
		}
	}
	return last
}

// everyRow evaluates a function of each row of logits, or fails: DEC-1.
func everyRow(in arrays, name string, width int, f func(row []number, i int) []number) Step {
	rows := in["logits"].rows()
	for _, row := range rows {
		if !choosable(row) {
			return fails("number")
		}
	}
	return gives(name, byRow(width, func(i int) []number { return f(rows[i], i) }))
}

var _ = register("greedy", none, greedy)

func greedy(_ noAttrs, in arrays) Step {
	return everyRow(in, "token", 1, func(row []number, _ int) []number { return []number{ofInt(ranked(row)[0])} })
}

var _ = register("distribution", samplingDefaults, distribution)

func distribution(a samplingAttrs, in arrays) Step {
	return everyRow(in, "probs", in["logits"].dim(1), func(row []number, _ int) []number { return a.distribution(row) })
}

var _ = register("sample", samplingDefaults, sample)

func sample(a samplingAttrs, in arrays) Step {
	draws := in["draws"].I64
	step := everyRow(in, "token", 1, func(row []number, i int) []number {
		return []number{ofInt(inverted(a.distribution(row), draws[i]))}
	})
	if !validDraws(draws) {
		return fails(append(step.Faults, "index")...)
	}
	return step
}
