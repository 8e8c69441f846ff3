package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("layernorm", layerNormFamily)

func layerNormFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: rows one shorter than, as long as and one longer than a block"},
		{Name: "rows", Bug: "statistics of another row, or of the whole tensor"},
		{Name: "biased-variance", Bug: "the variance is divided by d - 1"},
		{Name: "eps", Bug: "another eps, or eps added to the root and not to the variance", See: "eps 1e-6 where a model was trained with 1e-5"},
		{Name: "one-pass", Bug: "the variance is mean(x^2) - mu^2, which cancels where the mean is large"},
		{Name: "constant", Bug: "0/0, or noise divided by nearly 0, where a row has no spread"},
		{Name: "affine", Bug: "gamma or beta is dropped, exchanged, or applied in the wrong order"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
		{Name: "range", Bug: "the squares of very large or very small elements overflow or underflow early"},
		{Name: biasedSum, Bug: "sums over many elements drift more than their length explains"},
	}}
	affine := func(d int) args { return args{"gamma": around(1, 0.4, d), "beta": normal(0.5, d)} }
	add := func(name, comment, clauses, flags string, a attrs, x draw, d int) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, consts: affine(d), src: args{"x": x}})
	}
	for _, d := range []int{2, 3, 7, 8, 9, 15, 17, 31, 33, 64, 65, 127, 129} {
		flags := "edges affine"
		if d < 9 {
			flags += " biased-variance"
		}
		add(fmt.Sprintf("d-%d", d), fmt.Sprintf("Two rows of %d.", d), "LN-1 LN-2", flags, nil, around(0.3, 1.5, 2, d), d)
	}
	add("leading-axes", "Rows of very different mean and spread, behind two axes.", "LN-1", "rows", nil,
		normal(1, 2, 3, 6).mapped(func(i int, x float64) float64 { return (x + float64(i/6)) * float64(int(1)<<(i/6*2)) }), 6)
	add("vector", "A tensor of one axis is one row.", "LN-1", "rows", nil, normal(2, 11), 11)

	for _, eps := range []float64{1e-5, 1e-6, 1e-3, 1e-12, 0.5} {
		add(fmt.Sprintf("eps-%g", eps), fmt.Sprintf("eps = %g beside variances from 1e-6 to 1.", eps), "LN-3", "eps", attrs{"eps": eps},
			normal(1, 4, 8).mapped(func(i int, x float64) float64 { return x * []float64{1, 0.1, 0.01, 0.001}[i/8] }), 8)
	}
	add("eps-0", "eps = 0.", "LN-3", "eps", attrs{"eps": 0}, normal(0.01, 3, 8), 8)
	add("tiny-variance", "The variance is far below eps.", "LN-3", "eps", nil, normal(1e-4, 2, 8), 8)

	for _, mean := range []float64{30, 1000, -1e4, 3e4} {
		add(fmt.Sprintf("mean-%g", mean), fmt.Sprintf("A mean of %g and a spread of 1.", mean), "LN-1 LN-4", "one-pass", nil, around(mean, 1, 3, 16), 16)
	}
	add("outlier", "One element is a thousand times larger than the others, as in the residual streams of trained models.", "LN-1", "one-pass range", nil,
		normal(1, 3, 16).set(1500, 5).set(-900, 20), 16)

	f.cases = append(f.cases, testCase{
		name: "d-1", comment: "Rows of one element give beta, exactly.", clauses: "LN-5", flags: "constant", compare: vector.Exact, consts: affine(1),
		src: args{"x": floats([]float64{3, -7e3, 0, 1e-3}, 4, 1)},
	}, testCase{
		name: "constant", comment: "Constant rows of integers give beta, exactly.", clauses: "LN-5", flags: "constant", compare: vector.Exact,
		consts: affine(6),
		src:    args{"x": all(0, 3, 6).mapped(func(i int, _ float64) float64 { return []float64{0, 4, -64}[i/6] })},
	}, testCase{
		name: "constant-beside", comment: "A constant row between ordinary ones.", clauses: "LN-1 LN-5", flags: "constant rows", consts: affine(7),
		src: args{"x": normal(1, 3, 7).set(0.1, span(7, 14)...)},
	}, testCase{
		name: "constant-eps-0", comment: "A constant row with eps = 0 is 0/0, NaN; its neighbour is not.", clauses: "LN-5", flags: "constant",
		attrs:  attrs{"eps": 0},
		consts: affine(4), src: args{"x": normal(1, 2, 4).set(2, 0, 1, 2, 3)},
	}, testCase{
		name: "zero-gamma", comment: "Some gammas are 0 and some negative.", clauses: "LN-1", flags: "affine",
		consts: args{"gamma": normal(1, 8).set(0, 1, 5), "beta": normal(1, 8)}, src: args{"x": normal(1, 3, 8)},
	}, testCase{
		name: "specials", comment: "Rows with NaN, +Inf and -Inf are NaN throughout; the others are not.", clauses: "LN-6", flags: "specials rows",
		consts: affine(5), src: args{"x": normal(1, 5, 5).set(nan, 7).set(inf, 15).set(-inf, 22)},
	})
	add("large", "Elements near 1e15.", "LN-1", "range", nil, normal(1e15, 2, 9), 9)
	add("huge", "Elements near 1e30, whose squares overflow float32.", "LN-4", "range", nil, normal(1e30, 2, 9), 9)
	add("small", "Elements near 1e-15 with eps = 0.", "LN-1", "range", attrs{"eps": 0}, normal(1e-15, 2, 9), 9)
	f.cases = append(f.cases, testCase{
		name: "gpt2", comment: "GPT-2's width, 768.", clauses: "LN-1", flags: "edges", consts: args{"gamma": recipe("uniform", 0.5, 1, 768),
			"beta": sum4(0.3, 768)},
		src: args{"x": sum4(2, 2, 768)}, samples: tileEdges,
	}, testCase{
		name: "gpt3", comment: "The width of GPT-3 175B, 12,288.", clauses: "LN-1", flags: "edges",
		consts: args{"gamma": recipe("uniform", 0.5, 1, 12288), "beta": sum4(0.3, 12288)},
		src:    args{"x": sum4(2, 2, 12288)}, samples: tileEdges,
	}, testCase{
		name: "gpt3-shifted", comment: "12,288 elements with a mean of 20 and a spread of 1.", clauses: "LN-1 LN-4", flags: biasedSum + " one-pass",
		consts: args{"gamma": recipe("uniform", 0.5, 1, 12288), "beta": sum4(0.3, 12288)}, src: args{"x": recipe("sum4", 1.75, 20, 1, 12288)},
		samples: tileEdges,
	})
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows.", clauses: "LN-1", consts: args{"gamma": around(1, 0.3, 5), "beta": normal(0.2, 5)}, src: args{"x": sum4(2, 130, 5)},
	}}
	return f
}

