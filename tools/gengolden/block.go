package main

import (
	"maps"
	"math"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
)

// layer is the shape of a decoder block.
type layer struct {
	d, heads, kvHeads, headDim, ffn int
	recipes                         bool // the weights are recipes
}

// normal and around draw weights.
func (l layer) normal(deviation float64, shape ...int) draw { return l.around(0, deviation, shape...) }

func (l layer) around(mean, deviation float64, shape ...int) draw {
	if l.recipes {
		return recipe("sum4", deviation*sqrt3, mean, shape...)
	}
	return around(mean, deviation, shape...)
}

// weights draws all constants of a block, behind the given leading axes. They are scaled so that every sublayer contributes: the scores
// of attention have a standard deviation near 2, and each branch adds about as much as it finds.
func (l layer) weights(lead ...int) args {
	if l.kvHeads == 0 {
		l.kvHeads = l.heads
	}
	hd, gd := l.heads*l.headDim, l.kvHeads*l.headDim
	shape := func(s ...int) []int { return append(append([]int{}, lead...), s...) }
	matrix := func(gain float64, in, out int) draw {
		return l.normal(gain/math.Sqrt(float64(in)), shape(in, out)...)
	}
	return args{
		"ln1_gamma": l.around(1, 0.3, shape(l.d)...), "ln1_beta": l.normal(0.2, shape(l.d)...),
		"wq": matrix(1.5, l.d, hd), "bq": l.normal(0.3, shape(hd)...), "wk": matrix(1.4, l.d, gd), "bk": l.normal(0.3, shape(gd)...),
		"wv": matrix(1.2, l.d, gd), "bv": l.normal(0.3, shape(gd)...), "wo": matrix(1.2, hd, l.d), "bo": l.normal(0.2, shape(l.d)...),
		"ln2_gamma": l.around(1, 0.3, shape(l.d)...), "ln2_beta": l.normal(0.2, shape(l.d)...),
		"w1": matrix(1.3, l.d, l.ffn), "b1": l.normal(0.3, shape(l.ffn)...), "w2": matrix(1.6, l.ffn, l.d), "b2": l.normal(0.2, shape(l.d)...),
	}
}

// withHeads returns attributes with those that the layer's shape gives.
func (l layer) withHeads(a attrs) attrs {
	all := attrs{"heads": l.heads}
	if l.kvHeads != 0 {
		all["kv_heads"] = l.kvHeads
	}
	maps.Copy(all, a)
	return all
}

// wideLayer is a decoder block of which every length passes 64 but those of a head.
func wideLayer() layer { return layer{d: 66, heads: 2, headDim: 33, ffn: 70, recipes: true} }

const (
	projections  = "wq bq wk bk wv bv wo bo"
	feedForward  = "w1 b1 w2 b2"
	headsFlagBug = "heads are interleaved, or split in the wrong order"
)

var _ = register("block", blockFamily)

func blockFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "order", Bug: "normalization before and after the sublayers is confused, or a residual sum starts from the normalized input"},
		{Name: "residual", Bug: "a residual sum is missing, or the second one starts from the first input"},
		{Name: "norms", Bug: "the two normalizations exchange their weights, or use another eps"},
		{Name: "heads", Bug: headsFlagBug},
		{Name: "mask", Bug: "causal or the window does not reach attention"},
		{Name: "activation", Bug: "another activation, or another form of GELU"},
		{Name: "edges", Bug: "one position, odd lengths"},
	}}
	add := func(name, comment, clauses, flags string, l layer, batch, seqLen int, a attrs, x func(draw) draw) {
		all := attrs{"heads": l.heads}
		if l.kvHeads != 0 {
			all["kv_heads"] = l.kvHeads
		}
		for k, v := range a {
			all[k] = v
		}
		input := normal(1.5, batch, seqLen, l.d)
		if x != nil {
			input = x(input)
		}
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: all, consts: l.weights(),
			src: args{"x": input}})
	}
	l := layer{d: 8, heads: 2, headDim: 4, ffn: 24}
	pre, post := attrs{"norm": "pre", "causal": true}, attrs{"norm": "post", "causal": true}
	add("pre", "Pre-norm, as in GPT-2 and GPT-3.", "BLK-1", "order residual norms", l, 1, 5, pre, nil)
	add("post", "Post-norm, as in the original Transformer.", "BLK-2", "order residual norms", l, 1, 5, post, nil)
	add("pre-batch", "Pre-norm, two sequences.", "BLK-1", "order", l, 2, 3, pre, nil)
	add("post-batch", "Post-norm, two sequences.", "BLK-2", "order", l, 2, 3, post, nil)
	add("default", "Without attributes but the heads: pre-norm, GELU, not causal.", "BLK-1 BLK-4", "order mask activation", l, 1, 4, nil, nil)
	for _, act := range []string{"relu", "gelu", "gelu_tanh"} {
		add("pre-"+strings.ReplaceAll(act, "_", "-"), "Pre-norm with "+act+".", "BLK-1 BLK-4 FFN-2", "activation", l, 1, 4,
			attrs{"norm": "pre", "activation": act, "causal": true}, nil)
	}
	add("post-relu", "Post-norm with ReLU: the original Transformer.", "BLK-2 BLK-4 FFN-2", "activation order", l, 1, 4,
		attrs{"norm": "post", "activation": "relu"}, nil)
	add("eps", "A large eps in both normalizations, small inputs.", "BLK-3", "norms", l, 1, 4, attrs{"norm": "pre", "eps": 0.01}, func(d draw) draw {
		return d.mapped(func(_ int, x float64) float64 { return x / 8 })
	})
	add("eps-post", "eps = 1e-6 where the sums are small.", "BLK-3", "norms", l, 1, 4, attrs{"norm": "post", "eps": 1e-6}, nil)
	add("window", "A causal window of 2.", "BLK-4", "mask", l, 1, 6, attrs{"norm": "pre", "causal": true, "window": 2}, nil)
	add("groups", "Four query heads over two.", "BLK-4 MHA-4", "heads", layer{d: 8, heads: 4, kvHeads: 2, headDim: 2, ffn: 16}, 1, 5, pre, nil)
	add("wide-heads", "Heads wider than the model.", "BLK-1 MHA-3", "heads", layer{d: 6, heads: 3, headDim: 4, ffn: 10}, 1, 4, pre, nil)
	add("one-position", "One position.", "BLK-1", "edges", l, 1, 1, pre, nil)
	add("odd", "Odd lengths everywhere.", "BLK-1", "edges", layer{d: 7, heads: 3, headDim: 3, ffn: 13}, 1, 9, pre, nil)
	add("large-mean", "A residual stream with a large mean and an outlier, as in trained models.", "BLK-1 LN-4", "norms", l, 1, 4, pre, func(d draw) draw {
		return d.mapped(func(i int, x float64) float64 { return x + 20 }).set(-60, 3, 11)
	})
	wide := wideLayer()
	f.wide = []testCase{{
		name: "wide", comment: "70 positions of 66 elements, two heads, causal.", clauses: "BLK-1", attrs: wide.withHeads(attrs{"causal": true, "norm": "pre"}),
		consts: wide.weights(), src: args{"x": sum4(1, 1, 70, wide.d)},
	}}
	return f
}

var _ = register("block.grad", blockGradFamily)

