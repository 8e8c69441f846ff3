package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("rmsnorm", rmsNormFamily)

func rmsNormFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: rows one shorter than, as long as and one longer than a block"},
		{Name: "rows", Bug: "the mean square of another row, or of the whole tensor"},
		{Name: "mean", Bug: "the mean is subtracted, as by layer normalization"},
		{Name: "divisor", Bug: "the sum of squares is divided by d - 1, or not at all"},
		{Name: "eps", Bug: "another eps, or eps added to the root and not to the mean square", See: "eps 1e-6 where a model was trained with 1e-5"},
		{Name: "zeros", Bug: "0/0, or noise divided by nearly 0, where a row is 0"},
		{Name: "gamma", Bug: "gamma is dropped, or 1 is added to it"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
		{Name: "range", Bug: "the squares of very large or very small elements overflow or underflow early"},
		{Name: biasedSum, Bug: "sums over many elements drift more than their length explains"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, x draw, d int) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, consts: args{"gamma": around(1, 0.4, d)},
			src: args{"x": x}})
	}
	for _, d := range []int{1, 2, 3, 7, 8, 9, 15, 17, 31, 33, 64, 65, 127, 129} {
		flags := "edges gamma mean"
		if d < 9 {
			flags += " divisor"
		}
		add(fmt.Sprintf("d-%d", d), fmt.Sprintf("Two rows of %d.", d), "RMS-1 RMS-3", flags, nil, around(0.7, 1.5, 2, d), d)
	}
	add("leading-axes", "Rows of very different size, behind two axes.", "RMS-3", "rows", nil,
		normal(1, 2, 3, 6).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/6*2) }), 6)
	add("vector", "A tensor of one axis is one row.", "RMS-3", "rows", nil, normal(2, 11), 11)
	for _, eps := range []float64{1e-5, 1e-6, 1e-3, 1e-12, 0.5} {
		add(fmt.Sprintf("eps-%g", eps), fmt.Sprintf("eps = %g beside mean squares from 1e-6 to 1.", eps), "RMS-2", "eps", attrs{"eps": eps},
			normal(1, 4, 8).mapped(func(i int, x float64) float64 { return x * []float64{1, 0.1, 0.01, 0.001}[i/8] }), 8)
	}
	add("eps-0", "eps = 0.", "RMS-2", "eps", attrs{"eps": 0}, normal(0.01, 3, 8), 8)
	add("eps-default", "The mean square is near the default eps.", "RMS-2", "eps", nil, normal(3e-3, 2, 8), 8)
	for _, mean := range []float64{30, -1e4} {
		add(fmt.Sprintf("mean-%g", mean), fmt.Sprintf("A mean of %g and a spread of 1: the mean is most of the mean square.", mean), "RMS-1", "mean", nil,
			around(mean, 1, 3, 16), 16)
	}
	add("outlier", "One element is a thousand times larger than the others, as in the residual streams of trained models.", "RMS-1", "range", nil,
		normal(1, 3, 16).set(1500, 5).set(-900, 20), 16)
	f.cases = append(f.cases, testCase{
		name: "zeros", comment: "Rows of zeros give 0, exactly.", clauses: "RMS-4", flags: "zeros", compare: vector.Exact,
		consts: args{"gamma": around(1, 0.4, 6)}, src: args{"x": all(0, 2, 6)},
	}, testCase{
		name: "zeros-beside", comment: "A row of zeros between ordinary ones.", clauses: "RMS-4", flags: "zeros rows", consts: args{"gamma": around(1, 0.4, 7)},
		src: args{"x": normal(1, 3, 7).set(0, span(7, 14)...)},
	}, testCase{
		name: "zeros-eps-0", comment: "A row of zeros with eps = 0 is 0/0, NaN; its neighbour is not.", clauses: "RMS-4", flags: "zeros", attrs: attrs{"eps": 0},
		consts: args{"gamma": around(1, 0.4, 4)}, src: args{"x": normal(1, 2, 4).set(0, 0, 1, 2, 3)},
	}, testCase{
		name: "zero-gamma", comment: "Some gammas are 0 and some negative.", clauses: "RMS-1", flags: "gamma",
		consts: args{"gamma": normal(1, 8).set(0, 1, 5)}, src: args{"x": normal(1, 3, 8)},
	}, testCase{
		name: "specials", comment: "A row with a NaN is NaN; an infinity becomes NaN and its row 0; the other rows are as ever.", clauses: "RMS-5",
		flags: "specials rows", consts: args{"gamma": around(1, 0.4, 5)}, src: args{"x": normal(1, 5, 5).set(nan, 7).set(inf, 15).set(-inf, 22)},
	})
	add("large", "Elements near 1e15.", "RMS-1", "range", nil, normal(1e15, 2, 9), 9)
	add("small", "Elements near 1e-15 with eps = 0.", "RMS-1", "range", attrs{"eps": 0}, normal(1e-15, 2, 9), 9)
	f.cases = append(f.cases, testCase{
		name: "llama-7b", comment: "The width of LLaMA 7B, 4,096, with its eps of 1e-6.", clauses: "RMS-1", flags: "edges", attrs: attrs{"eps": 1e-6},
		consts: args{"gamma": recipe("uniform", 0.5, 1, 4096)}, src: args{"x": sum4(2, 2, 4096)}, samples: tileEdges,
	}, testCase{
		name: "wide", comment: "12,288 elements of one sign.", clauses: "RMS-1", flags: biasedSum + " edges",
		consts: args{"gamma": recipe("uniform", 0.5, 1, 12288)}, src: args{"x": recipe("uniform", 1, 1.5, 1, 12288)}, samples: tileEdges,
	})
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows.", clauses: "RMS-3", consts: args{"gamma": around(1, 0.3, 5)}, src: args{"x": sum4(2, 130, 5)},
	}}
	return f
}

