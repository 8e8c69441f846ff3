package main

import (
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

// model is a whole decoder.
type model struct {
	layer
	vocab, context, layers int
	attrs                  attrs
	untied                 bool
}

// tiny is GPT-3's architecture at a size that vectors can hold.
func tiny() model {
	return model{layer: layer{d: 8, heads: 2, headDim: 4, ffn: 20}, vocab: 17, context: 12, layers: 2, attrs: attrs{"activation": "gelu_tanh"}}
}

// vaswani is the decoder of the original Transformer without its cross-attention.
func vaswani() model {
	m := tiny()
	m.attrs = attrs{"norm": "post", "activation": "relu", "positions": "sinusoidal", "scale_embedding": true}
	m.untied = true
	return m
}

// banded has grouped heads that do not fill the model, and dense and banded layers in turn.
func banded() model {
	return model{layer: layer{d: 10, heads: 4, kvHeads: 2, headDim: 3, ffn: 20}, vocab: 19, context: 16, layers: 3, attrs: attrs{"windows": []int{0, 3}}}
}

// wideModel has more tokens and positions than a block.
func wideModel() model {
	return model{layer: wideLayer(), vocab: 70, context: 68, layers: 1, attrs: attrs{"activation": "gelu_tanh"}}
}

// with returns the model with other attributes.
func (m model) with(a attrs) model {
	all := attrs{}
	for k, v := range m.attrs {
		all[k] = v
	}
	for k, v := range a {
		all[k] = v
	}
	m.attrs = all
	return m
}

func (m model) allAttrs(a attrs) attrs {
	all := m.with(a).attrs
	all["heads"] = m.heads
	if m.kvHeads != 0 {
		all["kv_heads"] = m.kvHeads
	}
	return all
}

// weights draws the constants of the model. The embeddings are scaled so that logits spread over a few units.
func (m model) weights() args {
	w := m.layer.weights(m.layers)
	spread := 2.5 / math.Sqrt(float64(m.d))
	w["wte"] = m.normal(spread, m.vocab, m.d)
	if p := m.attrs["positions"]; p == nil || p == "learned" {
		w["wpe"] = m.normal(spread/2, m.context, m.d)
	}
	if n := m.attrs["norm"]; n == nil || n == "pre" {
		w["lnf_gamma"], w["lnf_beta"] = m.around(1, 0.3, m.d), m.normal(0.2, m.d)
	}
	if m.untied {
		w["w_out"] = m.normal(spread, m.d, m.vocab)
	}
	return w
}

var modelFlags = []vector.Flag{
	{Name: "order", Bug: "pre-norm and post-norm are confused, the final normalization is missing or added, layers come in the wrong order"},
	{Name: "positions", Bug: "positions are missing, start at 1, or are of the other kind"},
	{Name: "embedding-scale", Bug: "sqrt(d) is missing, multiplies the positions too, or is applied where it is not asked for"},
	{Name: "tied", Bug: "the output matrix is another than the embedding where they are tied, or the embedding where they are not"},
	{Name: "windows", Bug: "all layers are dense, or all are banded, or the alternation starts with the other"},
	{Name: "heads", Bug: "grouped heads, or heads that do not fill the model"},
	{Name: "eps", Bug: "another eps in some of the normalizations"},
	{Name: "activation", Bug: "the other form of GELU"},
}

var _ = register("gpt", gptFamily)

func gptFamily() family {
	f := family{flags: append(modelFlags[:len(modelFlags):len(modelFlags)], []vector.Flag{
		{Name: "causal", Bug: "a position sees later ones"},
		{Name: "id-range", Bug: "an id outside the vocabulary, or a sequence longer than the context, is accepted"},
		{Name: "batch", Bug: "sequences of a batch affect each other"},
		opticksFlag,
	}...)}
	add := func(name, comment, clauses, flags string, m model, at draw, err string) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: m.allAttrs(nil), consts: m.weights(),
			src: args{"ids": at}, err: err})
	}
	m := tiny()
	add("tiny", "Two layers of GPT-3's architecture.", "GPT-1 GPT-3 GPT-5", "order positions tied activation", m, tokens(17, 1, 7), "")
	add("tiny-batch", "Two sequences.", "GPT-1", "batch", m, tokens(17, 2, 4), "")
	add("same-prefix", "Two sequences that differ in their last token only: equal logits before it.", "GPT-1", "causal batch", m,
		idsOf([]int64{3, 1, 4, 1, 5, 3, 1, 4, 1, 9}, 2, 5), "")
	add("one-token", "One token.", "GPT-1", "positions", m, idsOf([]int64{16}, 1, 1), "")
	add("repeated", "One token repeated: only positions tell the rows apart.", "GPT-1 GPT-3", "positions", m, idsOf([]int64{7, 7, 7, 7, 7}, 1, 5), "")
	add("full-context", "As many tokens as there are positions.", "GPT-3 GPT-7", "positions id-range", m, tokens(17, 1, 12), "")
	add("one-layer", "One layer.", "GPT-1", "order", model{layer: m.layer, vocab: 11, context: 8, layers: 1}, tokens(11, 1, 5), "")
	add("four-layers", "Four layers.", "GPT-1", "order", model{layer: layer{d: 6, heads: 2, headDim: 3, ffn: 12}, vocab: 11, context: 8, layers: 4},
		tokens(11, 1, 6), "")
	add("gelu-erf", "The default activation, the erf form.", "GPT-1 ACT-2", "activation", m.with(attrs{"activation": "gelu"}), tokens(17, 1, 5), "")
	add("relu", "ReLU.", "GPT-1 FFN-2", "activation", m.with(attrs{"activation": "relu"}), tokens(17, 1, 5), "")
	untied := tiny()
	untied.untied = true
	add("untied", "An output matrix of its own.", "GPT-5", "tied", untied, tokens(17, 1, 5), "")
	square := model{layer: layer{d: 8, heads: 2, headDim: 4, ffn: 16}, vocab: 8, context: 8, layers: 1, untied: true}
	add("untied-square", "As many tokens as the model is wide: a transposed output matrix fits too.", "GPT-5", "tied", square, tokens(8, 1, 5), "")
	add("no-positions", "Without positions.", "GPT-3", "positions", m.with(attrs{"positions": "none"}), tokens(17, 1, 6), "")
	add("sinusoidal", "Sinusoidal positions.", "GPT-3 PE-1", "positions", m.with(attrs{"positions": "sinusoidal"}), tokens(17, 1, 9), "")
	add("scaled", "Scaled embeddings and learned positions.", "GPT-2 GPT-3", "embedding-scale", m.with(attrs{"scale_embedding": true}), tokens(17, 1, 6), "")
	add("vaswani", "The original Transformer's decoder: post-norm, ReLU, sinusoids, scaled embeddings, untied.", "GPT-2 GPT-3 GPT-6 BLK-2",
		"order positions embedding-scale tied", vaswani(), tokens(17, 1, 7), "")
	add("post-tied", "Post-norm, tied.", "GPT-5 GPT-6", "order tied", m.with(attrs{"norm": "post"}), tokens(17, 2, 4), "")
	add("banded", "Dense and banded layers in turn, grouped heads that do not fill the model.", "GPT-4 MHA-3 MHA-4", "windows heads", banded(),
		tokens(19, 1, 9), "")
	add("windows-3", "Three windows over four layers.", "GPT-4", "windows", model{layer: layer{d: 6, heads: 2, headDim: 3, ffn: 12}, vocab: 11,
		context: 12, layers: 4, attrs: attrs{"windows": []int{2, 0, 4}}}, tokens(11, 1, 8), "")
	add("window-all", "One window for all layers.", "GPT-4", "windows", m.with(attrs{"windows": []int{2}}), tokens(17, 1, 7), "")
	add("multi-query", "All query heads share one.", "GPT-1 MHA-4", "heads", model{layer: layer{d: 8, heads: 4, kvHeads: 1, headDim: 2, ffn: 16},
		vocab: 13, context: 8, layers: 2}, tokens(13, 1, 6), "")
	add("eps", "eps = 1e-3.", "GPT-1", "eps", m.with(attrs{"eps": 1e-3}), tokens(17, 1, 5), "")
	add("eps-1e-6", "eps = 1e-6.", "GPT-1", "eps", m.with(attrs{"eps": 1e-6}), tokens(17, 1, 5), "")
	add("id-v", "An id equal to V is an error.", "GPT-7", "id-range", m, idsOf([]int64{1, 17, 2}, 1, 3), "index")
	add("id-negative", "A negative id is an error.", "GPT-7", "id-range", m, idsOf([]int64{1, 2, 3, -1}, 2, 2), "index")
	add("too-long", "More tokens than positions: an error.", "GPT-7", "id-range", m, tokens(17, 1, 13), "position")
	f.cases = append(f.cases, opticksGPT())
	wide := wideModel()
	f.wide = []testCase{{
		name: "wide", comment: "66 of 70 tokens.", clauses: "GPT-1", attrs: wide.allAttrs(nil), consts: wide.weights(), src: args{"ids": tokens(wide.vocab, 1, 66)},
	}}
	return f
}

