package main

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/vector"
)

func gradientFamilies() []family {
	return []family{
		matmulGradFamily(), linearGradFamily(), softmaxGradFamily(), logSoftmaxGradFamily(), reluGradFamily(), geluGradFamily(),
		layerNormGradFamily(), embeddingGradFamily(),
		attentionGradFamily(), mhaGradFamily(), ffnGradFamily(), blockGradFamily(),
		gptLossGradFamily(), crossEntropyGradFamily(),
	}
}

// The flags that several gradients have.
var (
	edgesFlag = vector.Flag{Name: "edges", Bug: "a kernel's remainder loops: lengths one below, at and above a block's"}
	addsFlag  = vector.Flag{Name: "overwrite", Bug: "a second step adds to the gradients of the first",
		See: "torch.Tensor.backward accumulates into grad"}
	upstreamFlag = vector.Flag{Name: "upstream", Bug: "the upstream gradient is taken to be 1, or all its elements to be equal"}
	biasFlag     = vector.Flag{Name: "bias", Bug: "a bias' gradient is that of one row, a mean, or is written where there is no bias"}
	drift        = vector.Flag{Name: biasedSum, Bug: "sums over many terms drift more than their length explains"}
)

// twice is two steps of the same kind, the second with other draws.
func twice(src func() args) []step { return []step{{src: src()}, {src: src()}} }

func matmulGradFamily() family {
	f := family{op: "matmul.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag, addsFlag, drift,
		{Name: "operands", Bug: "da and db are exchanged, or a factor is not transposed"},
		{Name: "batch", Bug: "matrices of a batch are confused, or their gradients add up"},
		{Name: "transpose", Bug: "a gradient has the transposed layout of its argument"},
		{Name: "exact", Bug: "sums of integers are not exact"},
		{Name: "specials", Bug: "zeros of the upstream gradient are skipped, and with them NaN and infinities"},
	}}
	src := func(m, k, n int, lead ...int) args {
		shape := func(s ...int) []int { return append(append([]int{}, lead...), s...) }
		return args{"a": normal(1, shape(m, k)...), "b": normal(1, shape(k, n)...), "dc": normal(1, shape(m, n)...)}
	}
	add := func(c testCase) { f.cases = append(f.cases, c) }
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 2}, {17, 9, 8}, {1, 33, 4}, {16, 3, 65}} {
		add(testCase{
			name: fmt.Sprintf("m%d-k%d-n%d", s[0], s[1], s[2]), comment: fmt.Sprintf("[%d %d] times [%d %d].", s[0], s[1], s[1], s[2]),
			clauses: "GRAD-1 GRAD-3",
			flags:   "edges operands upstream", src: src(s[0], s[1], s[2]),
		})
	}
	add(testCase{name: "square", comment: "Square matrices: every transposition fits.", clauses: "GRAD-3", flags: "operands",
		src: src(6, 6, 6)})
	add(testCase{name: "batch", comment: "Six matrices behind two axes.", clauses: "GRAD-3", flags: "batch", src: src(3, 4, 2, 2, 3)})
	a, b, dc := normal(1, 2, 4, 4), normal(1, 2, 4, 4), normal(1, 2, 4, 4)
	for _, t := range []struct {
		name  string
		attrs attrs
	}{
		{"transpose-a", attrs{"transpose_a": true}}, {"transpose-b", attrs{"transpose_b": true}},
		{"transpose-both", attrs{"transpose_a": true, "transpose_b": true}},
	} {
		add(testCase{
			name: t.name, comment: "Square matrices, two of them, so that shapes betray nothing.", clauses: "GRAD-2 GRAD-3 MM-2",
			flags: "transpose operands batch",
			attrs: t.attrs, src: args{"a": a, "b": b, "dc": dc},
		})
	}
	add(testCase{
		name: "transpose-shapes", comment: "a is stored [K M], b [N K], and so are their gradients.", clauses: "GRAD-2 GRAD-3",
		flags: "transpose",
		attrs: attrs{"transpose_a": true, "transpose_b": true}, src: args{"a": normal(1, 5, 3), "b": normal(1, 2, 5), "dc": normal(1, 3, 2)},
	})
	add(testCase{
		name: "integers", comment: "Small integers: exact in every order.", clauses: "GRAD-3 MM-4", flags: "exact", compare: vector.Exact,
		src: args{"a": whole(-9, 9, 9, 7), "b": whole(-9, 9, 7, 5), "dc": whole(-9, 9, 9, 5)},
	})
	add(testCase{
		name: "zero-times-nan", comment: "Zeros of dc meet NaN and infinities in a and b: the products count.", clauses: "GRAD-3 MM-3",
		flags: "specials",
		src:   args{"a": normal(1, 4, 3).set(inf, 1), "b": normal(1, 3, 2).set(nan, 3), "dc": normal(1, 4, 2).set(0, 0, 1, 3, 5, 7)},
	})
	add(testCase{name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite",
		steps: twice(func() args { return src(3, 4, 5) })})
	add(testCase{
		name: "long", comment: "300 positive terms.", clauses: "GRAD-3", flags: biasedSum,
		src: args{"a": recipe("uniform", 1, 1, 300, 2), "b": recipe("uniform", 1, 1, 2, 2), "dc": recipe("uniform", 1, 1, 300, 2)},
	})
	add(testCase{
		name: "shape", comment: "dc with a row too few.", clauses: "GRAD-2", flags: "operands", src: src(3, 4, 5).with("dc", normal(1, 2, 5)),
		err: "shape",
	})
	return f
}

