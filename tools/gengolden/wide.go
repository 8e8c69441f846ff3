package main

import (
	"github.com/assaykit/assay/conformance/vector"
)

// Beyond a block. Most cases are small, so that each can be seen through, and a kernel whose tiles, pages or pieces of work have 64
// elements never meets the second of them there. Each op has cases in which every length passes 64: one element more than a block at
// least, so that what comes after the first block, and the rest that does not fill one, are there. A test holds all ops to it.

var wideFlag = vector.Flag{Name: "wide", Bug: "what lies beyond the first 64 of a dimension is left out, or taken from another block, tile, page or worker"}

// wideSamples is how many elements of a result are stored of a wide case, and wideWhole up to how many all are.
const (
	wideSamples = 256
	wideWhole   = 512
)

// widened adds the wide cases to the families of their ops.
func widened(families []family) []family {
	wide := map[string][]testCase{}
	for _, group := range []map[string][]testCase{wideRows(), wideProducts(), wideAttention(), wideModels(), wideDecoding()} {
		for name, cases := range group {
			wide[name] = append(wide[name], cases...)
		}
	}
	for i := range families {
		f := &families[i]
		if len(wide[f.op]) == 0 {
			continue
		}
		f.flags = append(f.flags[:len(f.flags):len(f.flags)], wideFlag)
		for _, c := range wide[f.op] {
			c.flags, c.whole = "wide", wideWhole
			if c.samples == nil {
				c.samples = func(shape []int) []int64 { return tiles(shape, wideSamples) }
			}
			f.cases = append(f.cases, c)
		}
		delete(wide, f.op)
	}
	for name := range wide {
		panic("wide cases of " + name + ", which is no op")
	}
	return families
}

// wideRows are the ops that work row by row or element by element: many rows.
func wideRows() map[string][]testCase {
	x := func(shape ...int) args { return args{"x": sum4(2, shape...)} }
	grad := func(shape ...int) args {
		return args{"x": sum4(2, shape...), "dy": recipe("sum4", sqrt3, 0.3, shape...)}
	}
	rows := func(clauses string, src args) []testCase {
		return []testCase{{name: "rows-130", comment: "130 rows.", clauses: clauses, src: src}}
	}
	table := func() args { return args{"table": sum4(1, 70, 130)} }
	return map[string][]testCase{
		"softmax":          rows("SM-1", x(130, 5)),
		"log_softmax":      rows("SM-6", x(130, 5)),
		"softmax.grad":     rows("GRAD-5", grad(130, 5)),
		"log_softmax.grad": rows("GRAD-6", grad(130, 5)),
		"layernorm":        {{name: "rows-130", comment: "130 rows.", clauses: "LN-1", consts: wideNorm(5), src: x(130, 5)}},
		"embedding": {{name: "rows-130", comment: "130 rows of 130 elements.", clauses: "EMB-1", consts: table(), src: args{"ids": tokens(70, 130)},
			compare: vector.Exact}},
		"learned_positions": {{name: "rows-130", comment: "130 rows of 130 elements.", clauses: "PE-4", consts: table(), src: args{"pos": tokens(70, 130)},
			compare: vector.Exact}},
		"embedding.grad": {{name: "rows-130", comment: "130 rows of 130 elements, each id about twice.", clauses: "GRAD-15", consts: table(),
			src: args{"ids": tokens(70, 130), "dy": sum4(1, 130, 130)}}},
		"sinusoidal_positions": {{name: "rows-130", comment: "130 positions.", clauses: "PE-1 PE-3", attrs: attrs{"d_model": 6}, src: args{"pos": tokens(3000, 130)}}},
		"cross_entropy": {{name: "rows-130", comment: "130 rows, each with its loss.", clauses: "XE-1", attrs: attrs{"reduction": "none"},
			src: args{"logits": sum4(2, 130, 5), "targets": tokens(5, 130)}}},
		"cross_entropy.grad": {{name: "rows-130", comment: "130 rows, the mean.", clauses: "GRAD-26 GRAD-28",
			src: args{"logits": sum4(2, 130, 5), "targets": tokens(5, 130), "dloss": floats([]float64{100})}}},
		"clip_value": {{name: "n-257", comment: "257 elements.", clauses: "CLIP-5", attrs: attrs{"limit": 0.75}, src: args{"g": sum4(1, 257)},
			compare: vector.Exact}},
		"learning_rate": {{name: "n-70", comment: "70 steps.", clauses: "LR-3", attrs: attrs{"schedule": "warmup_cosine", "warmup": 10, "total": 66}, src: args{"t": idsOf(counting(70), 70)}}},
	}
}

