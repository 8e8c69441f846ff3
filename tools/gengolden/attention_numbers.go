package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

func attentionNumbers() []testCase {
	s := attentionShape{B: 1, H: 2, Tq: 3, Tk: 6, D: 4}
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	add(testCase{
		name: "one-key", comment: "One key: its value, exactly.", clauses: "ATT-5", flags: "denominator", compare: vector.Exact,
		src: attentionShape{B: 2, H: 2, Tq: 3, Tk: 1, D: 5}.args(),
	})
	add(testCase{
		name: "one-visible", comment: "A causal window of 1: each query has its own value, exactly.", clauses: "ATT-5 MSK-2", flags: "denominator window",
		compare: vector.Exact, attrs: attrs{"causal": true, "window": 1}, src: square(7, 3).args(),
	})
	add(testCase{
		name: "equal-scores", comment: "Equal scores over 8 keys and integer values: the exact mean.", clauses: "ATT-5", flags: "denominator",
		compare: vector.Exact, src: args{"q": all(0, 1, 1, 2, 3), "k": normal(1, 1, 1, 8, 3), "v": whole(-9, 9, 1, 1, 8, 3)},
	})
	add(testCase{
		name: "dominant", comment: "One key is ahead of the others by more than 110: its value, exactly.", clauses: "ATT-5", flags: "denominator range",
		compare: vector.Exact, attrs: attrs{"scale": 1},
		src: args{"q": all(1, 1, 1, 3, 2), "k": floats([]float64{1, 2, 3, 4, 90, 80, -3, 1}, 1, 1, 4, 2), "v": whole(-9, 9, 1, 1, 4, 3)},
	})
	add(testCase{
		name: "large-scores", comment: "Scores of several thousand.", clauses: "ATT-3", flags: "range",
		src: s.args().with("q", whole(-40, 40, 1, 2, 3, 4)).with("k", whole(-60, 60, 1, 2, 6, 4)),
	})
	add(testCase{
		name: "common-shift", comment: "All scores of a row near 1e4, a few units apart.", clauses: "ATT-3", flags: "range", attrs: attrs{"scale": 1},
		src: args{"q": all(100, 1, 1, 2, 1).set(-100, 1), "k": each(func(s *source, i int) float64 { return 100 + float64(s.IntN(65))/1024 }, 1, 1, 9,
			1), "v": normal(1, 1, 1, 9, 3)},
	})
	add(testCase{
		name: "rising-scores", comment: "Each key scores above all before it: a running maximum changes at every step.", clauses: "ATT-1 ATT-3", flags: "range",
		attrs: attrs{"scale": 1},
		src:   args{"q": all(1, 1, 1, 1, 1), "k": each(func(_ *source, i int) float64 { return float64(i) / 2 }, 1, 1, 70, 1), "v": normal(1, 1, 1, 70, 4)},
	})
	add(testCase{
		name: "late-maximum", comment: "The largest score comes after 40 others and is ahead of them by more than exp can take.", clauses: "ATT-3", flags: "range",
		attrs: attrs{"scale": 1},
		src:   args{"q": all(1, 1, 1, 1, 1), "k": normal(1, 1, 1, 48, 1).set(200, 40), "v": normal(1, 1, 1, 48, 4)},
	})
	low := func(n int) args {
		return args{"q": all(1, 1, 1, n, 1), "k": all(-200, 1, 1, n, 1), "v": normal(1, 1, 1, n, 3)}
	}
	add(testCase{
		name: "low-scores-causal", comment: "All scores are -200: a tile of which a query sees no key leaves no maximum, and not 0, beside which exp(-200) is 0.",
		clauses: "ATT-3 ATT-5 MSK-1", flags: "range", attrs: attrs{"causal": true, "scale": 1}, src: low(130),
	})
	add(testCase{
		name: "low-scores-window", comment: "The same with a window of 3: tiles before the first key that is seen, too.",
		clauses: "ATT-3 ATT-5 MSK-2", flags: "range window", attrs: attrs{"causal": true, "scale": 1, "window": 3}, src: low(130),
	})
	add(testCase{
		name: "negative-scale-far", comment: "A scale of -1 beside products from 0 to 300: the largest score is that of the smallest product; its value, exactly.",
		clauses: "ATT-2 ATT-3", flags: "range", compare: vector.Exact, attrs: attrs{"scale": -1},
		src: args{"q": all(1, 1, 1, 1, 1), "k": floats([]float64{0, 200, 150, 300}, 1, 1, 4, 1), "v": whole(-9, 9, 1, 1, 4, 3)},
	})
	add(testCase{
		name: "falling-scores", comment: "Each key scores below all before it.", clauses: "ATT-1 ATT-3", flags: "range", attrs: attrs{"scale": 1},
		src: args{"q": all(1, 1, 1, 1, 1), "k": each(func(_ *source, i int) float64 { return float64(-i) / 2 }, 1, 1, 70, 1), "v": normal(1, 1, 1, 70, 4)},
	})
	add(testCase{
		name: "large-values", comment: "Values near 1e37 that their weights keep finite.", clauses: "ATT-1", flags: "range",
		src: s.args().with("v", normal(1e37, 1, 2, 6, 4)),
	})
	add(testCase{
		name: "tiny-values", comment: "Values near 1e-30.", clauses: "ATT-1", flags: "range", src: s.args().with("v", normal(1e-30, 1, 2, 6, 4)),
	})
	add(testCase{
		name: "tiny-scores", comment: "Queries and keys near 1e-22: their products underflow and the weights are nearly equal.", clauses: "ATT-1",
		flags: "range",
		src:   s.args().with("q", normal(1e-22, 1, 2, 3, 4)).with("k", normal(1e-22, 1, 2, 6, 4)),
	})
	for _, tk := range []int{768, 2000} {
		add(testCase{
			name: fmt.Sprintf("uniform-%d", tk), comment: fmt.Sprintf("Nearly equal weights over %d keys with positive values.", tk),
			clauses: "ATT-1", flags: biasedSum,
			src: args{"q": recipe("uniform", 0.1, 0, 1, 1, 2, 4), "k": recipe("uniform", 0.1, 0, 1, 1, tk, 4), "v": recipe("uniform", 0.5, 1, 1, 1, tk, 3)},
		})
	}
	add(testCase{
		name: "lognormal-768", comment: "768 weights of very different sizes, with positive values.", clauses: "ATT-1", flags: biasedSum,
		src: args{"q": recipe("uniform", 2, 0, 1, 1, 2, 4), "k": recipe("uniform", 2, 0, 1, 1, 768, 4), "v": recipe("uniform", 0.5, 1, 1, 1, 768, 3)},
	})
	return cases
}

