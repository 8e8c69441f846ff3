package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

func attentionMasks() []testCase {
	s := attentionShape{B: 2, H: 2, Tq: 3, Tk: 5, D: 4}
	small := attentionShape{B: 1, H: 1, Tq: 3, Tk: 4, D: 4}
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, m := range []struct {
		name  string
		shape []int
	}{{"full", []int{2, 2, 3, 5}}, {"one-head", []int{2, 1, 3, 5}}, {"one-batch", []int{1, 2, 3, 5}}, {"shared", []int{1, 1, 3, 5}}} {
		add(testCase{
			name: "bool-" + m.name, comment: "A boolean mask: true may attend.", clauses: "MSK-4 MSK-8", flags: "bool-mask mask-broadcast",
			src: s.args().with("mask", randomMask(m.shape...)),
		})
		add(testCase{
			name: "float-" + m.name, comment: "A float mask is added to the scaled scores.", clauses: "MSK-5 MSK-8", flags: "float-mask mask-broadcast",
			src: s.args().with("mask", normal(2, m.shape...)),
		})
	}
	add(testCase{
		name: "bool-grouped", comment: "A mask counts query heads, not key heads.", clauses: "MSK-8 ATT-4", flags: "bool-mask groups",
		src: attentionShape{B: 1, H: 4, G: 2, Tq: 2, Tk: 5, D: 3}.args().with("mask", randomMask(1, 4, 2, 5)),
	})
	add(testCase{
		name: "bool-all-true", comment: "A mask that hides nothing.", clauses: "MSK-4", flags: "bool-mask",
		src: small.args().with("mask", bools(func(int) bool { return true }, 1, 1, 3, 4)),
	})
	add(testCase{
		name: "bool-masked-rows", comment: "Rows whose keys are all hidden are 0; they share the tensor with rows that see keys.",
		clauses: "MSK-4 MSK-10", flags: "bool-mask masked-row", src: s.args().with("mask", hideRows(randomMask(2, 2, 3, 5), 5, 0, 4, 11)),
	})
	add(testCase{
		name: "float-minus-inf", comment: "-Inf in a float mask hides.", clauses: "MSK-5 MSK-6", flags: "float-mask",
		src: s.args().with("mask", normal(1, 2, 1, 3, 5).set(-inf, 1, 2, 8, 20, 29)),
	})
	add(testCase{
		name: "float-masked-rows", comment: "Rows of -Inf give 0, beside others.", clauses: "MSK-6 MSK-10", flags: "float-mask masked-row",
		src: small.args().with("mask", normal(1, 1, 1, 3, 4).set(-inf, 4, 5, 6, 7, 8)),
	})
	add(testCase{
		name: "float-huge-finite", comment: "-1e30 does not hide: the row where all scores carry it has equal weights, exactly.",
		clauses: "MSK-6 ATT-5", flags: "float-mask masked-row", compare: vector.Exact,
		src: small.args().with("q", normal(1, 1, 1, 3, 4).set(0, 0, 1, 2, 3, 8, 9, 10, 11)).with("v", whole(-9, 9, 1, 1, 4, 4)).
			with("mask", all(0, 1, 1, 3, 4).set(-1e30, 0, 2, 4, 5, 6, 7)),
	})
	add(testCase{
		name: "float-nan", comment: "NaN and +Inf in a mask: the row is NaN, the others are not.", clauses: "MSK-7 ATT-8", flags: "float-mask visible-nan",
		src: attentionShape{B: 1, H: 1, Tq: 4, Tk: 4, D: 3}.args().with("mask", normal(1, 1, 1, 4, 4).set(nan, 5).set(inf, 11)),
	})
	add(testCase{
		name: "float-nan-hidden", comment: "NaN in a mask at keys that causal hides does nothing.", clauses: "MSK-7 MSK-9", flags: "float-mask masked-nan",
		attrs: attrs{"causal": true}, src: square(4, 3).args().with("mask", normal(1, 1, 1, 4, 4).set(nan, 1, 2, 7).set(inf, 3, 11)),
	})
	add(testCase{
		name: "causal-and-bool", comment: "Causal and a mask together: a key must pass both.", clauses: "MSK-9 MSK-10", flags: "bool-mask masked-row",
		attrs: attrs{"causal": true}, src: attentionShape{B: 1, H: 2, Tq: 5, Tk: 5, D: 3}.args().with("mask", hideRows(randomMask(1, 2, 5, 5), 1, 0)),
	})
	add(testCase{
		name: "window-and-float", comment: "Causal, window and a float mask together.", clauses: "MSK-2 MSK-9", flags: "float-mask window",
		attrs: attrs{"causal": true, "window": 3}, src: square(6, 3).args().with("mask", normal(1, 1, 1, 6, 6).set(-inf, 0, 13, 14)),
	})
	poisonK, poisonV := normal(1.4, 1, 1, 4, 4).set(nan, 4).set(inf, 5).set(-inf, 13), normal(1, 1, 1, 4, 4).set(nan, 5).set(inf, 12).set(-inf, 14)
	add(testCase{
		name: "poison-bool", comment: "NaN and infinities in K and V at hidden keys, boolean mask.", clauses: "MSK-4 MSK-11", flags: "masked-nan bool-mask",
		src: small.args().with("k", poisonK).with("v", poisonV).with("mask", bools(func(i int) bool { return i%2 == 0 }, 1, 1, 3, 4)),
	})
	add(testCase{
		name: "poison-float", comment: "NaN and infinities in K and V at hidden keys, -Inf in a float mask.", clauses: "MSK-6 MSK-11",
		flags: "masked-nan float-mask",
		src:   small.args().with("k", poisonK).with("v", poisonV).with("mask", normal(1, 1, 1, 3, 4).set(-inf, 1, 3, 5, 7, 9, 11)),
	})
	add(testCase{
		name: "poison-causal", comment: "NaN and infinities in K and V after the query's own position.", clauses: "MSK-1 MSK-11",
		flags: "masked-nan causal-offset",
		attrs: attrs{"causal": true}, src: attentionShape{B: 1, H: 1, Tq: 4, Tk: 6, D: 2}.args().
			with("k", normal(1.4, 1, 1, 6, 2).set(nan, 9)).with("v", normal(1, 1, 1, 6, 2).set(inf, 8).set(nan, 10)),
	})
	add(testCase{
		name: "poison-window", comment: "NaN in K and V before the window.", clauses: "MSK-2 MSK-11", flags: "masked-nan window",
		attrs: attrs{"causal": true, "window": 2}, src: square(5, 2).args().
			with("k", normal(1.4, 1, 1, 5, 2).set(nan, 0, 3)).with("v", normal(1, 1, 1, 5, 2).set(nan, 1).set(inf, 2)),
	})
	add(testCase{
		name: "poison-tq-tk", comment: "Every key is NaN and the first queries see none: they are 0.", clauses: "MSK-1 MSK-10 MSK-11",
		flags: "masked-nan masked-row",
		attrs: attrs{"causal": true}, src: attentionShape{B: 1, H: 1, Tq: 4, Tk: 2, D: 2}.args().
			with("k", normal(1.4, 1, 1, 2, 2).set(nan, 3)).with("v", normal(1, 1, 1, 2, 2).set(nan, 2)),
	})
	add(testCase{
		name: "visible-nan-k", comment: "NaN at a visible key: the rows that see it are NaN.", clauses: "ATT-6 ATT-8", flags: "visible-nan",
		attrs: attrs{"causal": true}, src: attentionShape{B: 1, H: 2, Tq: 4, Tk: 4, D: 2}.args().with("k", normal(1.4, 1, 2, 4, 2).set(nan, 12)),
	})
	add(testCase{
		name: "visible-nan-q", comment: "NaN in one query: its row is NaN, no other.", clauses: "ATT-6 ATT-8", flags: "visible-nan",
		src: attentionShape{B: 2, H: 1, Tq: 3, Tk: 4, D: 2}.args().with("q", normal(1.5, 2, 1, 3, 2).set(nan, 8)),
	})
	add(testCase{
		name: "visible-inf-score", comment: "Scores of +Inf and of -Inf: NaN for the first, weight 0 for the second.", clauses: "ATT-6", flags: "visible-nan",
		src: args{"q": floats([]float64{1, 1, -1, 1}, 1, 1, 2, 2), "k": floats([]float64{inf, 0, 2, 2, -1, 1}, 1, 1, 3, 2), "v": normal(1, 1, 1, 3, 2)},
	})
	add(testCase{
		name: "visible-all-minus-inf", comment: "Visible scores that are all -Inf are no mask: NaN, as in softmax.", clauses: "ATT-6",
		flags: "visible-nan masked-row",
		src:   args{"q": floats([]float64{1, 2, -1, 1}, 1, 1, 2, 2), "k": floats([]float64{-inf, 1, -inf, 2}, 1, 1, 2, 2), "v": normal(1, 1, 1, 2, 2)},
	})
	add(testCase{
		name: "weight-0-inf-v", comment: "A visible key whose score is -Inf has weight 0 and holds Inf: 0 * Inf is NaN there.", clauses: "ATT-7",
		flags: "visible-nan",
		src:   args{"q": all(1, 1, 1, 1, 2), "k": floats([]float64{0, 0, -inf, 0, 1, 0}, 1, 1, 3, 2), "v": normal(1, 1, 1, 3, 2).set(inf, 2)},
	})
	return cases
}

