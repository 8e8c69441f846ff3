package main

import (
	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("gpt.generate", generateFamily)

func generateFamily() family {
	f := family{flags: append([]vector.Flag{modelFlags[1], beamFlags[0], beamFlags[3], beamFlags[4], beamFlags[6], beamFlags[10], beamFlags[11]}, []vector.Flag{
		{Name: "greedy", Bug: "tokens are sampled, or chosen from the logits of another position"},
		{Name: "sample", Bug: "draws are used in another order, or those of another batch item; parameters do not reach sampling"},
		{Name: "cache", Bug: "a cache gives other logits than the whole sequence: positions, windows, or entries of another beam"},
		{Name: "prompt", Bug: "the prompt comes back with the new tokens, or counts in their length"},
		{Name: "start", Bug: "without a prompt there is none, or the start token is a result, or ends the sequence"},
		{Name: "end", Bug: "generation goes on behind the end, or the end is not part of the sequence"},
		{Name: "prompt-end", Bug: "a token in the prompt that would end a sequence ends it"},
		{Name: "score", Bug: "scores are those after temperature, top-k and top-p, or miss a token"},
		{Name: "context", Bug: "positions run past the table, or the last token is refused a place that it does not need"},
		{Name: "arguments", Bug: "contradictory parameters or ids outside the vocabulary are accepted"},
	}...)}
	add := func(name, comment, clauses, flags string, m model, a attrs, src args) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: m.allAttrs(a), consts: m.weights(), src: src})
		return &f.cases[len(f.cases)-1]
	}
	prompt := func(at ...int64) args { return args{"prompt": idsOf(at, 1, len(at))} }
	greedy := func(n int, end ...int) attrs { return attrs{"max_new": n, "end": end} }
	sampling := func(n int, more attrs, end ...int) attrs {
		a := attrs{"strategy": "sample", "max_new": n, "end": end}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	beam := func(form string, beams, n int, more attrs, end ...int) attrs {
		a := attrs{"strategy": "beam", "form": form, "beams": beams, "max_new": n, "end": end}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	with := func(src args, rows, n int) args {
		return src.with("draws", draws(rows*n).shaped(rows, n))
	}
	m := tiny()
	m.untied = true // tied, a model without training repeats its last token
	add("greedy", "Six tokens after three.", "DEC-26 DEC-27 DEC-29", "greedy cache prompt score", m, greedy(6), prompt(3, 14, 1))
	add("greedy-batch", "Two prompts.", "DEC-26 DEC-28", "greedy batch", m, greedy(5), args{"prompt": idsOf([]int64{3, 14, 1, 5, 9, 2}, 2, 3)})
	add("greedy-one", "One token after one.", "DEC-26", "greedy positions", m, greedy(1), prompt(16))
	add("greedy-vaswani", "The original Transformer's decoder.", "DEC-26", "greedy positions cache", vaswani(), greedy(7), prompt(3, 14))
	add("greedy-banded", "Dense and banded layers, grouped heads: longer than the window.", "DEC-26", "greedy cache", banded(), greedy(5), prompt(3, 14, 1, 5))
	ties := add("greedy-ties", "A model whose logits are all 0: the first token, each time.", "DEC-4 DEC-26 DEC-29", "greedy", m, greedy(3), prompt(3, 14))
	ties.consts, ties.settled = m.weights().with("w_out", all(0, m.d, m.vocab)), true
	add("start", "Without a prompt: from the start token.", "DEC-27", "start greedy", m, attrs{"max_new": 5, "start": 16}, nil)
	add("end", "The third new token ends.", "DEC-28", "end padding", m, greedy(7, 6), prompt(3, 14, 1))
	add("end-batch", "Two items end after different numbers of tokens.", "DEC-28", "end batch padding", m, greedy(6, 1, 8), args{"prompt": idsOf([]int64{3, 14, 1, 5, 9, 2}, 2, 3)})
	add("prompt-end", "The prompt holds the token that ends.", "DEC-27", "prompt-end", m, greedy(4, 3, 14), prompt(3, 14, 1))
	add("start-is-end", "The start token is the one that ends, as in GPT-2.", "DEC-27", "start prompt-end", m, attrs{"max_new": 5, "start": 8, "end": []int{8}}, nil)
	add("full-context", "The last new token needs no position.", "DEC-30", "context greedy", m, greedy(5), prompt(1, 2, 3, 4, 5, 6, 7, 8))
	add("no-positions", "Without positions a sequence has no end.", "DEC-30", "context positions", m.with(attrs{"positions": "none"}), greedy(12), prompt(3))

	add("sample", "Six draws.", "DEC-12 DEC-26 DEC-29", "sample score", m, sampling(6, nil), with(prompt(3, 14, 1), 1, 6))
	add("sample-batch", "Draws of two items.", "DEC-26", "sample batch", m, sampling(4, nil), with(args{"prompt": idsOf([]int64{3, 14, 3, 14}, 2, 2)}, 2, 4))
	add("sample-chain", "Temperature, top-k and top-p; the score is the model's own.", "DEC-5 DEC-8 DEC-9 DEC-29", "sample score", m,
		sampling(6, attrs{"temperature": 1.4, "top_k": 6, "top_p": 0.85}), with(prompt(5, 2), 1, 6))
	add("sample-cold", "Temperature 0 is greedy, with the model's own score.", "DEC-7 DEC-29", "sample score greedy", m, sampling(4, attrs{"temperature": 0}),
		with(prompt(3, 14, 1), 1, 4))
	add("sample-start", "No prompt, three items.", "DEC-27", "sample start batch", m, sampling(4, attrs{"start": 3}), with(nil, 3, 4))
	add("sample-end", "Items that end.", "DEC-28", "sample end padding", m, sampling(6, nil, 1, 3, 5, 7, 9), with(args{"prompt": idsOf([]int64{3, 14, 5, 2, 8, 8}, 3, 2)}, 3, 6))

	add("beam", "Textbook, three beams.", "DEC-18 DEC-26", "width cache", m, beam("textbook", 3, 5, nil), prompt(3, 14, 1))
	add("beam-end", "Textbook, with tokens that end.", "DEC-18 DEC-28", "width end padding", m, beam("textbook", 4, 5, nil, 2, 7, 11), prompt(3, 14))
	add("beam-one", "One beam.", "DEC-18", "greedy width", m, beam("textbook", 1, 5, nil), prompt(3, 14, 1))
	add("beam-hf", "Hugging Face's, three beams.", "DEC-19 DEC-20 DEC-21", "finish width cache end", m, beam("hf", 3, 6, attrs{"length_penalty": 1}, 6, 9), prompt(3, 14))
	add("beam-hf-gnmt", "GNMT's length penalty; the prompt does not count.", "DEC-20", "length-penalty prompt", m,
		beam("hf", 2, 5, attrs{"length_penalty": 0.8, "penalty": "gnmt"}, 4, 5), prompt(3, 14, 1, 5, 9))
	add("beam-hf-true", "Early stopping.", "DEC-21", "early-stopping finish", m, beam("hf", 2, 8, attrs{"early_stopping": "true", "length_penalty": 1}, 12, 1), prompt(2, 14))
	add("beam-hf-never", "Never.", "DEC-21", "early-stopping finish", m, beam("hf", 2, 8, attrs{"early_stopping": "never", "length_penalty": 1}, 1, 3, 6, 9), prompt(2, 14))
	add("beam-batch", "Two prompts.", "DEC-24 DEC-26", "batch width", m, beam("textbook", 3, 4, nil, 5), args{"prompt": idsOf([]int64{3, 14, 1, 5}, 2, 2)})
	add("beam-banded", "Windows and grouped heads: beams are exchanged beyond the window.", "DEC-18 DEC-26", "cache width", banded(), beam("textbook", 2, 4, nil), prompt(3, 14, 1, 5))
	add("beam-start", "Without a prompt.", "DEC-27", "start width", m, beam("hf", 2, 4, attrs{"start": 0, "length_penalty": 1}, 0), nil)

	wrong := func(name, comment, clauses, flags, kind string, a attrs, src args) {
		add(name, comment, clauses, flags, m, a, src).err = kind
	}
	wrong("context", "One token too many for the positions, though the sequence would end before.", "DEC-30", "context", "position", greedy(6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
		prompt(1, 2, 3, 4, 5, 6, 7, 8))
	wrong("context-beam", "The same with beams.", "DEC-30", "context", "position", beam("textbook", 2, 6, nil), prompt(1, 2, 3, 4, 5, 6, 7, 8))
	wrong("prompt-range", "An id of the prompt outside the vocabulary.", "DEC-31", "arguments", "index", greedy(2), prompt(3, 17))
	wrong("start-range", "A start token outside the vocabulary.", "DEC-31", "arguments start", "index", attrs{"max_new": 2, "start": 17}, nil)
	wrong("start-negative", "A start token below 0.", "DEC-31", "arguments start", "attributes", attrs{"max_new": 2, "start": -1}, nil)
	wrong("draw-range", "A draw of 33 bits.", "DEC-14", "arguments", "index", sampling(2, nil), prompt(3).with("draws", idsOf([]int64{1 << 32, 0}, 1, 2)))
	wrong("no-prompt", "Neither a prompt nor a start token.", "DEC-27", "arguments start", "shape", greedy(2), nil)
	wrong("no-draws", "Sampling without draws.", "DEC-26", "arguments", "shape", sampling(2, nil), prompt(3))
	wrong("greedy-beams", "Beams without beam search.", "DEC-26", "arguments", "attributes", attrs{"max_new": 2, "beams": 3}, prompt(3))
	wrong("greedy-top-k", "A top-k without sampling.", "DEC-26", "arguments", "attributes", attrs{"max_new": 2, "top_k": 3}, prompt(3))
	wide := wideModel()
	wide.untied = true
	behind := args{"prompt": tokens(wide.vocab, 1, 65)}
	f.wide = []testCase{{
		name: "wide", comment: "Three tokens after 65, of 70.", clauses: "DEC-26", attrs: wide.allAttrs(attrs{"max_new": 3}), consts: wide.weights(), src: behind,
	}, {
		name: "wide-beams", comment: "Two beams, three tokens after 65.", clauses: "DEC-26",
		attrs: wide.allAttrs(attrs{"strategy": "beam", "beams": 2, "max_new": 3}), consts: wide.weights(), src: behind,
	}}
	return f
}