var _ = register("rmsnorm.grad", rmsNormGradFamily)

func rmsNormGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, addsFlag, drift,
		{Name: "terms", Bug: "the term of the mean square is missing, or is not divided by d"},
		{Name: "gamma", Bug: "gamma does not reach dx, or enters twice"},
		{Name: "rows", Bug: "dgamma is that of one row, or of the last axis only, or a mean"},
		{Name: "eps", Bug: "another eps, or eps missing from the root"},
		{Name: "zeros", Bug: "0/0 where a row is 0"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
	}}
	add := func(c testCase) { f.cases = append(f.cases, c) }
	for _, s := range [][2]int{{2, 4}, {3, 7}, {2, 8}, {1, 9}, {4, 17}, {33, 5}, {2, 65}, {2, 129}} {
		add(testCase{
			name: fmt.Sprintf("t%d-d%d", s[0], s[1]), comment: fmt.Sprintf("%d rows of %d.", s[0], s[1]), clauses: "GRAD-1 RMS-6 RMS-7",
			flags: "edges terms gamma rows upstream", consts: args{"gamma": around(1, 0.4, s[1])},
			src: args{"x": around(0.7, 1.5, s[0], s[1]), "dy": around(0.4, 1, s[0], s[1])},
		})
	}
	add(testCase{
		name: "t3-d1", comment: "Rows of one element, of which only eps leaves a gradient.", clauses: "RMS-2 RMS-6 RMS-7", flags: "edges eps terms",
		attrs: attrs{"eps": 0.5}, consts: args{"gamma": around(1, 0.4, 1)}, src: args{"x": around(0.7, 0.5, 3, 1), "dy": around(0.4, 1, 3, 1)},
	})
	add(testCase{
		name: "axes", comment: "Rows of different size behind two axes; dgamma sums over both.", clauses: "RMS-6 RMS-7", flags: "rows terms",
		consts: args{"gamma": around(1, 0.4, 6)}, src: args{"x": normal(1, 2, 3, 6).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/6-2) }),
			"dy": around(0.5, 1, 2, 3, 6)},
	})
	add(testCase{
		name: "vector", comment: "A tensor of one axis is one row.", clauses: "RMS-6 RMS-7", flags: "rows", consts: args{"gamma": around(1, 0.4, 10)},
		src: args{"x": normal(1, 10), "dy": normal(1, 10)},
	})
	add(testCase{
		name: "zero-gamma", comment: "Some gammas are 0 and some negative: dgamma is not.", clauses: "RMS-6 RMS-7", flags: "gamma",
		consts: args{"gamma": normal(1, 8).set(0, 1, 5)}, src: args{"x": normal(1, 3, 8), "dy": normal(1, 3, 8)},
	})
	for _, eps := range []float64{0.5, 1e-3, 1e-12} {
		add(testCase{
			name: fmt.Sprintf("eps-%g", eps), comment: fmt.Sprintf("eps = %g beside mean squares from 1e-4 to 1.", eps), clauses: "RMS-2 RMS-6", flags: "eps",
			attrs: attrs{"eps": eps}, consts: args{"gamma": around(1, 0.4, 8)},
			src: args{"x": normal(1, 3, 8).mapped(func(i int, x float64) float64 { return x * []float64{1, 0.1, 0.01}[i/8] }),
				"dy": around(0.3, 1, 3, 8)},
		})
	}
	add(testCase{
		name: "eps-default", comment: "The mean square is near the default eps.", clauses: "RMS-2 RMS-6", flags: "eps terms",
		consts: args{"gamma": around(1, 0.4, 8)}, src: args{"x": normal(3e-3, 2, 8), "dy": normal(1, 2, 8)},
	})
	add(testCase{
		name: "mean-30", comment: "A mean of 30 and a spread of 1.", clauses: "RMS-6", flags: "terms", consts: args{"gamma": around(1, 0.4, 16)},
		src: args{"x": around(30, 1, 3, 16), "dy": normal(1, 3, 16)},
	})
	add(testCase{
		name: "zeros", comment: "A row of zeros between ordinary ones.", clauses: "RMS-6 RMS-8", flags: "zeros", consts: args{"gamma": around(1, 0.4, 7)},
		src: args{"x": normal(1, 3, 7).set(0, span(7, 14)...), "dy": normal(1, 3, 7)},
	})
	add(testCase{
		name: "specials", comment: "Rows with NaN and infinities are NaN throughout in dx; dgamma is where an element of theirs is.", clauses: "RMS-7 RMS-8",
		flags: "specials", consts: args{"gamma": around(1, 0.4, 5)},
		src: args{"x": normal(1, 4, 5).set(inf, 10).set(-inf, 17), "dy": around(0.3, 1, 4, 5)},
	})
	add(testCase{
		name: "nan", comment: "A row with a NaN is NaN in dx, and so is all of dgamma.", clauses: "RMS-8", flags: "specials", consts: args{"gamma": around(1, 0.4, 5)},
		src: args{"x": normal(1, 3, 5).set(nan, 7), "dy": around(0.3, 1, 3, 5)},
	})
	add(testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite", consts: args{"gamma": around(1, 0.4, 6)},
		steps: twice(func() args { return args{"x": normal(1, 3, 6), "dy": normal(1, 3, 6)} }),
	})
	add(testCase{
		name: "llama-7b", comment: "The width of LLaMA 7B, 4,096.", clauses: "RMS-6 RMS-7", flags: "edges", consts: args{"gamma": recipe("uniform", 0.5, 1, 4096)},
		src: args{"x": sum4(2, 1, 4096), "dy": sum4(1, 1, 4096)}, samples: tileEdges,
	})
	add(testCase{
		name: "many-rows", comment: "200 rows whose upstream gradients are positive.", clauses: "RMS-7", flags: biasedSum + " rows",
		consts: args{"gamma": around(1, 0.4, 4)}, src: args{"x": recipe("uniform", 1, 0.5, 200, 4), "dy": recipe("uniform", 1, 0.5, 200, 4)},
	})
	return f
}