func attentionGradMasks() []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, s := range []attentionShape{{Tq: 6, Tk: 6, D: 4}, {Tq: 17, Tk: 17, D: 3}, {Tq: 3, Tk: 8, D: 4}, {Tq: 1, Tk: 6, D: 4},
		{Tq: 8, Tk: 3, D: 4}} {
		s.B, s.H = 1, 1
		clauses, flags := "GRAD-17 GRAD-19 MSK-1", "causal-offset"
		if s.Tq > s.Tk {
			clauses, flags = clauses+" GRAD-20", flags+" masked-row"
		}
		add(testCase{
			name: fmt.Sprintf("causal-q%d-k%d", s.Tq, s.Tk), comment: fmt.Sprintf("Causal, %d queries at the end of %d keys.", s.Tq, s.Tk),
			clauses: clauses,
			flags:   flags, attrs: attrs{"causal": true}, src: s.grad(),
		})
	}
	for _, w := range []struct {
		window, tq, tk int
		causal         bool
	}{{1, 5, 5, true}, {2, 6, 6, true}, {3, 4, 9, true}, {3, 7, 7, false}, {2, 3, 8, false}} {
		kind, clause := "symmetric", "MSK-3"
		if w.causal {
			kind, clause = "causal", "MSK-2"
		}
		add(testCase{
			name:    fmt.Sprintf("window-%d-%s-q%d-k%d", w.window, kind, w.tq, w.tk),
			comment: fmt.Sprintf("A %s window of %d, %d queries and %d keys.", kind, w.window, w.tq, w.tk), clauses: "GRAD-17 GRAD-19 " + clause,
			flags: "window",
			attrs: attrs{"causal": w.causal, "window": w.window}, src: attentionShape{B: 1, H: 1, Tq: w.tq, Tk: w.tk, D: 4}.grad(),
		})
	}
	s := attentionShape{B: 2, H: 2, Tq: 3, Tk: 5, D: 4}
	for _, m := range []struct {
		name  string
		shape []int
	}{{"full", []int{2, 2, 3, 5}}, {"one-head", []int{2, 1, 3, 5}}, {"one-batch", []int{1, 2, 3, 5}}} {
		add(testCase{
			name: "bool-" + m.name, comment: "A boolean mask.", clauses: "GRAD-17 GRAD-19 MSK-4 MSK-8", flags: "mask",
			src: s.grad().with("mask", randomMask(m.shape...)),
		})
		add(testCase{
			name: "float-" + m.name, comment: "A float mask.", clauses: "GRAD-17 MSK-5 MSK-8", flags: "mask",
			src: s.grad().with("mask", normal(1.5, m.shape...)),
		})
	}
	small := square(4, 3)
	add(testCase{
		name: "masked-rows", comment: "Queries that see no key, and a key that none sees, beside others.", clauses: "GRAD-19 GRAD-20 MSK-10",
		flags: "masked-row mask",
		src: attentionShape{B: 1, H: 1, Tq: 4, Tk: 5, D: 3}.grad().with("mask",
			bools(func(i int) bool { return i/5 != 1 && i/5 != 3 && i%5 != 2 }, 1, 1, 4, 5)),
	})
	add(testCase{
		name: "masked-rows-nan", comment: "NaN and infinities in such queries and upstream of them reach nothing.", clauses: "GRAD-20",
		flags: "masked-row masked-nan",
		src: small.grad().with("mask", bools(func(i int) bool { return i/4 != 1 && i/4 != 3 }, 1, 1, 4, 4)).with("q",
			normal(1.5, 1, 1, 4, 3).set(nan, 3).set(inf, 10)).
			with("dout", normal(1, 1, 1, 4, 3).set(nan, 4, 11).set(-inf, 9)),
	})
	add(testCase{
		name: "float-minus-inf", comment: "-Inf in a float mask hides; a row of it hides all.", clauses: "GRAD-19 GRAD-20 MSK-6",
		flags: "masked-row mask",
		src:   small.grad().with("mask", normal(1, 1, 1, 4, 4).set(-inf, 1, 4, 5, 6, 7, 10)),
	})
	add(testCase{
		name: "poison", comment: "NaN and infinities in K and V at keys that no query sees.", clauses: "GRAD-19 MSK-11", flags: "masked-nan",
		src: small.grad().with("mask", bools(func(i int) bool { return i%4 != 1 }, 1, 1, 4, 4)).
			with("k", normal(1.4, 1, 1, 4, 3).set(nan, 3).set(inf, 4)).with("v", normal(1, 1, 1, 4, 3).set(nan, 5).set(-inf, 3)),
	})
	add(testCase{
		name: "poison-float", comment: "The same with -Inf in a float mask, and NaN in the mask where causal hides.",
		clauses: "GRAD-19 MSK-6 MSK-7 MSK-11", flags: "masked-nan",
		attrs: attrs{"causal": true},
		src: small.grad().with("mask", normal(1, 1, 1, 4, 4).set(-inf, 0, 4, 8, 12).set(nan, 1, 7)).with("k",
			normal(1.4, 1, 1, 4, 3).set(nan, 0)).
			with("v", normal(1, 1, 1, 4, 3).set(inf, 1)),
	})
	add(testCase{
		name: "poison-causal", comment: "NaN in the last key: the last query sees it, and no other.", clauses: "GRAD-19 GRAD-21 MSK-1",
		flags: "masked-nan visible-nan",
		attrs: attrs{"causal": true, "window": 2}, src: square(5, 2).grad().with("k", normal(1.4, 1, 1, 5, 2).set(nan, 9)),
	})
	add(testCase{
		name: "visible-nan-q", comment: "NaN in one query of one head of one batch item.", clauses: "GRAD-21", flags: "visible-nan",
		attrs: attrs{"causal": true},
		src:   attentionShape{B: 2, H: 2, Tq: 4, Tk: 4, D: 2}.grad().with("q", normal(1.5, 2, 2, 4, 2).set(nan, 12)),
	})
	add(testCase{
		name: "visible-nan-shared", comment: "NaN in one of two query heads that share keys: dk and dv of both are one.",
		clauses: "GRAD-18 GRAD-21", flags: "visible-nan groups",
		attrs: attrs{"causal": true}, src: attentionShape{B: 1, H: 4, G: 2, Tq: 3, Tk: 3, D: 2}.grad().with("q",
			normal(1.5, 1, 4, 3, 2).set(nan, 8)),
	})
	add(testCase{
		name: "visible-nan-v", comment: "NaN in V at a visible key: dq and dk, not dv.", clauses: "GRAD-17 GRAD-21", flags: "visible-nan",
		attrs: attrs{"causal": true},
		src:   square(4, 2).grad().with("v", normal(1, 1, 1, 4, 2).set(nan, 4)),
	})
	add(testCase{
		name: "visible-nan-dout", comment: "NaN upstream of one query: its dq, and dk and dv of the keys that it sees.",
		clauses: "GRAD-17 GRAD-21", flags: "visible-nan",
		attrs: attrs{"causal": true}, src: square(4, 2).grad().with("dout", normal(1, 1, 1, 4, 2).set(nan, 2)),
	})
	return cases
}
