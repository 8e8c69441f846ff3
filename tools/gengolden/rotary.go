package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Both families are judged with the arithmetic of float32, which ROT-3 prescribes beside the angle's double precision.

var _ = register("rotary", rotaryFamily)

func rotaryFamily() family {
	f := family{accumulate: op.Float32Format, flags: append(rotaryFlags(),
		vector.Flag{Name: "position-range", Bug: "a negative position is accepted"},
		vector.Flag{Name: "attributes", Bug: "an attribute out of its range is accepted"},
	)}
	for _, c := range rotaryCases() {
		c.src = args{"x": c.x, "pos": c.pos}
		f.cases = append(f.cases, c.testCase)
	}
	f.cases = append(f.cases, testCase{
		name: "negative", comment: "A negative position is an error.", clauses: "ROT-6", flags: "position-range",
		src: args{"x": normal(1, 1, 1, 2, 4), "pos": idsOf([]int64{0, -1}, 1, 2)}, err: "position",
	}, testCase{
		name: "specials", comment: "A NaN and infinities reach their pair, and no other.", clauses: "ROT-8", flags: "specials",
		src: args{"x": normal(1, 1, 1, 4, 6).set(nan, 1).set(inf, 8).set(-inf, 17), "pos": idsOf([]int64{3, 1, 2, 5}, 1, 4)},
	})
	for name, a := range sorted(map[string]attrs{
		"odd":        {"rotary_dim": 3},
		"negative":   {"rotary_dim": -2},
		"base-0.5":   {"base": 0.5},
		"base-minus": {"base": -10000},
		"pairing":    {"pairing": "thirds"},
	}) {
		f.cases = append(f.cases, testCase{name: "attributes-" + name, comment: "An attribute out of its range.", clauses: "ROT-4 ROT-7", flags: "attributes", attrs: a,
			src: args{"x": normal(1, 1, 1, 1, 4), "pos": idsOf([]int64{0}, 1, 1)}, err: "attributes"})
	}
	f.cases = append(f.cases, testCase{
		name: "too-wide", comment: "More features are rotated than there are.", clauses: "ROT-4", flags: "partial", attrs: attrs{"rotary_dim": 6},
		src: args{"x": normal(1, 1, 1, 1, 4), "pos": idsOf([]int64{0}, 1, 1)}, err: "shape",
	}, testCase{
		name: "odd-width", comment: "All of an odd number of features.", clauses: "ROT-4", flags: "partial",
		src: args{"x": normal(1, 1, 1, 1, 5), "pos": idsOf([]int64{0}, 1, 1)}, err: "shape",
	})
	f.wide = []testCase{{
		name: "rows-130", comment: "130 positions of 66 heads.", clauses: "ROT-1 ROT-5", src: args{"x": sum4(1, 1, 66, 130, 2), "pos": tokens(3000, 1, 130)},
	}}
	return f
}

var _ = register("rotary.grad", rotaryGradFamily)

func rotaryGradFamily() family {
	f := family{accumulate: op.Float32Format, flags: append(rotaryFlags(), upstreamFlag, addsFlag,
		vector.Flag{Name: "direction", Bug: "the gradient is turned forwards, like x"},
	)}
	for _, c := range rotaryCases() {
		c.clauses, c.flags = "GRAD-1 ROT-3 ROT-9", c.flags+" direction upstream"
		c.src = args{"x": c.x, "pos": c.pos, "dy": c.dy}
		f.cases = append(f.cases, c.testCase)
	}
	f.cases = append(f.cases, testCase{
		name: "specials", comment: "A NaN and infinities of dy reach their pair, and no other.", clauses: "ROT-8 ROT-9", flags: "specials",
		src: args{"x": normal(1, 1, 1, 4, 6), "pos": idsOf([]int64{3, 1, 2, 5}, 1, 4),
			"dy": normal(1, 1, 1, 4, 6).set(nan, 1).set(inf, 8).set(-inf, 17)},
	}, testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite",
		steps: twice(func() args {
			return args{"x": normal(1, 1, 2, 3, 6), "pos": idsOf([]int64{0, 1, 2}, 1, 3), "dy": normal(1, 1, 2, 3, 6)}
		}),
	})
	f.wide = []testCase{{
		name: "rows-130", comment: "130 positions of 66 heads.", clauses: "ROT-9",
		src: args{"x": sum4(1, 1, 66, 130, 2), "pos": tokens(3000, 1, 130), "dy": sum4(1, 1, 66, 130, 2)},
	}}
	return f
}