// wideProducts are matrix products and the layers made of them.
func wideProducts() map[string][]testCase {
	const rows, in, out = 130, 66, 70
	linear := func() args { return args{"w": sum4(0.125, in, out), "b": sum4(0.5, out)} }
	l := wideLayer()
	return map[string][]testCase{
		"init":   {{name: "wide", comment: "66 by 66.", clauses: "INIT-1 INIT-4", attrs: attrs{"scheme": "xavier_uniform"}, src: args{"draws": draws(66*66).shaped(66, 66)}}},
		"linear": {{name: "rows-130", comment: "130 rows of 66 to 70.", clauses: "LIN-1 LIN-2", consts: linear(), src: args{"x": sum4(1, rows, in)}}},
		"linear.grad": {{name: "rows-130", comment: "130 rows of 66 to 70.", clauses: "GRAD-4", consts: linear(),
			src: args{"x": sum4(1, rows, in), "dy": sum4(1, rows, out)}}},
		"matmul": {{name: "batch-70", comment: "70 products.", clauses: "MM-1", src: args{"a": sum4(1, 70, 2, 3), "b": sum4(1, 70, 3, 2)}}},
		"matmul.grad": {{name: "batch-70", comment: "70 products.", clauses: "GRAD-3",
			src: args{"a": sum4(1, 70, 2, 3), "b": sum4(1, 70, 3, 2), "dc": sum4(1, 70, 2, 2)}}, {name: "m130-k66-n70", comment: "130 x 66 times 66 x 70.", clauses: "GRAD-3",
			src: args{"a": sum4(1, rows, in), "b": sum4(1, in, out), "dc": sum4(1, rows, out)}}},
		"ffn": {{name: "rows-130", comment: "130 rows of 66, 70 hidden elements.", clauses: "FFN-1", consts: l.weights().only(feedForward),
			src: args{"x": sum4(1, rows, l.d)}}},
		"ffn.grad": {{name: "rows-130", comment: "130 rows of 66, 70 hidden elements.", clauses: "GRAD-24", consts: l.weights().only(feedForward),
			src: args{"x": sum4(1, rows, l.d), "dy": recipe("sum4", sqrt3, 0.3, rows, l.d)}}},
	}
}

// wideAttention has more than 64 positions in heads of 66 elements, and the layers around it.
func wideAttention() map[string][]testCase {
	const seqLen, headDim = 70, 66
	l := wideLayer()
	qkv := func(heads, kvHeads, queries, keys int) args {
		return args{"q": sum4(1, 1, heads, queries, headDim), "k": sum4(1, 1, kvHeads, keys, headDim), "v": sum4(1, 1, kvHeads, keys, headDim)}
	}
	cached := func(n, pos int) step { return step{src: qkv(2, 1, n, n).with("pos", scalar(int64(pos)))} }
	causal := attrs{"causal": true}
	layerAttrs := attrs{"heads": l.heads, "causal": true}
	blockAttrs := attrs{"heads": l.heads, "causal": true, "norm": "pre"}
	x := func() args { return args{"x": sum4(1, 1, seqLen, l.d)} }
	grad := func() args { return x().with("dy", recipe("sum4", sqrt3, 0.3, 1, seqLen, l.d)) }
	const comment = "70 positions of 66 elements, two heads, causal."
	return map[string][]testCase{
		"attention.scores": {{name: "wide", comment: "70 queries over 130 keys of 66 elements.", clauses: "ATT-10", attrs: attrs{"causal": true, "stage": "weights"},
			src: args{"q": sum4(1, 1, 1, seqLen, headDim), "k": sum4(1, 1, 1, 130, headDim)}}},
		"attention.grad": {{name: "wide", comment: "70 positions of 66 elements, two query heads over one.", clauses: "GRAD-17 GRAD-18", attrs: causal,
			src: qkv(2, 1, seqLen, seqLen).with("dout", recipe("sum4", sqrt3, 1, 1, 2, seqLen, headDim))}},
		"attention.cached": {{name: "wide", comment: "131 positions of 66 elements: a step to the edge of a page, one across it, one position, and many.",
			clauses: "KV-1 KV-2", attrs: attrs{"capacity": 200}, steps: []step{cached(63, 0), cached(2, 63), cached(1, 65), cached(64, 66), cached(1, 130)}}},
		"mha":        {{name: "wide", comment: comment, clauses: "MHA-1 MHA-5", attrs: layerAttrs, consts: l.weights().only(projections), src: x()}},
		"mha.grad":   {{name: "wide", comment: comment, clauses: "GRAD-22", attrs: layerAttrs, consts: l.weights().only(projections), src: grad()}},
		"block":      {{name: "wide", comment: comment, clauses: "BLK-1", attrs: blockAttrs, consts: l.weights(), src: x()}},
		"block.grad": {{name: "wide", comment: comment, clauses: "GRAD-25", attrs: blockAttrs, consts: l.weights(), src: grad()}},
	}
}

