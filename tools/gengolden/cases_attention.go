package main

import (
	"fmt"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
)

// attentionShape is the lengths of attention's axes; heads of keys and values where they differ from H, and Dv where it differs from D.
type attentionShape struct{ B, H, G, Tq, Tk, D, Dv int }

// args draws queries and keys whose scores have a standard deviation near 2, so that attention is far from uniform, and values of both signs.
func (s attentionShape) args() args {
	if s.G == 0 {
		s.G = s.H
	}
	if s.Dv == 0 {
		s.Dv = s.D
	}
	return args{"q": normal(1.5, s.B, s.H, s.Tq, s.D), "k": normal(1.4, s.B, s.G, s.Tk, s.D), "v": normal(1, s.B, s.G, s.Tk, s.Dv)}
}

// with returns the arguments with another or one more.
func (a args) with(name string, d draw) args {
	b := args{name: d}
	for n, v := range a {
		if n != name {
			b[n] = v
		}
	}
	return b
}

// square is one head of n queries over n keys.
func square(n, headDim int) attentionShape {
	return attentionShape{B: 1, H: 1, Tq: n, Tk: n, D: headDim}
}

func attentionFamily() family {
	f := family{op: "attention", flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's tiles: lengths one below, at and above a block's, one query, head dimension 1"},
		{Name: "causal-offset", Bug: "the causal mask is aligned top-left, or the offset of a cache is ignored", See: "onnx #7297, #8068"},
		{Name: "masked-row", Bug: "a query that sees no key gives NaN, or the mean of hidden values", See: "ggml and others mask with a finite sentinel"},
		{Name: "masked-nan", Bug: "NaN and infinities at hidden keys leak through a weight of 0", See: "pytorch #101967"},
		{Name: "visible-nan", Bug: "exclusion by p == 0, or a maximum that skips NaN, hides what a visible key holds"},
		{Name: "bool-mask", Bug: "a boolean mask is inverted, added as 0 and 1, or its hidden entries are given a finite score"},
		{Name: "float-mask", Bug: "an additive mask is added before scaling, multiplied, or taken for boolean"},
		{Name: "mask-broadcast", Bug: "a mask of one batch item or one head is read past its end, or batch and heads are exchanged"},
		{Name: "window", Bug: "a window is off by one, ignores the offset of the queries, or is not symmetric without causal"},
		{Name: "groups", Bug: "query heads are dealt to key heads in turn and not as neighbours, or key heads are repeated wrongly"},
		{Name: "scale", Bug: "the scale is 1/sqrt of another dimension, is applied twice, or an explicit one is ignored"},
		{Name: "range", Bug: "large scores overflow because the maximum is not subtracted, or is that of another row or block"},
		{Name: "denominator", Bug: "a constant is added to the denominator, or a key is counted twice", See: "onnx backend attention vectors"},
		{Name: "softcap", Bug: "the soft cap is applied before scaling, after the mask, or not at all"},
		{Name: biasedSum, Bug: "sums over many keys drift more than their length explains"},
	}}
	f.cases = append(f.cases, attentionShapes()...)
	f.cases = append(f.cases, attentionCausal()...)
	f.cases = append(f.cases, attentionMasks()...)
	f.cases = append(f.cases, attentionNumbers()...)
	f.cases = append(f.cases, attentionSoftcap()...)
	return f
}