func attentionGradNumbers() []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	add(testCase{
		name: "one-visible", comment: "Each query sees its own key: dv is dout, dq and dk are 0.", clauses: "GRAD-17", flags: "jacobian",
		attrs: attrs{"causal": true, "window": 1}, src: square(5, 3).grad(),
	})
	add(testCase{
		name: "equal-scores", comment: "Queries of 0: all weights are equal, dk is 0 and dq is not.", clauses: "GRAD-17", flags: "jacobian",
		compare: vector.Exact,
		src:     args{"q": all(0, 1, 1, 2, 4), "k": whole(-4, 4, 1, 1, 8, 4), "v": whole(-4, 4, 1, 1, 8, 3), "dout": whole(-4, 4, 1, 1, 2, 3)},
	})
	add(testCase{
		name: "large-scores", comment: "Scores of several hundred; ties keep more than one key in play.", clauses: "GRAD-17 ATT-3",
		flags: "range",
		src: args{"q": all(20, 1, 1, 2, 4).set(-20, 4, 5, 6, 7), "k": floats([]float64{9, 9, 9, 9, -9, -9, -9, -9, 18, 0, 10, 8, 8, 10, 9, 9, -18,
			0, -8, -10}, 1, 1, 5, 4),
			"v": normal(1, 1, 1, 5, 4), "dout": normal(1, 1, 1, 2, 4)},
	})
	add(testCase{
		name: "many-keys", comment: "200 keys that hardly differ, positive values and upstream gradients.", clauses: "GRAD-17", flags: biasedSum,
		src: args{"q": normal(0.2, 1, 1, 2, 3), "k": recipe("sum4", 0.2, 0, 1, 1, 200, 3), "v": recipe("uniform", 1, 0.5, 1, 1, 200, 2),
			"dout": uniform(0.5, 1.5, 1, 1, 2, 2)},
	})
	add(testCase{
		name: "many-queries", comment: "300 queries over three keys: long sums in dk and dv.", clauses: "GRAD-17", flags: biasedSum,
		src: args{"q": recipe("uniform", 1, 0.5, 1, 1, 300, 3), "k": normal(0.7, 1, 1, 3, 3), "v": normal(1, 1, 1, 3, 2),
			"dout": recipe("uniform", 1, 0.5, 1, 1, 300, 2)},
	})
	return cases
}