var _ = register("gpt.loss", gptLossFamily)

func gptLossFamily() family {
	f := family{flags: append(modelFlags[:len(modelFlags):len(modelFlags)], []vector.Flag{
		{Name: "reduction", Bug: "the mean over all targets and not those that count, or a mean of the means of sequences"},
		{Name: "ignore", Bug: "ignored targets count"},
		{Name: "all-ignored", Bug: "0/0 where nothing counts", See: "torch.nn.functional.cross_entropy gives NaN"},
		{Name: "target-range", Bug: "targets are shifted by the op, or one outside the vocabulary is accepted"},
		opticksFlag,
	}...)}
	add := func(name, comment, clauses, flags string, m model, a attrs, at, targets draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: m.allAttrs(a), consts: m.weights(),
			src: args{"ids": at, "targets": targets}})
		return &f.cases[len(f.cases)-1]
	}
	none, mean, sum := attrs{"reduction": "none"}, attrs{"reduction": "mean"}, attrs{"reduction": "sum"}
	m := tiny()
	targets := idsOf([]int64{4, -100, 16, 0, -100, 9, 2, -100}, 2, 4)
	add("none", "One loss a position.", "GPT-8 XE-1", "order positions activation", m, none, tokens(17, 2, 4), tokens(17, 2, 4))
	add("mean", "The mean of all.", "GPT-8 XE-4", "reduction", m, mean, tokens(17, 2, 4), tokens(17, 2, 4))
	add("default", "Without the attribute, the mean.", "GPT-8 XE-4", "reduction", m, nil, tokens(17, 1, 5), tokens(17, 1, 5))
	add("sum", "The sum of all.", "GPT-8 XE-4", "reduction", m, sum, tokens(17, 2, 4), tokens(17, 2, 4))
	add("ignore-none", "Three of eight targets are ignored.", "GPT-8 XE-3", "ignore", m, none, tokens(17, 2, 4), targets)
	add("ignore-mean", "The mean over the five that count, which are not spread evenly over the sequences.", "GPT-8 XE-3 XE-4", "ignore reduction", m,
		mean, tokens(17, 2, 4), targets)
	add("ignore-sum", "The sum of the five that count.", "GPT-8 XE-3 XE-4", "ignore reduction", m, sum, tokens(17, 2, 4), targets)
	add("ignore-0", "ignore_index is a token.", "GPT-8 XE-3", "ignore", m, attrs{"reduction": "mean", "ignore_index": 0}, tokens(17, 1, 5),
		idsOf([]int64{0, 3, 0, 8, 16}, 1, 5))
	add("all-ignored", "All targets are ignored: 0.", "GPT-8 XE-5", "all-ignored", m, mean, tokens(17, 1, 3),
		idsOf([]int64{-100, -100, -100}, 1, 3)).compare = vector.Exact
	f.cases = append(f.cases, testCase{
		name: "all-ignored-after", comment: "A batch without a target that counts, after one that has some.", clauses: "GPT-8 XE-5", flags: "all-ignored",
		attrs: m.allAttrs(mean), consts: m.weights(), steps: []step{
			{src: args{"ids": tokens(17, 1, 3), "targets": tokens(17, 1, 3)}},
			{src: args{"ids": tokens(17, 1, 3), "targets": idsOf([]int64{-100, -100, -100}, 1, 3)}},
		},
	})
	add("vaswani", "The original Transformer's decoder.", "GPT-6 GPT-8", "order positions embedding-scale tied", vaswani(), none, tokens(17, 1, 6),
		tokens(17, 1, 6))
	add("banded", "Dense and banded layers, grouped heads.", "GPT-4 GPT-8", "windows heads", banded(), none, tokens(19, 1, 9), tokens(19, 1, 9))
	add("eps", "eps = 1e-3.", "GPT-1 GPT-8", "eps", m.with(attrs{"eps": 1e-3}), none, tokens(17, 1, 5), tokens(17, 1, 5))
	add("target-v", "A target equal to V is an error.", "GPT-8 XE-6", "target-range", m, mean, tokens(17, 1, 2), idsOf([]int64{3, 17}, 1, 2)).err = "index"
	add("id-v", "An id equal to V is an error, also where its target is ignored.", "GPT-7 GPT-8", "target-range", m, mean,
		idsOf([]int64{3, 17}, 1, 2), idsOf([]int64{3, -100}, 1, 2)).err = "index"
	f.cases = append(f.cases, opticksLoss())
	wide := wideModel()
	f.wide = []testCase{{
		name: "wide", comment: "66 of 70 tokens.", clauses: "GPT-8", attrs: wide.allAttrs(attrs{"reduction": "none"}), consts: wide.weights(),
		src: args{"ids": tokens(wide.vocab, 1, 66), "targets": tokens(wide.vocab, 1, 66)},
	}}
	return f
}

