package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

// rowGradients are the cases that softmax.grad and log_softmax.grad share.
func rowGradients(formula, poison string) []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, n := range []int{2, 3, 7, 8, 9, 17, 33, 65, 129} {
		add(testCase{
			name: fmt.Sprintf("n-%d", n), comment: fmt.Sprintf("Three rows of %d.", n), clauses: "GRAD-1 " + formula,
			flags: "edges jacobian upstream",
			src:   args{"x": normal(1.5, 3, n), "dy": around(0.4, 1, 3, n)},
		})
	}
	add(testCase{
		name: "axes", comment: "Rows of different size behind two axes.", clauses: formula, flags: "rows",
		src: args{"x": normal(1, 2, 2, 5).mapped(rowShift(5, 20)), "dy": normal(1, 2, 2,
			5).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/5) })},
	})
	add(testCase{name: "vector", comment: "No leading axis.", clauses: formula, flags: "rows",
		src: args{"x": normal(1, 11), "dy": normal(1, 11)}})
	add(testCase{
		name: "one-hot", comment: "An upstream gradient for one element of each row: all others move too.", clauses: formula,
		flags: "jacobian upstream",
		src:   args{"x": normal(1, 3, 6), "dy": all(0, 3, 6).set(1.5, 2).set(-2, 6).set(0.75, 17)},
	})
	add(testCase{
		name: "shift", comment: "Logits near 1e4 and -1e4: the maximum is subtracted.", clauses: formula, flags: "no-max",
		src: args{"x": each(func(s *source, i int) float64 { return float64(1-i/8%2*2)*1e4 + float64(s.IntN(4096))/1024 }, 4, 8),
			"dy": normal(1, 4, 8)},
	})
	add(testCase{
		name: "minus-inf", comment: "Elements of -Inf beside finite ones have weight 0.", clauses: formula + " " + poison, flags: "specials",
		src: args{"x": normal(1, 3, 6).set(-inf, 0, 7, 8, 17), "dy": normal(1, 3, 6)},
	})
	add(testCase{
		name: "specials", comment: "Rows with NaN, with +Inf and of -Inf only are NaN throughout; the others are not.", clauses: poison,
		flags: "specials rows",
		src:   args{"x": normal(1, 5, 4).set(nan, 5).set(inf, 8).set(-inf, 16, 17, 18, 19), "dy": normal(1, 5, 4)},
	})
	add(testCase{
		name: "long", comment: "600 logits that hardly differ, and positive upstream gradients.", clauses: formula, flags: biasedSum,
		src: args{"x": recipe("uniform", 1e-3, 0.3, 1, 600), "dy": recipe("uniform", 1, 0.5, 1, 600)},
	})
	return cases
}

func softmaxGradFamily() family {
	f := family{op: "softmax.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag, drift,
		{Name: "jacobian", Bug: "only the diagonal of the Jacobian: p (1 - p) dy, or p dy without the second term"},
		{Name: "rows", Bug: "the sum runs over the whole tensor, or over another row"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "exact", Bug: "a constant is added to the denominator"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
	}}
	f.cases = append(rowGradients("GRAD-5", "GRAD-7"), testCase{
		name: "single", comment: "One element: its weight is 1 whatever it is, and the gradient 0.", clauses: "GRAD-5", flags: "exact",
		compare: vector.Exact,
		src:     args{"x": floats([]float64{0, -3, 1e4}, 3, 1), "dy": floats([]float64{2, -1, 5}, 3, 1)},
	}, testCase{
		name: "equal", comment: "Eight equal logits and integers upstream: exact.", clauses: "GRAD-5", flags: "exact jacobian",
		compare: vector.Exact,
		src:     args{"x": all(3, 2, 8), "dy": whole(-8, 8, 2, 8)},
	}, testCase{
		name: "shape", comment: "dy of another shape.", clauses: "GRAD-2", flags: "rows", src: args{"x": normal(1, 2, 3), "dy": normal(1, 3, 2)},
		err: "shape",
	})
	return f
}