func rotaryFlags() []vector.Flag {
	return []vector.Flag{
		{Name: "pairing", Bug: "neighbours are paired where halves are, or the other way", See: "the two layouts of LLaMA's weights"},
		{Name: "angle", Bug: "the angle, or its reduction, in float32", See: "inverse frequencies that are stored in float32 or bfloat16"},
		{Name: "partial", Bug: "all features are rotated, the others are dropped, or the exponent is divided by D and not by rotary_dim"},
		{Name: "positions", Bug: "row numbers in place of positions, or one item's for all", See: "left padding"},
		{Name: "base", Bug: "the base is 10,000 whatever the attribute says", See: "Llama 3's 500,000"},
		{Name: "axes", Bug: "heads and positions are exchanged: x is read as [B T H D]"},
		{Name: "specials", Bug: "NaN and infinities do not reach the pair, or reach others"},
	}
}

// rotaryCase is a case that rotary and its gradient share.
type rotaryCase struct {
	testCase
	x, pos, dy draw
}

func rotaryCases() []rotaryCase {
	var cases []rotaryCase
	add := func(name, comment, clauses, flags string, a attrs, shape []int, pos draw) {
		cases = append(cases, rotaryCase{testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a}, normal(1, shape...), pos, normal(1, shape...)})
	}
	for _, pairing := range []string{"interleaved", "halves"} {
		clause := map[string]string{"interleaved": "ROT-1", "halves": "ROT-2"}[pairing]
		for _, d := range []int{2, 4, 6, 8, 10, 16, 18, 32, 34, 64, 66, 128} {
			add(fmt.Sprintf("%s-d%d", pairing, d), fmt.Sprintf("%d features at positions that are not row numbers.", d), clause, "pairing positions",
				attrs{"pairing": pairing}, []int{1, 2, 3, d}, idsOf([]int64{0, 1, 7}, 1, 3))
		}
		for _, r := range []int{2, 4, 6} {
			add(fmt.Sprintf("%s-%d-of-8", pairing, r), fmt.Sprintf("The first %d of 8 features are rotated, the others copied.", r), clause+" ROT-4", "partial pairing",
				attrs{"pairing": pairing, "rotary_dim": r}, []int{1, 2, 3, 8}, idsOf([]int64{2, 3, 9}, 1, 3))
		}
		add(pairing+"-odd", "Four of seven features.", clause+" ROT-4", "partial", attrs{"pairing": pairing, "rotary_dim": 4}, []int{1, 1, 2, 7}, idsOf([]int64{3, 4}, 1, 2))
		add(pairing+"-batch", "Each item of the batch has positions of its own: left padding.", clause+" ROT-5", "positions axes", attrs{"pairing": pairing},
			[]int{3, 2, 3, 6}, idsOf([]int64{0, 0, 1, 4, 5, 6, 2, 1, 0}, 3, 3))
		add(pairing+"-batch-shared", "All items of the batch have the same positions.", clause+" ROT-5", "positions axes", attrs{"pairing": pairing},
			[]int{3, 2, 2, 4}, idsOf([]int64{4, 9}, 1, 2))
		add(pairing+"-context", "The last positions of contexts of 2,048, 4,096 and 131,072.", "ROT-3", "angle", attrs{"pairing": pairing},
			[]int{1, 1, 4, 32}, idsOf([]int64{2047, 4095, 4096, 131071}, 1, 4))
	}
	add("zero", "Position 0: nothing turns.", "ROT-1", "positions", nil, []int{1, 2, 1, 8}, idsOf([]int64{0}, 1, 1))
	add("very-far", "Positions around 2^24, which float32 still holds, and past it.", "ROT-3", "angle", nil, []int{1, 1, 3, 16}, idsOf([]int64{1<<24 - 1, 1 << 24, 1<<24 + 1}, 1, 3))
	for _, base := range []float64{1, 2, 500, 500000, 1e12} {
		add(fmt.Sprintf("base-%.0f", base), fmt.Sprintf("A base of %.0f.", base), "ROT-7", "base", attrs{"base": base}, []int{1, 1, 3, 8}, idsOf([]int64{1, 5, 100}, 1, 3))
	}
	add("llama-3", "The heads of Llama 3, with its base and halves.", "ROT-2 ROT-7", "base pairing angle", attrs{"pairing": "halves", "base": 500000},
		[]int{1, 2, 2, 128}, idsOf([]int64{8190, 8191}, 1, 2))
	add("gpt-neox", "A quarter of the features, as GPT-NeoX has it.", "ROT-2 ROT-4", "partial", attrs{"pairing": "halves", "rotary_dim": 16},
		[]int{1, 2, 2, 64}, idsOf([]int64{2046, 2047}, 1, 2))
	return cases
}
