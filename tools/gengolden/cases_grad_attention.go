package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

// grad draws the arguments of attention, and an upstream gradient.
func (s attentionShape) grad() args {
	dv := s.Dv
	if dv == 0 {
		dv = s.D
	}
	return s.args().with("dout", around(0.3, 1, s.B, s.H, s.Tq, dv))
}

func attentionGradFamily() family {
	f := family{op: "attention.grad", flags: []vector.Flag{
		edgesFlag, upstreamFlag, addsFlag, drift,
		{Name: "jacobian", Bug: "the sum over keys is missing in ds, or is that of another row"},
		{Name: "causal-offset", Bug: "the causal mask is aligned top-left, or is missing in one of the passes"},
		{Name: "window", Bug: "a window is off by one, is missing in one of the passes, or is not symmetric without causal"},
		{Name: "mask", Bug: "a mask is missing in the backward pass, or batch and heads are exchanged", See: "onnx #7297"},
		{Name: "groups", Bug: "dk and dv are those of one query head, a mean of them, or of heads dealt in turn"},
		{Name: "scale", Bug: "the scale is missing in dq or dk, or is applied twice"},
		{Name: "softcap", Bug: "the derivative of the soft cap is missing, or is taken after the mask"},
		{Name: "masked-row", Bug: "a query that sees no key gives NaN, or adds to dk and dv"},
		{Name: "masked-nan", Bug: "NaN and infinities at hidden keys leak through a weight of 0", See: "pytorch #101967"},
		{Name: "visible-nan", Bug: "NaN of one query, head or batch item is lost, or reaches others"},
		{Name: "range", Bug: "large scores overflow because the maximum is not subtracted"},
	}}
	f.cases = append(f.cases, attentionGradShapes()...)
	f.cases = append(f.cases, attentionGradMasks()...)
	f.cases = append(f.cases, attentionGradNumbers()...)
	return f
}

func attentionGradShapes() []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, s := range []attentionShape{
		{B: 1, H: 1, Tq: 1, Tk: 2, D: 1}, {B: 1, H: 1, Tq: 3, Tk: 5, D: 4}, {B: 1, H: 1, Tq: 5, Tk: 3, D: 2}, {B: 2, H: 3, Tq: 2, Tk: 4, D: 3},
		{B: 1, H: 1, Tq: 17, Tk: 15, D: 7}, {B: 1, H: 1, Tq: 2, Tk: 33, D: 8}, {B: 1, H: 1, Tq: 33, Tk: 2, D: 3},
		{B: 1, H: 1, Tq: 3, Tk: 65, D: 4},
		{B: 1, H: 1, Tq: 2, Tk: 5, D: 33}, {B: 1, H: 1, Tq: 3, Tk: 6, D: 4, Dv: 7}, {B: 1, H: 2, Tq: 3, Tk: 6, D: 8, Dv: 1},
	} {
		name := fmt.Sprintf("b%d-h%d-q%d-k%d-d%d", s.B, s.H, s.Tq, s.Tk, s.D)
		if s.Dv != 0 {
			name += fmt.Sprintf("-v%d", s.Dv)
		}
		add(testCase{
			name: name, comment: fmt.Sprintf("%d queries over %d keys, head dimension %d.", s.Tq, s.Tk, s.D), clauses: "GRAD-1 GRAD-17",
			flags: "edges jacobian upstream", src: s.grad(),
		})
	}
	for _, s := range []attentionShape{{B: 1, H: 4, G: 2, Tq: 3, Tk: 5, D: 4}, {B: 2, H: 6, G: 2, Tq: 2, Tk: 4, D: 3},
		{B: 2, H: 4, G: 1, Tq: 2, Tk: 3, D: 4}} {
		add(testCase{
			name: fmt.Sprintf("groups-b%d-%d-over-%d", s.B, s.H, s.G), comment: fmt.Sprintf("%d query heads share %d heads of keys and values.", s.H,
				s.G),
			clauses: "GRAD-17 GRAD-18 ATT-4", flags: "groups", src: s.grad(),
		})
	}
	add(testCase{
		name: "groups-causal", comment: "Grouped heads, causal, with a soft cap and a mask of each query head.", clauses: "GRAD-17 GRAD-18 MSK-8",
		flags: "groups mask softcap",
		attrs: attrs{"causal": true, "softcap": 3}, src: attentionShape{B: 1, H: 4, G: 2, Tq: 4, Tk: 4, D: 3}.grad().with("mask",
			normal(1, 1, 4, 4, 4)),
	})
	add(testCase{
		name: "groups-error", comment: "Three query heads cannot share two key heads.", clauses: "GRAD-2 ATT-4", flags: "groups",
		src: attentionShape{B: 1, H: 3, G: 2, Tq: 2, Tk: 2, D: 2}.grad(), err: "shape",
	})
	for _, scale := range []float64{1, 0.125, -0.5} {
		add(testCase{
			name: fmt.Sprintf("scale-%d", int(scale*1000)), comment: "An explicit scale.", clauses: "GRAD-17", flags: "scale",
			attrs: attrs{"scale": scale}, src: attentionShape{B: 1, H: 1, Tq: 3, Tk: 6, D: 5}.grad(),
		})
	}
	for _, c := range []float64{0.5, 2, 50} {
		add(testCase{
			name: fmt.Sprintf("softcap-%v", c), comment: "A soft cap below, near and above the size of the scores.", clauses: "GRAD-17 ATT-9",
			flags: "softcap",
			attrs: attrs{"softcap": c}, src: attentionShape{B: 1, H: 1, Tq: 3, Tk: 6, D: 5}.grad(),
		})
	}
	add(testCase{
		name: "softcap-scale", comment: "A soft cap on scores with a scale of their own.", clauses: "GRAD-17 ATT-9", flags: "softcap scale",
		attrs: attrs{"softcap": 1.5, "scale": 0.7}, src: attentionShape{B: 1, H: 2, Tq: 3, Tk: 6, D: 5}.grad(),
	})
	add(testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite",
		steps: twice(func() args { return attentionShape{B: 1, H: 4, G: 2, Tq: 3, Tk: 4, D: 3}.grad() }),
	})
	add(testCase{
		name: "tiles-130", comment: "130 queries over 130 keys, causal.", clauses: "GRAD-17 MSK-1", flags: "edges causal-offset",
		attrs: attrs{"causal": true},
		src:   args{"q": sum4(1.5, 1, 1, 130, 4), "k": sum4(1.4, 1, 1, 130, 4), "v": sum4(1, 1, 1, 130, 4), "dout": sum4(1, 1, 1, 130, 4)},
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