func blockGradFamily() family {
	f := family{flags: []vector.Flag{
		upstreamFlag, addsFlag,
		{Name: "residual", Bug: "one side of a residual sum does not pass the gradient on, or passes it twice"},
		{Name: "order", Bug: "the gradients of pre-norm for post-norm, or a normalization differentiated at the wrong input"},
		{Name: "norms", Bug: "the two normalizations exchange their gradients, or use another eps"},
		{Name: "heads", Bug: "heads are interleaved, grouped in turn, or taken to fill the model"},
		{Name: "mask", Bug: "causal or the window does not reach the backward pass"},
		{Name: "activation", Bug: "the derivative of another activation"},
		{Name: "batch", Bug: "the weights' gradients are those of the last sequence, or a mean"},
		{Name: "edges", Bug: "one position, odd lengths"},
	}}
	add := func(name, comment, clauses, flags string, l layer, batch, seqLen int, a attrs) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: l.withHeads(a),
			consts: l.weights(),
			src:    args{"x": normal(1.5, batch, seqLen, l.d), "dy": around(0.2, 1, batch, seqLen, l.d)}})
		return &f.cases[len(f.cases)-1]
	}
	l := layer{d: 5, heads: 2, headDim: 3, ffn: 7}
	pre, post := attrs{"norm": "pre", "causal": true}, attrs{"norm": "post", "causal": true}
	add("pre", "Pre-norm, as in GPT-2 and GPT-3.", "GRAD-1 GRAD-25", "order residual norms upstream", l, 1, 4, pre)
	add("post", "Post-norm, as in the original Transformer.", "GRAD-1 GRAD-25", "order residual norms upstream", l, 1, 4, post)
	add("pre-batch", "Pre-norm, two sequences.", "GRAD-25", "batch order", l, 2, 3, pre)
	add("post-batch", "Post-norm, two sequences.", "GRAD-25", "batch order", l, 2, 3, post)
	add("default", "Without attributes but the heads: pre-norm, GELU, not causal.", "GRAD-2 GRAD-25", "order mask activation", l, 1, 4, nil)
	for _, act := range []string{"relu", "gelu_tanh"} {
		add("pre-"+strings.ReplaceAll(act, "_", "-"), "Pre-norm with "+act+".", "GRAD-24 GRAD-25", "activation", l, 1, 4,
			attrs{"norm": "pre", "activation": act, "causal": true})
	}
	add("post-relu", "Post-norm with ReLU: the original Transformer.", "GRAD-24 GRAD-25", "activation order", l, 1, 4,
		attrs{"norm": "post", "activation": "relu"})
	small := add("eps", "A large eps in both normalizations, small inputs.", "GRAD-25 BLK-3", "norms", l, 1, 4,
		attrs{"norm": "pre", "eps": 0.01})
	small.src["x"] = normal(0.1, 1, 4, 5)
	add("window", "A causal window of 2.", "GRAD-25 BLK-4", "mask", l, 1, 5, attrs{"norm": "pre", "causal": true, "window": 2})
	add("groups", "Four query heads over two.", "GRAD-18 GRAD-25", "heads", layer{d: 6, heads: 4, kvHeads: 2, headDim: 2, ffn: 8}, 1, 4, pre)
	add("wide-heads", "Heads wider than the model.", "GRAD-25", "heads", layer{d: 6, heads: 3, headDim: 4, ffn: 8}, 1, 4, post)
	add("one-position", "One position.", "GRAD-25", "edges", l, 1, 1, pre)
	add("odd", "Odd lengths everywhere.", "GRAD-25", "edges", layer{d: 7, heads: 3, headDim: 3, ffn: 9}, 1, 5, pre)
	again := add("again", "Two steps: the second replaces the first.", "GRAD-1", "overwrite", l, 1, 3, post)
	again.steps = twice(func() args { return args{"x": normal(1.5, 1, 3, 5), "dy": normal(1, 1, 3, 5)} })
	wide := wideLayer()
	f.wide = []testCase{{
		name: "wide", comment: "70 positions of 66 elements, two heads, causal.", clauses: "GRAD-25", attrs: wide.withHeads(attrs{"causal": true, "norm": "pre"}),
		consts: wide.weights(), src: args{"x": sum4(1, 1, 70, wide.d), "dy": recipe("sum4", sqrt3, 0.3, 1, 70, wide.d)},
	}}
	return f
}
