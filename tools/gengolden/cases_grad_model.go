package main

import (
	"maps"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
)

// gradAttrs are the attributes that a layer's shape gives, and others.
func (l layer) gradAttrs(a attrs) attrs {
	all := attrs{"heads": l.heads}
	if l.kvHeads != 0 {
		all["kv_heads"] = l.kvHeads
	}
	maps.Copy(all, a)
	return all
}

func mhaGradFamily() family {
	f := family{op: "mha.grad", flags: []vector.Flag{
		upstreamFlag, addsFlag,
		{Name: "paths", Bug: "one of the three paths to dx is missing, or overwrites the others"},
		{Name: "edges", Bug: "one head, one position, head dimension 1"},
		{Name: "heads", Bug: "heads are interleaved, or split in the wrong order"},
		{Name: "groups", Bug: "dk and dv are those of one query head of each group"},
		{Name: "bias", Bug: "a bias' gradient is missing, or that of one position or one sequence; dbk is not 0"},
		{Name: "mask", Bug: "causal, a window or a mask does not reach the backward pass"},
		{Name: "scale", Bug: "the scale is 1/sqrt(d), or an explicit one is ignored"},
		{Name: "masked-row", Bug: "a position that sees none gives NaN, or adds to the gradients of the projections"},
		{Name: "batch", Bug: "the weights' gradients are those of the last sequence, or a mean"},
	}}
	add := func(name, comment, clauses, flags string, l layer, batch, seqLen int, consts string, a attrs, mask draw) *testCase {
		src := args{"x": normal(1, batch, seqLen, l.d), "dy": around(0.3, 1, batch, seqLen, l.d)}
		if mask != nil {
			src["mask"] = mask
		}
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: l.gradAttrs(a),
			consts: l.weights().only(consts), src: src})
		return &f.cases[len(f.cases)-1]
	}
	causal := attrs{"causal": true}
	small := layer{d: 6, heads: 2, headDim: 3}
	add("one-head", "One head.", "GRAD-1 GRAD-22", "edges upstream", layer{d: 5, heads: 1, headDim: 5}, 1, 4, projections, nil, nil)
	add("two-heads", "Two heads.", "GRAD-22 GRAD-23", "heads paths bias upstream", small, 1, 5, projections, nil, nil)
	add("batch", "Four heads, two sequences.", "GRAD-22", "heads batch bias", layer{d: 6, heads: 3, headDim: 2}, 2, 4, projections, nil, nil)
	add("head-dim-1", "Heads of one element.", "GRAD-22 MHA-2", "heads edges", layer{d: 3, heads: 3, headDim: 1}, 1, 5, projections, nil, nil)
	add("one-position", "One position: q and k have no effect, and their weights gradient 0.", "GRAD-22", "edges", small, 2, 1, projections,
		nil, nil)
	add("causal", "Causal.", "GRAD-22 GRAD-23 MHA-5", "mask paths bias", small, 1, 6, projections, causal, nil)
	add("window", "A causal window of 2.", "GRAD-22 MHA-5", "mask", small, 1, 6, projections, attrs{"causal": true, "window": 2}, nil)
	add("wide-heads", "Heads wider than the model.", "GRAD-22 MHA-3", "heads", layer{d: 6, heads: 3, headDim: 4}, 1, 4, projections, causal,
		nil)
	add("groups", "Four query heads over two.", "GRAD-18 GRAD-22 GRAD-23", "groups bias", layer{d: 8, heads: 4, kvHeads: 2, headDim: 3}, 1, 5,
		projections, causal, nil)
	add("multi-query", "Four query heads over one, two sequences.", "GRAD-18 GRAD-22", "groups batch",
		layer{d: 8, heads: 4, kvHeads: 1, headDim: 2}, 2, 4, projections, causal, nil)
	add("no-bias", "No biases.", "GRAD-2 GRAD-22", "bias", small, 1, 5, "wq wk wv wo", causal, nil)
	add("some-bias", "A bias on queries and values only.", "GRAD-2 GRAD-22", "bias", small, 1, 5, "wq bq wk wv bv wo", nil, nil)
	add("key-bias", "A bias on keys only: it has no effect, and gradient 0.", "GRAD-2 GRAD-22 GRAD-23", "bias", small, 1, 5, "wq wk bk wv wo",
		nil, nil)
	add("bool-mask", "A boolean mask for each head, and a position that sees none.", "GRAD-20 GRAD-22 MHA-5", "mask masked-row", small, 1, 5,
		projections, nil,
		hideRows(randomMask(1, 2, 5, 5), 5, 3, 8))
	add("float-mask", "A float mask and causal.", "GRAD-22 MHA-5", "mask", small, 2, 4, projections, causal, normal(1.5, 1, 1, 4, 4))
	add("scale", "An explicit scale.", "GRAD-22 MHA-5", "scale", small, 1, 5, projections, attrs{"scale": 0.2}, nil)
	again := add("again", "Two steps: the second replaces the first.", "GRAD-1", "overwrite batch", small, 1, 3, projections, causal, nil)
	again.steps = twice(func() args { return args{"x": normal(1, 1, 3, 6), "dy": normal(1, 1, 3, 6)} })
	return f
}