var _ = register("gpt.loss.grad", gptLossGradFamily)

func gptLossGradFamily() family {
	f := family{flags: []vector.Flag{
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
	wide := wideModel()
	f.wide = []testCase{{
		name: "wide", comment: "66 of 70 tokens.", clauses: "GRAD-30 GRAD-31", attrs: wide.allAttrs(attrs{"reduction": "sum"}), consts: wide.weights(),
		src: args{"ids": tokens(wide.vocab, 1, 66), "targets": tokens(wide.vocab, 1, 66), "dloss": floats([]float64{0.25})},
	}}
	return f
}

var _ = register("gpt.cached", gptCachedFamily)

func gptCachedFamily() family {
	f := family{flags: append([]vector.Flag{modelFlags[1], opticksFlag}, cacheFlags...)}
	add := func(name, comment, clauses, flags string, m model, capacity int, steps ...step) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags,
			attrs: m.allAttrs(attrs{"capacity": capacity}), consts: m.weights(), steps: steps})
	}
	one := func(pos int, at ...int64) step {
		return step{src: args{"ids": idsOf(at, 1, len(at)), "pos": scalar(int64(pos))}}
	}
	batch := func(pos, rows int, at ...int64) step {
		return step{src: args{"ids": idsOf(at, rows, len(at)/rows), "pos": scalar(int64(pos))}}
	}
	beam := func(s step, order ...int64) step {
		s.src = s.src.with("beam_idx", ids(order...))
		return s
	}
	fails := func(kind string, s step) step {
		s.err = kind
		return s
	}
	text := []int64{3, 14, 1, 5, 9, 2, 6, 5}
	var tokenwise []step
	for i, id := range text {
		tokenwise = append(tokenwise, one(i, id))
	}
	m := tiny()
	add("prefill", "One step.", "GPT-9 KV-1", "append", m, 12, one(0, text...))
	add("tokenwise", "One token at a time.", "GPT-9 KV-2", "append positions", m, 12, tokenwise...)
	add("prefill-then-tokenwise", "The same tokens at once, and again one at a time: equal logits.", "GPT-9 KV-2 KV-3", "append rewind", m, 12,
		append([]step{one(0, text...)}, tokenwise...)...)
	add("append-many", "Steps of 3, 1 and 4 tokens.", "GPT-9 KV-2", "append positions", m, 12, one(0, text[:3]...), one(3, text[3]), one(4, text[4:]...))
	add("batch", "Two sequences.", "GPT-9", "append", m, 12, batch(0, 2, 3, 1, 4, 9, 2, 6), batch(3, 2, 5, 8), batch(4, 2, 1, 0, 16, 7))
	add("rewind", "Two tokens are taken back and others come.", "GPT-9 KV-3", "rewind", m, 12, one(0, 3, 14, 1, 5, 9), one(3, 2, 6), one(5, 5),
		one(0, 8, 9), one(2, 7))
	add("beam", "Sequences are exchanged and duplicated.", "GPT-9 KV-4", "beam", m, 12,
		batch(0, 3, 3, 1, 4, 1, 5, 9), beam(batch(2, 3, 2, 6, 5), 2, 0, 1), beam(batch(3, 3, 3, 5, 8), 1, 1, 0), batch(4, 3, 9, 7, 9))
	add("beam-rewind", "A reorder and a rewind in one step.", "GPT-9 KV-3 KV-4", "beam rewind", m, 12,
		batch(0, 2, 3, 1, 4, 9, 2, 6), beam(batch(1, 2, 5, 7, 8, 8), 1, 0), batch(3, 2, 2, 1))
	add("capacity-exact", "Filling the cache to the last entry.", "GPT-9 KV-7", "capacity", m, 5, one(0, 3, 1, 4), one(3, 1, 5))
	add("capacity-error", "One token too many: an error, and the state is what it was.", "GPT-9 GPT-10 KV-7", "capacity state-after-error", m, 4,
		one(0, 3, 1, 4), fails("capacity", one(3, 1, 5)), one(3, 9))
	add("position-error", "Positions beyond the length, and negative: errors, and the state is what it was.", "GPT-9 GPT-10 KV-6", "state-after-error", m, 12,
		one(0, 3, 1), fails("position", one(3, 4)), one(2, 1), fails("position", one(-1, 5)), one(3, 9))
	add("id-error", "An id outside the vocabulary in the second row: an error, and the state of both is what it was.", "GPT-7 GPT-10",
		"state-after-error", m, 12,
		batch(0, 2, 3, 1, 4, 1), fails("index", batch(2, 2, 5, 17)), batch(2, 2, 9, 2), fails("index", batch(3, 2, -1, 2)), batch(3, 2, 6, 5))
	add("beam-error", "A beam index outside the batch: an error, and the order is what it was.", "GPT-10 KV-8", "state-after-error beam", m, 12,
		batch(0, 2, 3, 1, 4, 1), fails("index", beam(batch(2, 2, 5, 9), 0, 2)), batch(2, 2, 9, 2))
	add("reorder-undone", "An error in a step that also reorders leaves the order as it was.", "GPT-10 KV-6", "state-after-error beam", m, 12,
		batch(0, 2, 3, 1, 4, 1), fails("position", beam(batch(3, 2, 5, 9), 1, 1)), fails("index", beam(batch(2, 2, 5, 99), 1, 0)), batch(2, 2, 9, 2))
	add("vaswani", "The original Transformer's decoder: sinusoids at the positions of the sequence.", "GPT-6 GPT-9", "positions append", vaswani(), 9,
		one(0, 3, 14, 1), one(3, 5), one(4, 9, 2))
	add("banded", "Dense and banded layers, grouped heads.", "GPT-4 GPT-9 KV-5", "window groups append", banded(), 12, one(0, 3, 14, 1, 5, 9),
		one(5, 2), one(6, 6, 18), one(8, 3))
	add("no-positions", "Without positions, a capacity of its own.", "GPT-3 GPT-9", "positions append", m.with(attrs{"positions": "none"}), 40,
		one(0, 3, 14, 1), one(3, 5), one(4, 9))
	f.cases = append(f.cases, opticksCached())
	wide := wideModel()
	grown := func(n, pos int) step {
		return step{src: args{"ids": tokens(wide.vocab, 1, n), "pos": scalar(int64(pos))}}
	}
	f.wide = []testCase{{
		name: "wide", comment: "A step to the edge of a page, one across it, and one position.", clauses: "GPT-9 KV-1",
		attrs: wide.allAttrs(attrs{"capacity": wide.context}), consts: wide.weights(), steps: []step{grown(63, 0), grown(2, 63), grown(1, 65)},
	}}
	return f
}
