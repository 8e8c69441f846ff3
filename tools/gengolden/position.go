package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("sinusoidal_positions", sinusoidalFamily)

func sinusoidalFamily() family {
	f := family{accumulate: op.Float64Format, flags: []vector.Flag{
		{Name: "layout", Bug: "sines first and cosines after, or frequencies divided by d/2 - 1", See: "fairseq, tensor2tensor"},
		{Name: "angle", Bug: "the angle, or its reduction, in float32: over a thousand roundings off"},
		{Name: "positions", Bug: "row numbers in place of positions", See: "left padding"},
		{Name: "position-range", Bug: "a negative position is accepted"},
	}}
	add := func(name, comment, clauses, flags string, d int, at draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: attrs{"d_model": d}, src: args{"pos": at}})
	}
	add("d-2", "One frequency.", "PE-1", "layout", 2, ids(0, 1, 2, 3, 4, 5))
	add("d-4", "Two frequencies.", "PE-1", "layout", 4, ids(0, 1, 2, 3))
	add("d-6", "A width that is no power of two.", "PE-1", "layout", 6, ids(0, 1, 2, 3, 4))
	add("d-64", "32 frequencies.", "PE-1", "layout", 64, ids(0, 1, 7, 8, 9))
	add("d-768", "GPT-2's width.", "PE-1 PE-2", "layout angle", 768, ids(1023))
	add("zero", "Position 0: zeros and ones.", "PE-1", "layout", 8, ids(0))
	add("gpt3-context", "The last positions of GPT-3's context.", "PE-2", "angle", 32, ids(2045, 2046, 2047))
	add("far", "Positions around 1e5.", "PE-2", "angle", 32, ids(99999, 100000, 100001))
	add("very-far", "Positions around 2^24, which float32 still holds, and past it.", "PE-2", "angle", 16, ids(1<<24-1, 1<<24, 1<<24+1))
	add("unordered", "Positions in no order, with repetitions.", "PE-3", "positions", 16, ids(5, 5, 0, 1023, 17, 5))
	add("left-padded", "Two padding positions at 0 before the text.", "PE-3", "positions", 8, ids(0, 0, 0, 1, 2, 3))
	f.cases = append(f.cases, testCase{
		name: "negative", comment: "A negative position is an error.", clauses: "PE-5", flags: "position-range", attrs: attrs{"d_model": 4},
		src: args{"pos": ids(0, -1)}, err: "position",
	})
	for _, d := range []int{0, 5, -2} {
		f.cases = append(f.cases, testCase{
			name: fmt.Sprintf("d-%d", d), comment: "Sines and cosines come in pairs: the width is even and at least 2.", clauses: "PE-1", flags: "layout",
			attrs: attrs{"d_model": d}, src: args{"pos": ids(0, 1)}, err: "attributes",
		})
	}
	f.wide = []testCase{{name: "rows-130", comment: "130 positions.", clauses: "PE-1 PE-3", attrs: attrs{"d_model": 6}, src: args{"pos": tokens(3000, 130)}}}
	return f
}

var _ = register("learned_positions", learnedFamily)

func learnedFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "positions", Bug: "row numbers in place of positions", See: "left padding"},
		{Name: "position-range", Bug: "a position at or past the end, or a negative one, is clamped, wraps around, reads other memory or panics"},
	}}
	table := normal(1, 6, 5)
	add := func(name, comment, clauses, flags, err string, table, at draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, compare: vector.Exact,
			consts: args{"table": table}, src: args{"pos": at}, err: err})
	}
	add("all", "Every row, in order.", "PE-4", "positions", "", table, ids(0, 1, 2, 3, 4, 5))
	add("unordered", "Positions in no order, with repetitions.", "PE-3 PE-4", "positions", "", table, ids(5, 0, 0, 3, 5))
	add("left-padded", "Two padding positions at 0 before the text.", "PE-3 PE-4", "positions", "", table, ids(0, 0, 0, 1, 2))
	add("offset", "A step behind a cache of three.", "PE-3 PE-4", "positions", "", table, ids(3, 4))
	add("one-row", "A table of one row.", "PE-4", "positions", "", normal(1, 1, 3), ids(0))
	add("specials", "NaN and infinities are copied.", "PE-4", "positions", "", normal(1, 3, 3).set(nan, 3).set(inf, 4), ids(1, 2))
	for _, at := range []int64{6, -1, 1 << 32} {
		add(fmt.Sprintf("position-%d", at), "A position outside the table is an error.", "PE-5", "position-range", "position", table, ids(0, at))
	}
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 130 elements.", clauses: "PE-4", compare: vector.Exact,
		consts: args{"table": sum4(1, 70, 130)}, src: args{"pos": tokens(70, 130)},
	}}
	return f
}
