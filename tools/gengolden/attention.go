package main

import (
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

// grad draws the arguments of attention, and an upstream gradient.
func (s attentionShape) grad() args {
	dv := s.Dv
	if dv == 0 {
		dv = s.D
	}
	return s.args().with("dout", around(0.3, 1, s.B, s.H, s.Tq, dv))
}

// recipes are arguments that are not stored, of G key and value heads.
func (s attentionShape) recipes() args {
	return args{"q": sum4(1, s.B, s.H, s.Tq, s.D), "k": sum4(1, s.B, s.G, s.Tk, s.D), "v": sum4(1, s.B, s.G, s.Tk, s.D)}
}

// square is one head of n queries over n keys.
func square(n, headDim int) attentionShape {
	return attentionShape{B: 1, H: 1, Tq: n, Tk: n, D: headDim}
}

var _ = register("attention", attentionFamily)

func attentionFamily() family {
	f := family{flags: []vector.Flag{
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

var _ = register("attention.grad", attentionGradFamily)

func attentionGradFamily() family {
	f := family{flags: []vector.Flag{
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
	wide := attentionShape{B: 1, H: 2, G: 1, Tq: 70, Tk: 70, D: 66}
	f.wide = []testCase{{
		name: "wide", comment: "70 positions of 66 elements, two query heads over one.", clauses: "GRAD-17 GRAD-18", attrs: attrs{"causal": true},
		src: wide.recipes().with("dout", recipe("sum4", sqrt3, 1, 1, 2, 70, 66)),
	}}
	return f
}

var _ = register("attention.scores", attentionScoresFamily)

func attentionScoresFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "stages", Bug: "one stage is given for another, or scale and cap are missing in one", See: "onnx: the modes of qk_matmul_output differ between revisions"},
		{Name: "hidden", Bug: "hidden keys have a finite score, or a weight that is not 0"},
		{Name: "masked-row", Bug: "the weights of a query that sees no key are NaN or uniform"},
		{Name: "masked-nan", Bug: "NaN and infinities of K at hidden keys reach scores or weights"},
		{Name: "visible-nan", Bug: "NaN and infinities at visible keys are lost"},
		{Name: "softcap", Bug: "the soft cap is applied before scaling, after the mask, or not at all"},
		{Name: "groups", Bug: "query heads are dealt to key heads in turn and not as neighbours"},
		{Name: "denominator", Bug: "a constant is added to the denominator, or a key is counted twice"},
		{Name: "range", Bug: "large scores overflow because the maximum is not subtracted"},
		{Name: "edges", Bug: "a kernel's tiles: lengths one below, at and above a block's"},
	}}
	s := attentionShape{B: 2, H: 4, G: 2, Tq: 3, Tk: 5, D: 4}
	scores := func(s attentionShape) args {
		a := s.args()
		delete(a, "v")
		return a
	}
	add := func(c testCase) { f.cases = append(f.cases, c) }
	for _, stage := range []string{"scores", "capped", "masked", "weights"} {
		at := attrs{"stage": stage}
		with := func(extra attrs) attrs {
			all := attrs{"stage": stage}
			for k, v := range extra {
				all[k] = v
			}
			return all
		}
		add(testCase{
			name: stage, comment: "Grouped heads, no mask and no cap.", clauses: "ATT-10 ATT-4 ATT-2", flags: "stages groups", attrs: at, src: scores(s),
		})
		add(testCase{
			name: stage + "-all", comment: "Scale, soft cap, causal, window and a float mask with -Inf, together.", clauses: "ATT-9 ATT-10 MSK-1 MSK-2 MSK-5 MSK-8",
			flags: "stages softcap hidden", attrs: with(attrs{"scale": 0.7, "softcap": 2, "causal": true, "window": 4}),
			src: scores(s).with("mask", normal(2, 2, 1, 3, 5).set(-inf, 1, 7, 17)),
		})
		add(testCase{
			name: stage + "-bool", comment: "A boolean mask by head, one of whose rows hides all keys.", clauses: "ATT-10 ATT-11 MSK-4 MSK-10",
			flags: "stages hidden masked-row", attrs: at, src: scores(s).with("mask", hideRows(randomMask(1, 4, 3, 5), 5, 1, 8)),
		})
		add(testCase{
			name: stage + "-more-queries", comment: "Causal, five queries over three keys: the first two see none.", clauses: "ATT-10 ATT-11 MSK-1 MSK-10",
			flags: "hidden masked-row", attrs: with(attrs{"causal": true}), src: scores(attentionShape{B: 1, H: 1, Tq: 5, Tk: 3, D: 2}),
		})
		add(testCase{
			name: stage + "-poison", comment: "NaN and infinities in K, hidden from most queries by causal, and in the mask where causal hides.",
			clauses: "ATT-10 ATT-11 MSK-7 MSK-11", flags: "masked-nan visible-nan", attrs: with(attrs{"causal": true}),
			src: scores(square(4, 2)).with("k", normal(1.4, 1, 1, 4, 2).set(nan, 5).set(inf, 6)).with("mask", normal(1, 1, 1, 4, 4).set(nan, 1, 7).set(inf, 2)),
		})
		add(testCase{
			name: stage + "-large", comment: "Scores of several thousand.", clauses: "ATT-3 ATT-10", flags: "range", attrs: at,
			src: scores(s).with("q", whole(-40, 40, 2, 4, 3, 4)).with("k", whole(-60, 60, 2, 2, 5, 4)),
		})
		add(testCase{
			name: stage + "-long", comment: "Three queries over 130 keys.", clauses: "ATT-10", flags: "edges", attrs: with(attrs{"causal": true, "softcap": 20}),
			src: scores(attentionShape{B: 1, H: 1, Tq: 3, Tk: 130, D: 17}),
		})
	}
	add(testCase{
		name: "default-stage", comment: "Without a stage, the weights.", clauses: "ATT-10", flags: "stages", src: scores(square(3, 4)),
	})
	add(testCase{
		name: "equal-weights", comment: "Equal scores over 8 keys: weights of exactly 1/8.", clauses: "ATT-5 ATT-10", flags: "denominator", compare: vector.Exact,
		src: args{"q": all(0, 1, 1, 2, 3), "k": normal(1, 1, 1, 8, 3)},
	})
	add(testCase{
		name: "one-visible", comment: "A causal window of 1: each query's own key has a weight of exactly 1.", clauses: "ATT-5 MSK-2", flags: "denominator hidden",
		compare: vector.Exact, attrs: attrs{"causal": true, "window": 1}, src: scores(square(5, 3)),
	})
	add(testCase{
		name: "dominant", comment: "One key is ahead of the others by more than 110: a weight of exactly 1.", clauses: "ATT-5 ATT-10", flags: "denominator range",
		compare: vector.Exact, attrs: attrs{"scale": 1},
		src: args{"q": all(1, 1, 1, 3, 2), "k": floats([]float64{1, 2, 3, 4, 90, 80, -3, 1}, 1, 1, 4, 2)},
	})
	add(testCase{
		name: "groups-error", comment: "Three query heads cannot share two key heads.", clauses: "ATT-4", flags: "groups",
		src: scores(attentionShape{B: 1, H: 3, G: 2, Tq: 2, Tk: 2, D: 2}), err: "shape",
	})
	add(testCase{
		name: "stage-error", comment: "A stage that does not exist.", clauses: "ATT-10", flags: "stages", attrs: attrs{"stage": "logits"},
		src: scores(square(2, 2)), err: "attributes",
	})
	f.wide = []testCase{{
		name: "wide", comment: "70 queries over 130 keys of 66 elements.", clauses: "ATT-10", attrs: attrs{"causal": true, "stage": "weights"},
		src: args{"q": sum4(1, 1, 1, 70, 66), "k": sum4(1, 1, 1, 130, 66)},
	}}
	return f
}