func logSoftmaxGradFamily() family {
	f := family{op: "log_softmax.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag, drift,
		{Name: "jacobian", Bug: "the second term is missing, or is p_i dy_i in the place of p_i times the sum"},
		{Name: "rows", Bug: "the sum runs over the whole tensor, or over another row"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "underflow", Bug: "a weight that underflows makes the gradient 0 or NaN: softmax's gradient divided by p"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
	}}
	f.cases = append(rowGradients("GRAD-6", "GRAD-7"), testCase{
		name: "underflow", comment: "Weights that underflow: their elements keep the upstream gradient.", clauses: "GRAD-6", flags: "underflow",
		src: args{"x": normal(1, 3, 6).set(-200, 1, 8).set(-1e30, 14), "dy": normal(1, 3, 6)},
	})
	return f
}

func reluGradFamily() family {
	f := family{op: "relu.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag,
		{Name: "zero", Bug: "the gradient at 0 or -0 is 1 or 1/2"},
		{Name: "specials", Bug: "NaN of x is lost, or an infinity upstream times 0 is NaN"},
	}}
	for _, n := range []int{1, 7, 16, 33, 65} {
		x := normal(2, n)
		if n == 1 {
			x = floats([]float64{1.5}, 1)
		}
		f.cases = append(f.cases, testCase{
			name: fmt.Sprintf("n-%d", n), comment: fmt.Sprintf("%d elements.", n), clauses: "GRAD-1 GRAD-8", flags: "edges upstream",
			compare: vector.Exact,
			src:     args{"x": x, "dy": normal(1, n)},
		})
	}
	f.cases = append(f.cases, testCase{
		name: "zero", comment: "0, -0 and the smallest numbers of both signs.", clauses: "GRAD-8", flags: "zero", compare: vector.Exact,
		src: args{"x": floats([]float64{0, math.Copysign(0, -1), 0x1p-126, -0x1p-126, 1, -1}, 6),
			"dy": floats([]float64{3, -5, 0.5, 0.25, -2, 8}, 6)},
	}, testCase{
		name: "specials", comment: "NaN of x stays; NaN and infinities upstream pass where x > 0 and are 0 elsewhere.", clauses: "GRAD-8",
		flags:   "specials zero",
		compare: vector.Exact,
		src: args{"x": floats([]float64{nan, -inf, inf, -1, 0, 2, -3, 4}, 2, 4),
			"dy": floats([]float64{1, 2, 3, nan, inf, nan, -inf, inf}, 2, 4)},
	})
	return f
}

func geluGradFamily() family {
	f := family{op: "gelu.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag,
		{Name: "wrong-form", Bug: "the derivative of the other form, or of x * sigmoid(1.702 x)"},
		{Name: "second-term", Bug: "x phi(x), or what the inner derivative multiplies, is missing"},
		{Name: "wide", Bug: "x^2 or x^3 overflows: Inf * 0"},
		{Name: "specials", Bug: "NaN at an infinity, where the derivative is 0 or 1"},
	}}
	for _, form := range []struct{ name, clause string }{{"none", "GRAD-9"}, {"tanh", "GRAD-10"}} {
		a := attrs{"approximate": form.name}
		add := func(name, comment, clauses, flags string, x, dy draw) {
			f.cases = append(f.cases, testCase{name: form.name + "-" + name, comment: comment, clauses: clauses, flags: flags, attrs: a,
				src: args{"x": x, "dy": dy}})
		}
		for _, n := range []int{7, 33} {
			add(fmt.Sprintf("n-%d", n), fmt.Sprintf("%d elements.", n), "GRAD-1 "+form.clause, "edges upstream wrong-form", normal(1.5, n),
				normal(1, n))
		}
		add("grid", "From -6 to 6, where the derivative goes from 0 below 0 to above 1 and back.", form.clause, "wrong-form second-term",
			each(func(_ *source, i int) float64 { return float64(i-48) / 8 }, 97), around(0.5, 1, 97))
		add("wide", "From 1e3 to the largest number, of both signs.", form.clause+" GRAD-11", "wide",
			floats([]float64{1e3, -1e3, 1e10, -1e10, 1e20, -1e20, math.MaxFloat32, -math.MaxFloat32}, 8), uniform(0.5, 2, 8))
		add("specials", "Infinities and NaN.", "GRAD-11", "specials", floats([]float64{inf, -inf, nan, 1, -1}, 5),
			floats([]float64{3, 2, 1, -2, 4}, 5))
	}
	f.cases = append(f.cases, testCase{
		name: "default", comment: "Without the attribute, the erf form.", clauses: "GRAD-2 GRAD-9", flags: "wrong-form",
		src: args{"x": normal(1.5, 2, 9), "dy": normal(1, 2, 9)},
	})
	return f
}