var _ = register("layernorm.grad", layerNormGradFamily)

func layerNormGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, addsFlag, drift,
		{Name: "terms", Bug: "the term of the mean or that of the variance is missing, or is not divided by d"},
		{Name: "affine", Bug: "gamma does not reach dx, or enters twice; dgamma and dbeta are exchanged"},
		{Name: "rows", Bug: "dgamma and dbeta are those of one row, or of the last axis only, or a mean"},
		{Name: "eps", Bug: "another eps, or eps missing from sigma"},
		{Name: "one-pass", Bug: "the variance is mean(x^2) - mu^2, which cancels where the mean is large"},
		{Name: "constant", Bug: "0/0 where a row has no spread"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
	}}
	affine := func(d int) args { return args{"gamma": around(1, 0.4, d), "beta": normal(0.5, d)} }
	add := func(c testCase) { f.cases = append(f.cases, c) }
	for _, s := range [][2]int{{2, 4}, {3, 7}, {2, 8}, {1, 9}, {4, 17}, {33, 5}, {2, 65}, {2, 129}} {
		add(testCase{
			name: fmt.Sprintf("t%d-d%d", s[0], s[1]), comment: fmt.Sprintf("%d rows of %d.", s[0], s[1]), clauses: "GRAD-1 GRAD-12 GRAD-13",
			flags: "edges terms affine rows upstream", consts: affine(s[1]),
			src: args{"x": around(0.3, 1.5, s[0], s[1]), "dy": around(0.4, 1, s[0], s[1])},
		})
	}
	add(testCase{
		name: "axes", comment: "Rows of different size behind two axes; dgamma and dbeta sum over both.", clauses: "GRAD-12 GRAD-13",
		flags:  "rows terms",
		consts: affine(6), src: args{"x": normal(1, 2, 3, 6).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/6-2) }),
			"dy": around(0.5, 1, 2, 3, 6)},
	})
	add(testCase{
		name: "vector", comment: "A tensor of one axis is one row.", clauses: "GRAD-12 GRAD-13", flags: "rows", consts: affine(10),
		src: args{"x": normal(1, 10), "dy": normal(1, 10)},
	})
	add(testCase{
		name: "zero-gamma", comment: "Some gammas are 0 and some negative: dgamma is not.", clauses: "GRAD-12 GRAD-13", flags: "affine",
		consts: args{"gamma": normal(1, 8).set(0, 1, 5), "beta": normal(1, 8)}, src: args{"x": normal(1, 3, 8), "dy": normal(1, 3, 8)},
	})
	for _, eps := range []float64{0.5, 1e-3, 1e-12} {
		add(testCase{
			name: fmt.Sprintf("eps-%g", eps), comment: fmt.Sprintf("eps = %g beside variances from 1e-4 to 1.", eps), clauses: "GRAD-12 LN-3",
			flags: "eps",
			attrs: attrs{"eps": eps}, consts: affine(8),
			src: args{"x": normal(1, 3, 8).mapped(func(i int, x float64) float64 { return x * []float64{1, 0.1, 0.01}[i/8] }),
				"dy": around(0.3, 1, 3, 8)},
		})
	}
	add(testCase{
		name: "tiny-variance", comment: "The variance is below the default eps.", clauses: "GRAD-12 LN-3", flags: "eps terms", consts: affine(8),
		src: args{"x": normal(2e-3, 2, 8), "dy": normal(1, 2, 8)},
	})
	for _, mean := range []float64{30, -1000} {
		add(testCase{
			name: fmt.Sprintf("mean-%g", mean), comment: fmt.Sprintf("A mean of %g and a spread of 1.", mean), clauses: "GRAD-12 LN-4",
			flags: "one-pass", consts: affine(16),
			src: args{"x": around(mean, 1, 3, 16), "dy": normal(1, 3, 16)},
		})
	}
	add(testCase{
		name: "constant", comment: "A constant row between ordinary ones.", clauses: "GRAD-12 GRAD-14", flags: "constant", consts: affine(7),
		src: args{"x": normal(1, 3, 7).set(0.5, span(7, 14)...), "dy": normal(1, 3, 7)},
	})
	add(testCase{
		name: "d-1", comment: "Rows of one element are constant: dx and dgamma are 0, dbeta is not.", clauses: "GRAD-13 GRAD-14",
		flags: "constant", compare: vector.Exact,
		consts: args{"gamma": floats([]float64{2}, 1), "beta": floats([]float64{-1}, 1)},
		src:    args{"x": floats([]float64{3, -8, 0.5}, 3, 1), "dy": floats([]float64{4, 2, -3}, 3, 1)},
	})
	add(testCase{
		name: "specials", comment: "Rows with NaN and infinities give NaN in their dx and in dgamma, and nowhere else.", clauses: "GRAD-14 LN-6",
		flags:  "specials",
		consts: affine(5), src: args{"x": normal(1, 5, 5).set(nan, 7).set(inf, 15).set(-inf, 22), "dy": around(0.3, 1, 5, 5)},
	})
	add(testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite", consts: affine(6),
		steps: twice(func() args { return args{"x": normal(1, 3, 6), "dy": normal(1, 3, 6)} }),
	})
	add(testCase{
		name: "gpt2", comment: "GPT-2's width, 768.", clauses: "GRAD-12 GRAD-13", flags: "edges",
		consts: args{"gamma": recipe("uniform", 0.5, 1, 768), "beta": sum4(0.3, 768)},
		src:    args{"x": sum4(2, 1, 768), "dy": sum4(1, 1, 768)},
	})
	add(testCase{
		name: "many-rows", comment: "200 rows whose upstream gradients are positive.", clauses: "GRAD-13", flags: biasedSum + " rows",
		consts: affine(4), src: args{"x": recipe("sum4", 2, 1, 200, 4), "dy": recipe("uniform", 1, 0.5, 200, 4)},
	})
	return f
}