// attentionSoftcap are the cases of attention with a soft cap.
func attentionSoftcap() []testCase {
	s := attentionShape{B: 1, H: 2, Tq: 3, Tk: 6, D: 5}
	var cases []testCase
	add := func(c testCase) {
		c.flags += " softcap"
		cases = append(cases, c)
	}
	for _, c := range []float64{0.5, 2, 50} {
		add(testCase{
			name: fmt.Sprintf("softcap-%v", c), comment: "A soft cap below, near and above the size of the scores.", clauses: "ATT-9",
			attrs: attrs{"softcap": c}, src: s.args(),
		})
	}
	add(testCase{
		name: "softcap-scale", comment: "A soft cap on scores with a scale of their own: the products are scaled first.", clauses: "ATT-1 ATT-9",
		flags: "scale", attrs: attrs{"softcap": 3, "scale": 0.7}, src: s.args(),
	})
	add(testCase{
		name: "softcap-causal-groups", comment: "A soft cap with causal, a window and grouped heads.", clauses: "ATT-4 ATT-9 MSK-2", flags: "groups window",
		attrs: attrs{"softcap": 1.5, "causal": true, "window": 3}, src: attentionShape{B: 2, H: 4, G: 2, Tq: 4, Tk: 6, D: 3}.args(),
	})
	add(testCase{
		name: "softcap-float-mask", comment: "The mask is added after the cap: entries far beyond the cap count in full, and -Inf hides.",
		clauses: "ATT-9 MSK-5 MSK-6", flags: "float-mask",
		attrs: attrs{"softcap": 2}, src: s.args().with("mask", normal(4, 1, 2, 3, 6).set(-inf, 1, 8, 9, 20)),
	})
	add(testCase{
		name: "softcap-masked-rows", comment: "A row of -Inf stays hidden under a soft cap, and is 0.", clauses: "ATT-9 MSK-10", flags: "float-mask masked-row",
		attrs: attrs{"softcap": 2}, src: square(3, 4).args().with("mask", all(0, 1, 1, 3, 3).set(-inf, 3, 4, 5, 7)),
	})
	add(testCase{
		name: "softcap-poison", comment: "NaN and infinities in K and V at hidden keys, with a soft cap.", clauses: "ATT-9 MSK-11", flags: "masked-nan",
		attrs: attrs{"softcap": 2, "causal": true},
		src: square(4, 2).args().with("k", normal(1.4, 1, 1, 4, 2).set(nan, 5).set(inf, 6)).
			with("v", normal(1, 1, 1, 4, 2).set(nan, 4).set(-inf, 7)),
	})
	add(testCase{
		name: "softcap-large-scores", comment: "Scores of several thousand, at the cap throughout: weights are nearly equal or far apart.",
		clauses: "ATT-3 ATT-9", flags: "range",
		attrs: attrs{"softcap": 5}, src: s.args().with("q", whole(-40, 40, 1, 2, 3, 5)).with("k", whole(-60, 60, 1, 2, 6, 5)),
	})
	add(testCase{
		name: "softcap-infinite", comment: "A product of +Inf scores the cap, one of -Inf its negative, and NaN makes the row NaN.", clauses: "ATT-9 ATT-6",
		flags: "visible-nan", attrs: attrs{"softcap": 1, "scale": 1},
		src: args{"q": floats([]float64{1, 1, -1, 1, 0, 1}, 1, 1, 3, 2), "k": floats([]float64{inf, 0, 0.5, 0.25, -1, 1}, 1, 1, 3, 2), "v": normal(1, 1, 1, 3, 2)},
	})
	add(testCase{
		name: "softcap-tiny-scores", comment: "Scores far below the cap, where tanh(x) is nearly x.", clauses: "ATT-9", flags: "range",
		attrs: attrs{"softcap": 1000, "scale": 1}, src: s.args(),
	})
	add(testCase{
		name: "softcap-negative", comment: "A soft cap below 0.", clauses: "ATT-9", attrs: attrs{"softcap": -1}, src: s.args(), err: "attributes",
	})
	add(testCase{
		name: "softcap-tiles-200", comment: "200 queries over 200 keys, causal, with a soft cap, sampled around the edges of tiles.", clauses: "ATT-9 MSK-1",
		flags: "edges", attrs: attrs{"softcap": 3, "causal": true},
		src:     args{"q": sum4(1.5, 1, 1, 200, 16), "k": sum4(1.4, 1, 1, 200, 16), "v": sum4(1, 1, 1, 200, 16)},
		samples: tileEdges,
	})
	return cases
}