func layerNormGradFamily() family {
	f := family{op: "layernorm.grad", flags: []vector.Flag{
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

func crossEntropyGradFamily() family {
	f := family{op: "cross_entropy.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag, drift,
		{Name: "target", Bug: "1 is not subtracted at the target, or is at another class"},
		{Name: "reduction", Bug: "the mean over all rows and not those that count, a sum for a mean"},
		{Name: "ignore", Bug: "ignored rows have a gradient, or their logits leak", See: "0 * NaN in a masked product"},
		{Name: "all-ignored", Bug: "0/0 where nothing counts", See: "torch.nn.functional.cross_entropy gives NaN"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "confident", Bug: "a clamp of the weights, or noise in the place of a small gradient"},
		{Name: "specials", Bug: "NaN and infinities in logits do not reach the row, or reach other rows"},
		{Name: "target-range", Bug: "a target outside the classes is accepted, wraps around, or writes other memory"},
	}}
	none, mean, sum := attrs{"reduction": "none"}, attrs{"reduction": "mean"}, attrs{"reduction": "sum"}
	add := func(name, comment, clauses, flags string, a attrs, logits, targets, dloss draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a,
			src: args{"logits": logits, "targets": targets, "dloss": dloss}})
		return &f.cases[len(f.cases)-1]
	}
	one := func(x float64) draw { return floats([]float64{x}) }
	for _, s := range [][2]int{{1, 2}, {3, 5}, {4, 17}, {17, 3}, {2, 65}, {2, 257}} {
		add(fmt.Sprintf("n%d-v%d", s[0], s[1]), fmt.Sprintf("%d rows, %d classes.", s[0], s[1]), "GRAD-1 GRAD-26", "edges target upstream", none,
			normal(1.5, s[0], s[1]), tokens(s[1], s[0]), normal(1, s[0]))
	}
	add("mean", "The mean of five losses, with an upstream gradient of -2.5.", "GRAD-26 GRAD-28", "reduction upstream", mean,
		normal(1.5, 5, 7), tokens(7, 5), one(-2.5))
	add("sum", "The sum of five losses.", "GRAD-26 GRAD-28", "reduction upstream", sum, normal(1.5, 5, 7), tokens(7, 5), one(0.75))
	add("default", "Without attributes, the mean.", "GRAD-2 GRAD-28", "reduction", nil, normal(1.5, 4, 6), tokens(6, 4), one(1.5))
	add("one-class", "One class: the gradient is 0, exactly.", "GRAD-26", "edges", none, normal(5, 3, 1), ids(0, 0, 0),
		normal(1, 3)).compare = vector.Exact
	targets := ids(2, -100, 0, 5, -100)
	add("ignore-none", "Two of five targets are ignored: their rows are 0.", "GRAD-27", "ignore", none, normal(1.5, 5, 6), targets,
		normal(1, 5))
	add("ignore-mean", "The mean over the three that count.", "GRAD-27 GRAD-28", "ignore reduction", mean, normal(1.5, 5, 6), targets,
		one(1.25))
	add("ignore-sum", "The sum of the three that count.", "GRAD-27 GRAD-28", "ignore reduction", sum, normal(1.5, 5, 6), targets, one(-0.5))
	add("ignore-class", "ignore_index is one of the classes.", "GRAD-27", "ignore reduction", attrs{"ignore_index": 0}, normal(1.5, 5, 6),
		ids(2, 0, 3, 5, 0), one(2))
	poisoned := normal(1.5, 4, 4).set(nan, 4).set(inf, 7, 13).set(-inf, 12)
	add("ignore-nan", "NaN and infinities in ignored rows, and upstream of them, reach nothing.", "GRAD-27", "ignore specials", none, poisoned,
		ids(1, -100, 3, -100),
		floats([]float64{1.5, nan, -2, inf}, 4))
	add("ignore-nan-mean", "The same in a mean.", "GRAD-27 GRAD-28", "ignore specials reduction", mean, poisoned, ids(1, -100, 3, -100),
		one(3))
	for _, a := range []attrs{none, mean, sum} {
		dloss := one(2)
		if a["reduction"] == "none" {
			dloss = normal(1, 3)
		}
		add(fmt.Sprint("all-ignored-", a["reduction"]), "Every target is ignored: 0, not 0/0.", "GRAD-27 GRAD-28", "all-ignored", a,
			normal(2, 3, 5).set(nan, 2),
			ids(-100, -100, -100), dloss).compare = vector.Exact
	}
	f.cases = append(f.cases, testCase{
		name: "all-ignored-between", comment: "A batch without a target that counts, between two that have some.", clauses: "GRAD-1 GRAD-28",
		flags: "all-ignored",
		attrs: mean, steps: []step{
			{src: args{"logits": normal(1.5, 3, 5), "targets": ids(1, 0, 4), "dloss": one(2)}},
			{src: args{"logits": normal(1.5, 3, 5), "targets": ids(-100, -100, -100), "dloss": one(2)}},
			{src: args{"logits": normal(1.5, 3, 5), "targets": ids(2, -100, 3), "dloss": one(2)}},
		},
	})
	add("shift-1e4", "Logits near 1e4, and near -1e4, a few units apart.", "GRAD-26 XE-2", "no-max", none,
		each(func(s *source, i int) float64 { return float64(1-i/8%2*2)*1e4 + float64(s.IntN(4096))/1024 }, 4, 8), tokens(8, 4), normal(1, 4))
	add("confident", "Targets ahead by 2 to 9, and behind by as much and more.", "GRAD-26", "confident target", none,
		normal(0.5, 6, 5).mapped(func(i int, x float64) float64 {
			if i%5 == 0 {
				return x + []float64{2, 5, 9, -5, -30, -200}[i/5]
			}
			return x
		}), ids(0, 0, 0, 0, 0, 0), around(2, 0.3, 6))
	add("minus-inf", "-Inf at the target and elsewhere has weight 0.", "GRAD-29 XE-7", "specials", none, normal(1.5, 3, 5).set(-inf, 1, 8, 14),
		ids(1, 2, 4), normal(1, 3))
	add("nan-rows", "Rows with NaN, +Inf or only -Inf are NaN throughout; others are not.", "GRAD-29 XE-8", "specials", none,
		normal(1.5, 4, 3).set(nan, 1).set(inf, 5).set(-inf, 6, 7, 8), ids(0, 1, 2, 2), normal(1, 4))
	for _, target := range []int64{5, -1, 1 << 32} {
		add(fmt.Sprintf("target-%d", target), "A target outside the classes that is not ignore_index is an error.", "GRAD-29 XE-6",
			"target-range", mean,
			normal(2, 3, 5), ids(0, target, 4), one(1.5)).err = "index"
	}
	add("target-last", "The last class is none.", "GRAD-26 GRAD-29", "target-range target", mean, normal(1.5, 3, 5), ids(0, 4, 4), one(1.5))
	add("vocabulary", "GPT-3's vocabulary, 50,257 classes, sampled.", "GRAD-26", "edges "+biasedSum, mean, sum4(3, 2, 50257), ids(0, 50256),
		one(1.5)).samples = func(shape []int) []int64 { return thin(tileEdges(shape), 1000) }
	return f
}
