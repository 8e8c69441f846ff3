package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("ffn", ffnFamily)

func ffnFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops, one hidden element, one row"},
		{Name: "activation", Bug: "another activation, or another form of GELU"},
		{Name: "bias", Bug: "a bias is dropped, or one that is absent is read"},
		{Name: "rows", Bug: "rows affect each other"},
	}}
	add := func(name, comment, clauses, flags string, d, hidden int, consts string, a attrs, shape ...int) {
		l := layer{d: d, heads: 1, headDim: 1, ffn: hidden}
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, consts: l.weights().only(consts),
			src: args{"x": normal(1, append(shape, d)...)}})
	}
	for _, act := range []struct{ name, clause string }{{"relu", "ACT-1"}, {"gelu", "ACT-2"}, {"gelu_tanh", "ACT-3"}} {
		add(strings.ReplaceAll(act.name, "_", "-"), "The activation "+act.name+".", "FFN-1 FFN-2 "+act.clause, "activation", 6, 24, feedForward,
			attrs{"activation": act.name}, 3)
		add(strings.ReplaceAll(act.name, "_", "-")+"-17", "The activation "+act.name+", odd lengths.", "FFN-1 FFN-2 "+act.clause, "activation edges",
			5, 17, feedForward, attrs{"activation": act.name}, 2, 2)
	}
	add("default", "Without the attribute, GELU in the erf form.", "FFN-2 ACT-2", "activation", 6, 12, feedForward, nil, 3)
	add("no-bias", "No biases.", "FFN-1", "bias", 6, 12, "w1 w2", nil, 3)
	add("first-bias", "A bias on the first layer only.", "FFN-1", "bias", 6, 12, "w1 b1 w2", nil, 3)
	add("second-bias", "A bias on the second layer only.", "FFN-1", "bias", 6, 12, "w1 w2 b2", nil, 3)
	add("hidden-1", "One hidden element.", "FFN-1", "edges", 4, 1, feedForward, nil, 3)
	add("width-1", "Rows of one element.", "FFN-1", "edges", 1, 8, feedForward, nil, 4)
	add("vector", "No leading axis.", "FFN-1", "rows", 7, 9, feedForward, nil)
	add("narrowing", "A hidden layer narrower than the rows.", "FFN-1", "edges", 16, 5, feedForward, nil, 2)
	add("hidden-257", "257 hidden elements.", "FFN-1", "edges", 4, 257, feedForward, nil, 2)
	for i, mean := range []float64{0, 8} {
		l := layer{d: 6, heads: 1, headDim: 1, ffn: 12}
		f.cases = append(f.cases, testCase{
			name: fmt.Sprintf("rows-%d", i), comment: "Rows of very different size.", clauses: "FFN-1", flags: "rows", consts: l.weights().only(feedForward),
			src: args{"x": around(mean, 1, 2, 3, 6).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/6%4-2) })},
		})
	}
	wide := wideLayer()
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 66, 70 hidden elements.", clauses: "FFN-1", consts: wide.weights().only(feedForward), src: args{"x": sum4(1, 130, wide.d)},
	}}
	return f
}

var _ = register("ffn.grad", ffnGradFamily)

func ffnGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, biasFlag, addsFlag,
		{Name: "activation", Bug: "the derivative of another activation, or at its result and not at its argument"},
		{Name: "rows", Bug: "the weights' gradients are those of the last row or the last axis"},
	}}
	add := func(name, comment, clauses, flags string, d, hidden int, consts string, a attrs, lead ...int) *testCase {
		l := layer{d: d, heads: 1, headDim: 1, ffn: hidden}
		shape := append(lead, d)
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a,
			consts: l.weights().only(consts),
			src:    args{"x": normal(1, shape...), "dy": around(0.3, 1, shape...)}})
		return &f.cases[len(f.cases)-1]
	}
	for _, act := range []struct{ name, clause string }{{"relu", "GRAD-8"}, {"gelu", "GRAD-9"}, {"gelu_tanh", "GRAD-10"}} {
		add(strings.ReplaceAll(act.name, "_", "-"), "The activation "+act.name+".", "GRAD-1 GRAD-24 "+act.clause, "activation upstream", 6, 12,
			feedForward,
			attrs{"activation": act.name}, 3)
	}
	add("default", "Without the attribute, GELU in the erf form.", "GRAD-2 GRAD-24", "activation", 6, 9, feedForward, nil, 3)
	add("axes", "Two leading axes.", "GRAD-24", "rows bias", 5, 7, feedForward, nil, 2, 3)
	add("vector", "No leading axis.", "GRAD-24", "rows", 7, 9, feedForward, nil)
	add("no-bias", "No biases.", "GRAD-2 GRAD-24", "bias", 6, 8, "w1 w2", nil, 3)
	add("first-bias", "A bias on the first layer only.", "GRAD-2 GRAD-24", "bias", 6, 8, "w1 b1 w2", nil, 3)
	add("second-bias", "A bias on the second layer only.", "GRAD-2 GRAD-24", "bias", 6, 8, "w1 w2 b2", nil, 3)
	add("hidden-1", "One hidden element.", "GRAD-24", "edges", 4, 1, feedForward, nil, 3)
	add("width-1", "Rows of one element.", "GRAD-24", "edges", 1, 8, feedForward, nil, 4)
	add("hidden-65", "65 hidden elements, five rows.", "GRAD-24", "edges rows", 4, 65, feedForward, nil, 5)
	again := add("again", "Two steps: the second replaces the first.", "GRAD-1", "overwrite", 4, 6, feedForward, nil, 3)
	again.steps = twice(func() args { return args{"x": normal(1, 3, 4), "dy": normal(1, 3, 4)} })
	wide := wideLayer()
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 66, 70 hidden elements.", clauses: "GRAD-24", consts: wide.weights().only(feedForward),
		src: args{"x": sum4(1, 130, wide.d), "dy": recipe("sum4", sqrt3, 0.3, 130, wide.d)},
	}}
	return f
}
