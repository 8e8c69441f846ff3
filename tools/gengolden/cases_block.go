package main

import (
	"fmt"
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

// only returns the named arguments.
func (a args) only(names string) args {
	b := args{}
	for _, n := range strings.Fields(names) {
		b[n] = a[n]
	}
	return b
}

const (
	projections  = "wq bq wk bk wv bv wo bo"
	feedForward  = "w1 b1 w2 b2"
	headsFlagBug = "heads are interleaved, or split in the wrong order"
)

func mhaFamily() family {
	f := family{op: "mha", flags: []vector.Flag{
		{Name: "edges", Bug: "one head, one position, head dimension 1, lengths around a block's"},
		{Name: "heads", Bug: headsFlagBug},
		{Name: "width", Bug: "heads * head dim is taken to be d", See: "GPT-3's Table 2.1, XL and 13B"},
		{Name: "groups", Bug: "query heads are dealt to key heads in turn and not as neighbours"},
		{Name: "bias", Bug: "a bias is dropped, or one that is absent is read"},
		{Name: "mask", Bug: "a mask is not passed on, or replaces causal"},
		{Name: "scale", Bug: "the scale is 1/sqrt(d), or an explicit one is ignored"},
		{Name: "masked-row", Bug: "a position that sees none gives NaN and not the bias"},
	}}
	add := func(name, comment, clauses, flags string, l layer, batch, seqLen int, consts string, a attrs, mask draw) {
		all := attrs{"heads": l.heads}
		if l.kvHeads != 0 {
			all["kv_heads"] = l.kvHeads
		}
		for k, v := range a {
			all[k] = v
		}
		src := args{"x": normal(1, batch, seqLen, l.d)}
		if mask != nil {
			src["mask"] = mask
		}
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: all, consts: l.weights().only(consts),
			src: src})
	}
	causal := attrs{"causal": true}
	small := layer{d: 8, heads: 2, headDim: 4}
	add("one-head", "One head.", "MHA-1 MHA-3", "edges", layer{d: 5, heads: 1, headDim: 5}, 1, 4, projections, nil, nil)
	add("two-heads", "Two heads.", "MHA-1 MHA-2", "heads", small, 1, 5, projections, nil, nil)
	add("four-heads", "Four heads, two sequences.", "MHA-1 MHA-2", "heads", layer{d: 12, heads: 4, headDim: 3}, 2, 4, projections, nil, nil)
	add("head-dim-1", "Heads of one element.", "MHA-2", "heads edges", layer{d: 3, heads: 3, headDim: 1}, 1, 5, projections, nil, nil)
	add("one-position", "A sequence of one position.", "MHA-1", "edges", small, 2, 1, projections, nil, nil)
	add("causal", "Causal.", "MHA-5 MSK-1", "mask", small, 1, 6, projections, causal, nil)
	add("causal-17", "Causal over 17 positions.", "MHA-5 MSK-1", "mask edges", layer{d: 6, heads: 2, headDim: 3}, 1, 17, projections, causal, nil)
	add("window", "A causal window of 2.", "MHA-5 MSK-2", "mask", small, 1, 6, projections, attrs{"causal": true, "window": 2}, nil)
	add("window-symmetric", "A symmetric window.", "MHA-5 MSK-3", "mask", small, 1, 6, projections, attrs{"window": 2}, nil)
	add("wide-heads", "Heads wider than the model: H*D = 12, d = 6.", "MHA-3", "width", layer{d: 6, heads: 3, headDim: 4}, 1, 4, projections, causal, nil)
	add("narrow-heads", "Heads narrower than the model: H*D = 6, d = 9.", "MHA-3", "width", layer{d: 9, heads: 2, headDim: 3}, 2, 3, projections, nil, nil)
	add("groups", "Four query heads over two.", "MHA-4 ATT-4", "groups", layer{d: 8, heads: 4, kvHeads: 2, headDim: 3}, 1, 5, projections, causal, nil)
	add("multi-query", "Four query heads over one.", "MHA-4 ATT-4", "groups", layer{d: 8, heads: 4, kvHeads: 1, headDim: 2}, 2, 4, projections, causal, nil)
	add("no-bias", "No biases.", "MHA-1", "bias", small, 1, 5, "wq wk wv wo", causal, nil)
	add("some-bias", "A bias on queries and values only.", "MHA-1", "bias", small, 1, 5, "wq bq wk wv bv wo", causal, nil)
	add("output-bias", "A bias on the output only.", "MHA-1", "bias", small, 1, 5, "wq wk wv wo bo", nil, nil)
	add("bool-mask", "A boolean mask for each head, and a position that sees none: it gets bo.", "MHA-5 MSK-4 MSK-10", "mask masked-row", small, 1, 5,
		projections, nil,
		hideRows(randomMask(1, 2, 5, 5), 5, 3, 8))
	add("float-mask", "A float mask and causal.", "MHA-5 MSK-5 MSK-9", "mask", small, 2, 4, projections, causal, normal(2, 1, 1, 4, 4))
	add("scale", "An explicit scale.", "MHA-5", "scale", small, 1, 5, projections, attrs{"scale": 0.2}, nil)
	add("gpt2-head", "One of GPT-2's heads: d = 64, D = 64.", "MHA-1 MHA-5", "edges", layer{d: 64, heads: 1, headDim: 64}, 1, 3, projections, causal, nil)
	return f
}

func ffnFamily() family {
	f := family{op: "ffn", flags: []vector.Flag{
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
	return f
}

func blockFamily() family {
	f := family{op: "block", flags: []vector.Flag{
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
	return f
}