func ffnGradFamily() family {
	f := family{op: "ffn.grad", flags: []vector.Flag{
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
	return f
}

func blockGradFamily() family {
	f := family{op: "block.grad", flags: []vector.Flag{
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
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: l.gradAttrs(a),
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
	return f
}

func gptLossGradFamily() family {
	f := family{op: "gpt.loss.grad", flags: []vector.Flag{
		upstreamFlag, addsFlag,
		{Name: "order", Bug: "pre-norm and post-norm are confused, the final normalization is left out, layers exchange their gradients"},
		{Name: "tied",
			Bug: "of the two uses of the tied matrix one is missing, or overwrites the other; untied, the output's gradient goes to the embedding"},
		{Name: "repeated", Bug: "the last of several equal tokens wins"},
		{Name: "unused", Bug: "rows of tokens and positions that do not occur are not 0"},
		{Name: "positions", Bug: "dwpe is missing, shifted, or that of the last sequence"},
		{Name: "embedding-scale", Bug: "sqrt(d) is missing in the gradient, or multiplies that of the output or of the positions"},
		{Name: "windows", Bug: "the backward pass sees other keys than the forward pass"},
		{Name: "heads", Bug: "grouped heads, or heads that do not fill the model"},
		{Name: "activation", Bug: "the derivative of another activation"},
		{Name: "eps", Bug: "another eps in some of the normalizations"},
		{Name: "reduction", Bug: "the mean over all targets and not those that count, or a mean of the means of sequences"},
		{Name: "ignore", Bug: "ignored targets have a gradient"},
		{Name: "all-ignored", Bug: "0/0 where nothing counts"},
		{Name: "accumulation", Bug: "parts of a batch with different numbers of ignored targets do not add up to the whole"},
		{Name: "id-range", Bug: "an id or target outside the vocabulary, or a sequence longer than the context, is accepted"},
	}}
	add := func(name, comment, clauses, flags string, m model, a attrs, at, targets, dloss draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: m.allAttrs(a),
			consts: m.weights(),
			src:    args{"ids": at, "targets": targets, "dloss": dloss}})
		return &f.cases[len(f.cases)-1]
	}
	one := func(x float64) draw { return floats([]float64{x}) }
	none, mean, sum := attrs{"reduction": "none"}, attrs{"reduction": "mean"}, attrs{"reduction": "sum"}
	m := model{layer: layer{d: 4, heads: 2, headDim: 2, ffn: 5}, vocab: 11, context: 7, layers: 2, attrs: attrs{"activation": "gelu_tanh"}}
	vaswani := m.with(attrs{"norm": "post", "activation": "relu", "positions": "sinusoidal", "scale_embedding": true})
	vaswani.untied = true
	untied := m
	untied.untied = true
	add("tiny", "Two layers of GPT-3's architecture, each loss with an upstream gradient of its own.", "GRAD-1 GRAD-30 GRAD-31",
		"order positions tied upstream activation",
		m, none, tokens(11, 1, 5), tokens(11, 1, 5), normal(1, 1, 5))
	add("mean", "The mean over two sequences, with an upstream gradient of -2.5.", "GRAD-28 GRAD-30", "reduction upstream positions", m, mean,
		tokens(11, 2, 3), tokens(11, 2, 3), one(-2.5))
	add("default", "Without the attribute, the mean.", "GRAD-2 GRAD-30", "reduction", m, nil, tokens(11, 1, 4), tokens(11, 1, 4), one(1.5))
	add("repeated", "One token many times, in two sequences.", "GRAD-15 GRAD-30", "repeated tied", m, sum,
		idsOf([]int64{7, 7, 3, 7, 7, 3}, 2, 3), tokens(11, 2, 3), one(0.75))
	add("untied", "An output matrix of its own: rows of tokens that do not occur are 0.", "GRAD-30 GRAD-31", "tied unused repeated", untied,
		sum,
		idsOf([]int64{2, 9, 2, 5}, 1, 4), tokens(11, 1, 4), one(1.25))
	add("one-token", "One token: one row of dwpe.", "GRAD-30", "unused positions", m, sum, idsOf([]int64{10}, 1, 1), idsOf([]int64{3}, 1, 1),
		one(2))
	add("full-context", "As many tokens as there are positions.", "GRAD-30", "positions", m, mean, tokens(11, 1, 7), tokens(11, 1, 7), one(3))
	add("vaswani", "The original Transformer's decoder: post-norm, scaled embeddings, sinusoids, untied.", "GRAD-25 GRAD-31 GRAD-32",
		"order positions embedding-scale tied",
		vaswani, none, tokens(11, 1, 5), tokens(11, 1, 5), normal(1, 1, 5))
	add("scale-embedding", "Scaled embeddings, tied, learned positions.", "GRAD-31 GRAD-32", "embedding-scale tied positions",
		m.with(attrs{"scale_embedding": true}), mean,
		tokens(11, 1, 5), tokens(11, 1, 5), one(2))
	add("no-positions", "Without positions, post-norm, tied.", "GRAD-25 GRAD-30", "positions order",
		m.with(attrs{"positions": "none", "norm": "post"}), sum, tokens(11, 1, 5),
		tokens(11, 1, 5), one(0.5))
	add("banded", "Dense and banded layers in turn, grouped heads that do not fill the model.", "GRAD-18 GRAD-30", "windows heads",
		model{layer: layer{d: 4, heads: 4, kvHeads: 2, headDim: 2, ffn: 4}, vocab: 11, context: 8, layers: 3,
			attrs: attrs{"windows": []int{0, 2}}}, mean,
		tokens(11, 1, 6), tokens(11, 1, 6), one(2))
	add("gelu-relu", "ReLU in pre-norm.", "GRAD-24 GRAD-30", "activation", m.with(attrs{"activation": "relu"}), sum, tokens(11, 1, 4),
		tokens(11, 1, 4), one(1.5))
	add("gelu-erf", "The erf form.", "GRAD-24 GRAD-30", "activation", m.with(attrs{"activation": "gelu"}), sum, tokens(11, 1, 4),
		tokens(11, 1, 4), one(1.5))
	add("eps", "eps = 0.01.", "GRAD-12 GRAD-30", "eps", m.with(attrs{"eps": 0.01}), sum, tokens(11, 1, 4), tokens(11, 1, 4), one(1.5))
	some := idsOf([]int64{4, -100, 10, 0, -100, 9, -100, -100}, 2, 4)
	add("ignore-none", "Four of eight targets are ignored, three of them in one sequence.", "GRAD-27 GRAD-30", "ignore", m, none,
		tokens(11, 2, 4), some, normal(1, 2, 4))
	batch := []int64{3, 1, 4, 1, 5, 9, 2, 6}
	add("accumulate-whole", "The mean over the four that count.", "GRAD-28 GRAD-34", "ignore reduction accumulation", m, mean,
		idsOf(batch, 2, 4), some, one(2))
	parts := add("accumulate-parts",
		"The same batch in two parts, by sum, with an upstream gradient of 2 over 4: together they give the same.", "GRAD-28 GRAD-34",
		"ignore accumulation overwrite", m, sum, nil, nil, nil)
	parts.src = nil
	parts.steps = []step{
		{src: args{"ids": idsOf(batch[:4], 1, 4), "targets": idsOf([]int64{4, -100, 10, 0}, 1, 4), "dloss": one(0.5)}},
		{src: args{"ids": idsOf(batch[4:], 1, 4), "targets": idsOf([]int64{-100, 9, -100, -100}, 1, 4), "dloss": one(0.5)}},
	}
	whole := &f.cases[len(f.cases)-2]
	for name, w := range whole.consts {
		whole.consts[name] = w.named("gpt.loss.grad/accumulate/" + name)
	}
	parts.consts = whole.consts
	none3 := idsOf([]int64{-100, -100, -100}, 1, 3)
	add("all-ignored", "All targets are ignored: 0.", "GRAD-28", "all-ignored", m, mean, tokens(11, 1, 3), none3,
		one(2)).compare = vector.Exact
	after := add("all-ignored-after", "A batch without a target that counts, after one that has some.", "GRAD-1 GRAD-28",
		"all-ignored overwrite", m, mean, nil, nil, nil)
	after.src = nil
	after.steps = []step{
		{src: args{"ids": tokens(11, 1, 3), "targets": tokens(11, 1, 3), "dloss": one(2)}},
		{src: args{"ids": tokens(11, 1, 3), "targets": none3, "dloss": one(2)}},
	}
	add("id-v", "An id equal to V is an error, also where its target is ignored.", "GRAD-33 GPT-7", "id-range", m, mean,
		idsOf([]int64{3, 11}, 1, 2), idsOf([]int64{3, -100}, 1, 2),
		one(1.5)).err = "index"
	add("target-v", "A target equal to V is an error.", "GRAD-33 XE-6", "id-range", m, mean, idsOf([]int64{3, 1}, 1, 2),
		idsOf([]int64{3, 11}, 1, 2), one(1.5)).err = "index"
	add("too-long", "More tokens than positions: an error.", "GRAD-33 GPT-7", "id-range", m, mean, tokens(11, 1, 8), tokens(11, 1, 8),
		one(1.5)).err = "position"
	add("last-ids", "The last token, as id and as target, is none.", "GRAD-33", "id-range repeated", m, mean, idsOf([]int64{10, 0, 10}, 1, 3),
		idsOf([]int64{0, 10, 10}, 1, 3), one(1.5))
	return f
}
