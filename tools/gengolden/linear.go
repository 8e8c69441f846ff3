package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("linear", linearFamily)

func linearFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: lengths one below, at and above a block's"},
		{Name: "layout", Bug: "weights stored [in, out] are read as [out, in]", See: "PyTorch's nn.Linear and GPT-2's Conv1D differ in this"},
		{Name: "bias", Bug: "the bias is dropped, added to the first row only, added twice, or read although it is absent"},
		{Name: "zero-skip", Bug: "terms with a zero factor are skipped, so that 0 * Inf and 0 * NaN vanish", See: "gonum blas/gonum sgemm"},
		{Name: "exact-sums", Bug: "a sum is formed in a format that is too narrow, or a term is dropped or counted twice"},
		{Name: "range", Bug: "a bias and a sum of very different size are rounded once too often"},
		{Name: biasedSum, Bug: "a sum drifts more than its length explains: float16 or bfloat16 accumulation"},
	}}
	add := func(c testCase) { f.cases = append(f.cases, c) }
	for _, s := range [][3]int{
		{1, 1, 1}, {1, 1, 8}, {1, 8, 1}, {5, 3, 7}, {3, 16, 15}, {2, 17, 16}, {2, 31, 33}, {17, 4, 5}, {1, 65, 9}, {1, 129, 3}, {2, 256, 4},
	} {
		add(testCase{
			name: fmt.Sprintf("t%d-%dto%d", s[0], s[1], s[2]), comment: fmt.Sprintf("%d rows, %d inputs, %d outputs.", s[0], s[1], s[2]),
			clauses: "LIN-1 LIN-2", flags: "edges bias", consts: args{"w": normal(1, s[1], s[2]), "b": normal(2, s[2])}, src: args{"x": normal(1, s[0], s[1])},
		})
	}
	add(testCase{
		name: "no-bias", comment: "Without a bias.", clauses: "LIN-1 LIN-2", flags: "bias", consts: args{"w": normal(1, 6, 5)}, src: args{"x": normal(1, 4, 6)},
	})
	add(testCase{
		name: "square", comment: "A square weight fits transposed, too.", clauses: "LIN-1", flags: "layout",
		consts: args{"w": normal(1, 9, 9), "b": normal(1, 9)}, src: args{"x": normal(1, 3, 9)},
	})
	add(testCase{
		name: "leading-axes", comment: "Two leading axes.", clauses: "LIN-1", flags: "layout", consts: args{"w": normal(1, 4, 4), "b": normal(1, 4)},
		src: args{"x": normal(1, 2, 3, 4)},
	})
	add(testCase{
		name: "vector", comment: "No leading axis.", clauses: "LIN-1", flags: "layout", consts: args{"w": normal(1, 7, 3), "b": normal(1, 3)},
		src: args{"x": normal(1, 7)},
	})
	add(testCase{
		name: "bias-only", comment: "Rows of zeros give the bias, exactly.", clauses: "LIN-2", flags: "bias", compare: vector.Exact,
		consts: args{"w": normal(1, 5, 6), "b": normal(1, 6)}, src: args{"x": all(0, 3, 5)},
	})
	add(testCase{
		name: "integers", comment: "Small integers, exact in any order.", clauses: "LIN-1 LIN-2", flags: "exact-sums bias", compare: vector.Exact,
		consts: args{"w": whole(-4, 4, 37, 6), "b": whole(-9, 9, 6)}, src: args{"x": whole(-4, 4, 3, 37)},
	})
	add(testCase{
		name: "specials", comment: "A zero weight meets an infinity, a zero input a NaN; other rows and columns are not affected.", clauses: "LIN-1",
		flags:  "zero-skip",
		consts: args{"w": normal(1, 4, 5).set(0, 5).set(nan, 13), "b": normal(1, 5)}, src: args{"x": normal(1, 3, 4).set(inf, 5).set(0, 2)},
	})
	add(testCase{
		name: "large-bias", comment: "A bias a thousand times larger than the sum.", clauses: "LIN-2", flags: "range bias",
		consts: args{"w": normal(1, 8, 5), "b": normal(1e3, 5)}, src: args{"x": normal(0.3, 3, 8)},
	})
	add(testCase{
		name: "cancelling-bias", comment: "A bias that nearly cancels the sum.", clauses: "LIN-1 LIN-2", flags: "range bias",
		consts: args{"w": all(1, 8, 3), "b": all(-8, 3)}, src: args{"x": around(1, 0.01, 4, 8)},
	})
	add(testCase{
		name: "gpt2-mlp", comment: "GPT-2's width: 768 inputs, 3,072 outputs, sampled.", clauses: "LIN-1 LIN-2", flags: "edges",
		consts: args{"w": sum4(0.05, 768, 3072), "b": sum4(0.1, 3072)}, src: args{"x": sum4(1, 2, 768)}, samples: tileEdges,
	})
	add(testCase{
		name: "gpt2-projection", comment: "3,072 inputs, 768 outputs, sampled.", clauses: "LIN-1 LIN-2", flags: "edges",
		consts: args{"w": sum4(0.03, 3072, 768), "b": sum4(0.1, 768)}, src: args{"x": sum4(1, 1, 3072)}, samples: tileEdges,
	})
	add(testCase{
		name: "positive-3072", comment: "3,072 positive terms in each sum.", clauses: "LIN-1", flags: biasedSum,
		consts: args{"w": recipe("uniform", 0.5, 0.5625, 3072, 4)}, src: args{"x": recipe("uniform", 0.5, 0.75, 2, 3072)},
	})
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 66 to 70.", clauses: "LIN-1 LIN-2", consts: args{"w": sum4(0.125, 66, 70), "b": sum4(0.5, 70)}, src: args{"x": sum4(1, 130, 66)},
	}}
	return f
}

var _ = register("linear.grad", linearGradFamily)

func linearGradFamily() family {
	f := family{flags: []vector.Flag{
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
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 66 to 70.", clauses: "GRAD-4", consts: args{"w": sum4(0.125, 66, 70), "b": sum4(0.5, 70)},
		src: args{"x": sum4(1, 130, 66), "dy": sum4(1, 130, 70)},
	}}
	return f
}