// wideModels are whole models on 66 tokens of a vocabulary of 70.
func wideModels() map[string][]testCase {
	const seqLen = 66
	m := wideModel()
	at := func(shape ...int) draw { return tokens(m.vocab, shape...) }
	cached := func(n, pos int) step { return step{src: args{"ids": at(1, n), "pos": scalar(int64(pos))}} }
	batch := func() step { return step{src: args{"ids": at(1, 1, seqLen), "targets": at(1, 1, seqLen)}} }
	return map[string][]testCase{
		"gpt": {{name: "wide", comment: "66 of 70 tokens.", clauses: "GPT-1", attrs: m.allAttrs(nil), consts: m.weights(), src: args{"ids": at(1, seqLen)}}},
		"gpt.loss": {{name: "wide", comment: "66 of 70 tokens.", clauses: "GPT-8", attrs: m.allAttrs(attrs{"reduction": "none"}), consts: m.weights(),
			src: args{"ids": at(1, seqLen), "targets": at(1, seqLen)}}},
		"gpt.cached": {{name: "wide", comment: "A step to the edge of a page, one across it, and one position.", clauses: "GPT-9 KV-1",
			attrs: m.allAttrs(attrs{"capacity": m.context}), consts: m.weights(), steps: []step{cached(63, 0), cached(2, 63), cached(1, 65)}}},
		"gpt.loss.grad": {{name: "wide", comment: "66 of 70 tokens.", clauses: "GRAD-30 GRAD-31", attrs: m.allAttrs(attrs{"reduction": "sum"}),
			consts: m.weights(), src: args{"ids": at(1, seqLen), "targets": at(1, seqLen), "dloss": floats([]float64{0.25})}}},
		"gpt.train": {{name: "wide", comment: "Two steps on 66 of 70 tokens.", clauses: "TRAIN-1 TRAIN-2 TRAIN-3 TRAIN-6",
			attrs: m.with(trainingAttrs).allAttrs(attrs{"max_norm": 1}), consts: m.weights(), steps: []step{batch(), batch()}}},
	}
}

// wideDecoding chooses among more than 64 tokens, in more than 64 rows, behind more than 64 tokens.
func wideDecoding() map[string][]testCase {
	m := wideModel()
	m.untied = true
	prompt := func() args { return args{"prompt": tokens(m.vocab, 1, 65)} }
	rows := func() args { return args{"logits": logits(130, 5)} }
	generate := func(name, comment string, a attrs, src args) testCase {
		return testCase{name: name, comment: comment, clauses: "DEC-26", attrs: m.allAttrs(a), consts: m.weights(), src: src}
	}
	return map[string][]testCase{
		"greedy": {{name: "rows-130", comment: "130 rows.", clauses: "DEC-4", src: rows(), compare: vector.Exact}},
		"distribution": {{name: "rows-130", comment: "130 rows, of which three tokens are left.", clauses: "DEC-5 DEC-8", attrs: attrs{"top_k": 3},
			src: args{"logits": steps(0.5, 130, 5)}}},
		"sample": {{name: "rows-130", comment: "130 rows.", clauses: "DEC-12", src: rows().with("draws", draws(130))}},
		"beam_search": {{name: "wide", comment: "Four beams among 130 tokens.", clauses: "DEC-18", attrs: attrs{"beams": 4, "max_length": 4},
			src: machine(5, 130, 2)}},
		"gpt.generate": {
			generate("wide", "Three tokens after 65, of 70.", attrs{"max_new": 3}, prompt()),
			generate("wide-beams", "Two beams, three tokens after 65.", attrs{"strategy": "beam", "beams": 2, "max_new": 3}, prompt()),
		},
	}
}
