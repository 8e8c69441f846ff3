package main

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("embedding", embeddingFamily)

func embeddingFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "rows", Bug: "rows of the wrong width or order"},
		{Name: "id-range", Bug: "an id at or past the end, or a negative one, is clamped, wraps around, reads other memory or panics"},
		{Name: "copy", Bug: "rows are not copied exactly: NaN, infinities, -0, subnormals"},
	}}
	table := normal(1, 7, 5)
	add := func(name, comment, clauses, flags, err string, table, at draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, compare: vector.Exact,
			consts: args{"table": table}, src: args{"ids": at}, err: err})
	}
	add("all", "Every row, in reverse.", "EMB-1", "rows", "", table, ids(6, 5, 4, 3, 2, 1, 0))
	add("bounds", "The first and the last row.", "EMB-1", "rows id-range", "", table, ids(0, 6))
	add("repeated", "An id many times.", "EMB-1", "rows", "", table, ids(3, 3, 0, 3, 6, 0))
	add("axes", "Ids of two axes.", "EMB-1", "rows", "", normal(1, 5, 3), tokens(5, 2, 4))
	add("one-row", "A table of one row.", "EMB-1", "rows id-range", "", normal(1, 1, 4), ids(0, 0))
	add("width-1", "Rows of one element.", "EMB-1", "rows", "", normal(1, 9, 1), ids(8, 2, 4))
	add("scalar", "An id without axes.", "EMB-1", "rows", "", table, scalar(4))
	add("specials", "A row with NaN, infinities, -0 and a subnormal number is copied.", "EMB-1", "copy", "",
		normal(1, 3, 5).set(nan, 5).set(inf, 6).set(-inf, 7).set(0x1p-140, 8), ids(2, 1, 0, 1))
	add("vocabulary", "GPT-3's vocabulary: the first and the last id, and some between.", "EMB-1", "rows id-range", "", sum4(1, 50257, 4),
		ids(0, 50256, 50255, 32768, 257, 198))
	add("id-v", "An id equal to V is an error.", "EMB-2", "id-range", "index", table, ids(0, 7))
	add("id-negative", "-1 is an error, not the last row.", "EMB-2", "id-range", "index", table, ids(-1, 2))
	add("id-huge", "An id that does not fit 32 bits is an error.", "EMB-2", "id-range", "index", table, ids(2, 1<<32+1))
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 130 elements.", clauses: "EMB-1", compare: vector.Exact,
		consts: args{"table": sum4(1, 70, 130)}, src: args{"ids": tokens(70, 130)},
	}}
	return f
}

var _ = register("embedding.grad", embeddingGradFamily)

func embeddingGradFamily() family {
	f := family{flags: []vector.Flag{
		upstreamFlag, addsFlag, drift,
		{Name: "repeated", Bug: "the last of several equal ids wins, or additions race"},
		{Name: "unused", Bug: "rows that no id names are not set to 0"},
		{Name: "id-range", Bug: "an id at or past the end, or a negative one, is clamped, wraps around, reads other memory or panics"},
	}}
	add := func(name, comment, clauses, flags string, compare vector.Compare, rows, width int, at draw, lead ...int) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, compare: compare,
			consts: args{"table": normal(1, rows, width)}, src: args{"ids": at, "dy": normal(1, append(lead, width)...)}})
		return &f.cases[len(f.cases)-1]
	}
	add("once", "Each id once: rows are copied.", "GRAD-1 GRAD-15", "upstream", vector.Exact, 4, 5, ids(2, 0, 3, 1), 4)
	add("repeated", "An id four times, and one twice.", "GRAD-15", "repeated unused", "", 7, 5, ids(3, 3, 0, 3, 6, 0, 3), 7)
	add("one-id", "All ids are one.", "GRAD-15", "repeated unused", "", 5, 3, ids(4, 4, 4, 4, 4, 4), 6)
	add("axes", "Ids of two axes: equal ids of different sequences add too.", "GRAD-15", "repeated upstream", "", 5, 3,
		idsOf([]int64{1, 4, 1, 0, 1, 4, 4, 1}, 2, 4), 2, 4)
	add("scalar", "An id without axes.", "GRAD-15", "unused", vector.Exact, 6, 4, scalar(2))
	add("one-row", "A table of one row.", "GRAD-15", "repeated", "", 1, 4, ids(0, 0, 0), 3)
	add("integers", "Integers: exact in every order.", "GRAD-15", "repeated unused", vector.Exact, 9, 4, tokens(7, 60),
		60).src["dy"] = whole(-9, 9, 60, 4)
	add("specials", "NaN and an infinity reach the row of their id and no other.", "GRAD-15", "upstream repeated", "", 5, 3,
		ids(1, 3, 1, 0, 3), 5).
		src["dy"] = normal(1, 5, 3).set(nan, 1).set(inf, 13)
	add("long", "500 times one id among others, all upstream gradients positive.", "GRAD-15", biasedSum+" repeated", "", 3, 3,
		idsOf(sequence(600, func(i int) int64 { return int64(i % 6 / 5) }), 600), 600).src["dy"] = recipe("uniform", 1, 1, 600, 3)
	add("vocabulary", "GPT-3's vocabulary, sampled.", "GRAD-15", "unused repeated", "", 50257, 4, ids(0, 50256, 50255, 198, 257, 198, 0, 0),
		8).samples = usedRows(0, 198, 257, 50255, 50256)
	f.cases[len(f.cases)-1].consts["table"] = sum4(1, 50257, 4)
	f.cases = append(f.cases, testCase{
		name: "again", comment: "Two steps with different ids: what the first one set is 0 again.", clauses: "GRAD-1 GRAD-15",
		flags:  "overwrite unused",
		consts: args{"table": normal(1, 6, 3)}, compare: vector.Exact,
		steps: []step{{src: args{"ids": ids(1, 4, 2), "dy": normal(1, 3, 3)}}, {src: args{"ids": ids(0, 4, 5), "dy": normal(1, 3, 3)}}},
	})
	for _, id := range []int64{7, -1, 1<<32 + 1} {
		add(fmt.Sprint("id-", id), "An id outside the table is an error.", "GRAD-16 EMB-2", "id-range", "", 7, 2, ids(1, id), 2).err = "index"
	}
	add("id-last", "The last id is none.", "GRAD-15 GRAD-16", "id-range", vector.Exact, 7, 2, ids(6), 1)
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 130 elements, each id about twice.", clauses: "GRAD-15",
		consts: args{"table": sum4(1, 70, 130)}, src: args{"ids": tokens(70, 130), "dy": sum4(1, 130, 130)},
	}}
	return f
}

// usedRows samples these rows of a table, and of the others one element in 997.
func usedRows(used ...int64) func(shape []int) []int64 {
	return func(shape []int) []int64 {
		rows, cols := int64(shape[0]), int64(shape[1])
		var at []int64
		for v := range rows {
			for j := range cols {
				if i := v*cols + j; i%997 == 0 || slices.Contains(used, v) {
					at = append(at, i)
				}
			}
		}
		return at
	}
}