func linearGradFamily() family {
	f := family{op: "linear.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag, biasFlag, addsFlag, drift,
		{Name: "layout", Bug: "weights are taken to be stored [out, in]", See: "torch.nn.Linear"},
		{Name: "rows", Bug: "dw and db sum over the last of the leading axes only, or are divided by the number of rows"},
		{Name: "exact", Bug: "sums of integers are not exact"},
	}}
	add := func(c testCase) { f.cases = append(f.cases, c) }
	consts := func(in, out int) args { return args{"w": normal(1, in, out), "b": normal(1, out)} }
	src := func(in, out int, lead ...int) args {
		return args{"x": normal(1, append(append([]int{}, lead...), in)...), "dy": around(0.3, 1, append(append([]int{}, lead...), out)...)}
	}
	for _, s := range [][3]int{{1, 1, 1}, {3, 4, 2}, {7, 9, 17}, {33, 5, 8}, {2, 65, 3}} {
		add(testCase{
			name: fmt.Sprintf("t%d-in%d-out%d", s[0], s[1], s[2]), comment: fmt.Sprintf("%d rows, %d to %d.", s[0], s[1], s[2]),
			clauses: "GRAD-1 GRAD-4",
			flags:   "edges bias rows upstream", consts: consts(s[1], s[2]), src: src(s[1], s[2], s[0]),
		})
	}
	add(testCase{name: "square", comment: "A square matrix.", clauses: "GRAD-4", flags: "layout", consts: consts(5, 5), src: src(5, 5, 4)})
	add(testCase{
		name: "axes", comment: "Two leading axes: sums run over all six rows.", clauses: "GRAD-4", flags: "rows bias", consts: consts(4, 3),
		src: src(4, 3, 2, 3),
	})
	add(testCase{name: "vector", comment: "No leading axis.", clauses: "GRAD-4", flags: "rows", consts: consts(6, 4), src: src(6, 4)})
	add(testCase{
		name: "no-bias", comment: "Without a bias there is no gradient of one.", clauses: "GRAD-2 GRAD-4", flags: "bias",
		consts: args{"w": normal(1, 4, 3)}, src: src(4, 3, 5),
	})
	add(testCase{
		name: "integers", comment: "Small integers: exact in every order.", clauses: "GRAD-4", flags: "exact bias", compare: vector.Exact,
		consts: args{"w": whole(-9, 9, 5, 3), "b": whole(-9, 9, 3)}, src: args{"x": whole(-9, 9, 40, 5), "dy": whole(-9, 9, 40, 3)},
	})
	add(testCase{
		name: "long", comment: "400 positive rows.", clauses: "GRAD-4", flags: biasedSum, consts: consts(2, 2),
		src: args{"x": recipe("uniform", 1, 1, 400, 2), "dy": recipe("uniform", 1, 1, 400, 2)},
	})
	add(testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite", consts: consts(3, 4),
		steps: twice(func() args { return src(3, 4, 5) }),
	})
	add(testCase{
		name: "shape", comment: "dy as wide as x.", clauses: "GRAD-2", flags: "layout", consts: consts(3, 4),
		src: args{"x": normal(1, 2, 3), "dy": normal(1, 2, 3)}, err: "shape",
	})
	return f
}

func embeddingGradFamily() family {
	f := family{op: "embedding.grad", flags: []vector.Flag{
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
	return f
}

// sequence returns f(0) to f(n-1).
func sequence(n int, f func(i int) int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
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
