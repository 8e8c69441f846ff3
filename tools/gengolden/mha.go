package main

import (
	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("mha", mhaFamily)

func mhaFamily() family {
	f := family{flags: []vector.Flag{
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
	wide := wideLayer()
	f.wide = []testCase{{
		name: "wide", comment: "70 positions of 66 elements, two heads, causal.", clauses: "MHA-1 MHA-5", attrs: wide.withHeads(attrs{"causal": true}),
		consts: wide.weights().only(projections), src: args{"x": sum4(1, 1, 70, wide.d)},
	}}
	return f
}

var _ = register("mha.grad", mhaGradFamily)

func mhaGradFamily() family {
	f := family{flags: []vector.Flag{
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
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: l.withHeads(a),
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
	wide := wideLayer()
	f.wide = []testCase{{
		name: "wide", comment: "70 positions of 66 elements, two heads, causal.", clauses: "GRAD-22", attrs: wide.withHeads(attrs{"causal": true}),
		consts: wide.weights().only(projections), src: args{"x": sum4(1, 1, 70, wide.d), "dy": recipe("sum4", sqrt3, 0.3, 1, 70, wide.d)},
	}}
	return f
}