func attentionShapes() []testCase {
	var cases []testCase
	for _, s := range []attentionShape{
		{B: 1, H: 1, Tq: 1, Tk: 2, D: 1}, {B: 1, H: 1, Tq: 1, Tk: 7, D: 4}, {B: 1, H: 1, Tq: 5, Tk: 3, D: 1}, {B: 1, H: 1, Tq: 3, Tk: 5, D: 2},
		{B: 1, H: 1, Tq: 7, Tk: 7, D: 8}, {B: 1, H: 2, Tq: 4, Tk: 9, D: 3}, {B: 2, H: 3, Tq: 3, Tk: 4, D: 5}, {B: 1, H: 1, Tq: 15, Tk: 17, D: 4},
		{B: 1, H: 1, Tq: 17, Tk: 15, D: 7}, {B: 1, H: 1, Tq: 2, Tk: 31, D: 16}, {B: 1, H: 1, Tq: 2, Tk: 33, D: 17}, {B: 1, H: 1, Tq: 33, Tk: 2, D: 3},
		{B: 1, H: 1, Tq: 2, Tk: 64, D: 8}, {B: 1, H: 1, Tq: 3, Tk: 65, D: 8}, {B: 1, H: 1, Tq: 2, Tk: 127, D: 4}, {B: 1, H: 1, Tq: 2, Tk: 129, D: 4},
		{B: 1, H: 1, Tq: 1, Tk: 257, D: 4}, {B: 1, H: 1, Tq: 2, Tk: 5, D: 63}, {B: 1, H: 1, Tq: 2, Tk: 5, D: 65}, {B: 1, H: 1, Tq: 2, Tk: 5, D: 128},
		{B: 1, H: 1, Tq: 3, Tk: 6, D: 4, Dv: 7}, {B: 1, H: 2, Tq: 3, Tk: 6, D: 8, Dv: 1},
	} {
		name := fmt.Sprintf("b%d-h%d-q%d-k%d-d%d", s.B, s.H, s.Tq, s.Tk, s.D)
		if s.Dv != 0 {
			name += fmt.Sprintf("-v%d", s.Dv)
		}
		cases = append(cases, testCase{
			name: name, comment: fmt.Sprintf("%d queries over %d keys, head dimension %d.", s.Tq, s.Tk, s.D), clauses: "ATT-1 ATT-2",
			flags: "edges", src: s.args(),
		})
	}
	for _, s := range []attentionShape{
		{B: 1, H: 4, G: 2, Tq: 3, Tk: 5, D: 4}, {B: 2, H: 6, G: 2, Tq: 2, Tk: 4, D: 3}, {B: 1, H: 6, G: 3, Tq: 2, Tk: 4, D: 2},
		{B: 2, H: 4, G: 1, Tq: 2, Tk: 3, D: 4},
	} {
		cases = append(cases, testCase{
			name:    fmt.Sprintf("groups-b%d-%d-over-%d", s.B, s.H, s.G),
			comment: fmt.Sprintf("%d query heads share %d heads of keys and values.", s.H, s.G), clauses: "ATT-1 ATT-4", flags: "groups", src: s.args(),
		})
	}
	cases = append(cases, testCase{
		name: "groups-error", comment: "Three query heads cannot share two key heads.", clauses: "ATT-4", flags: "groups",
		src: attentionShape{B: 1, H: 3, G: 2, Tq: 2, Tk: 2, D: 2}.args(), err: "shape",
	})
	for _, scale := range []float64{1, 0.03125, 0.7, -0.5} {
		cases = append(cases, testCase{
			name: "scale-" + strings.Replace(fmt.Sprint(scale), "-", "minus-", 1), comment: "An explicit scale.", clauses: "ATT-1", flags: "scale",
			attrs: attrs{"scale": scale}, src: attentionShape{B: 1, H: 2, Tq: 3, Tk: 6, D: 5}.args(),
		})
	}
	cases = append(cases, testCase{
		name: "scale-default-dv", comment: "The default scale comes from the dimension of queries and keys, here 16, not from that of values, 4.",
		clauses: "ATT-2", flags: "scale", src: attentionShape{B: 1, H: 1, Tq: 3, Tk: 6, D: 16, Dv: 4}.args(),
	})
	cases = append(cases, testCase{
		name: "tiles-200", comment: "200 queries over 200 keys, sampled around the edges of tiles.", clauses: "ATT-1", flags: "edges",
		src:     args{"q": sum4(1.5, 1, 1, 200, 16), "k": sum4(1.4, 1, 1, 200, 16), "v": sum4(1, 1, 1, 200, 16)},
		samples: tileEdges,
	})
	return append(cases, testCase{
		name: "tiles-512", comment: "GPT-3's head dimension, 64, with 512 positions and a causal mask.", clauses: "ATT-1 MSK-1", flags: "edges",
		attrs: attrs{"causal": true}, src: args{"q": sum4(1.5, 1, 2, 512, 64), "k": sum4(1.4, 1, 2, 512, 64), "v": sum4(1, 1, 2, 512, 64)},
		samples: tileEdges,
	})
}

func attentionCausal() []testCase {
	var cases []testCase
	for _, s := range []attentionShape{
		{Tq: 2, Tk: 2, D: 3}, {Tq: 6, Tk: 6, D: 4}, {Tq: 17, Tk: 17, D: 4}, {Tq: 33, Tk: 33, D: 2},
		{Tq: 1, Tk: 6, D: 4}, {Tq: 3, Tk: 8, D: 4}, {Tq: 2, Tk: 65, D: 4}, {Tq: 8, Tk: 3, D: 4}, {Tq: 5, Tk: 4, D: 1}, {Tq: 9, Tk: 1, D: 2},
	} {
		s.B, s.H = 1, 2
		flags, clauses := "causal-offset", "MSK-1"
		if s.Tq > s.Tk {
			flags, clauses = "causal-offset masked-row", "MSK-1 MSK-10"
		}
		cases = append(cases, testCase{
			name:    fmt.Sprintf("causal-q%d-k%d", s.Tq, s.Tk),
			comment: fmt.Sprintf("Causal, %d queries at the end of %d keys.", s.Tq, s.Tk), clauses: clauses, flags: flags,
			attrs: attrs{"causal": true}, src: s.args(),
		})
	}
	for _, w := range []struct {
		window, tq, tk int
		causal         bool
	}{
		{1, 5, 5, true}, {2, 6, 6, true}, {3, 4, 9, true}, {4, 9, 6, true}, {16, 33, 33, true}, {100, 5, 7, true},
		{1, 5, 5, false}, {3, 7, 7, false}, {2, 3, 8, false}, {2, 8, 3, false}, {100, 4, 5, false},
	} {
		kind, clauses := "symmetric", "MSK-3"
		if w.causal {
			kind, clauses = "causal", "MSK-1 MSK-2"
		}
		if w.tq > w.tk {
			clauses += " MSK-10"
		}
		s := attentionShape{B: 1, H: 1, Tq: w.tq, Tk: w.tk, D: 4}
		cases = append(cases, testCase{
			name:    fmt.Sprintf("window-%d-%s-q%d-k%d", w.window, kind, w.tq, w.tk),
			comment: fmt.Sprintf("A %s window of %d, %d queries and %d keys.", kind, w.window, w.tq, w.tk), clauses: clauses, flags: "window",
			attrs: attrs{"causal": w.causal, "window": w.window}, src: s.args(),
		})
	}
	return cases
}

// randomMask admits two keys of three.
func randomMask(shape ...int) draw {
	return func(s *source) vector.Input { return bools(func(int) bool { return s.IntN(3) > 0 }, shape...)(s) }
}

// hideRows hides all keys of the given rows of a boolean mask over keys keys.
func hideRows(d draw, keys int, rows ...int) draw {
	return func(s *source) vector.Input {
		in := d(s)
		for _, r := range rows {
			for j := range keys {
				in.Data.Bool[r*keys+j] = false
			}
		}
		return in
	}
}

func span(lo, hi int) []int {
	at := make([]int, hi-lo)
	for i := range at {
		at[i] = lo + i
	}
	return at
}

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
