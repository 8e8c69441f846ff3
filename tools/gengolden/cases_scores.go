package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

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

func attentionScoresFamily() family {
	f := family{op: "attention.scores", flags: []vector.Flag{
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
	return f
}
