package main

import (
	"github.com/assaykit/assay/conformance/vector"
)

// micro is a model so small that the parameters of many steps can be stored.
func micro() model {
	return model{layer: layer{d: 4, heads: 2, headDim: 2, ffn: 6}, vocab: 7, context: 5, layers: 1, attrs: attrs{}}
}

// trainingAttrs are attributes that most cases share: gradients are neither far above adam_eps, where a step is only their sign, nor far below.
var trainingAttrs = attrs{"lr": 0.0625, "adam_eps": 0.0625, "beta2": 0.99}

var _ = register("gpt.train", gptTrainFamily)

func gptTrainFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "order", Bug: "the loss or the norm is that after the step, gradients are of the new parameters, or clipping comes after Adam"},
		{Name: "state", Bug: "parameters, moments or t are not kept, or one parameter's moments serve another"},
		{Name: "accumulation", Bug: "a mean of the means of micro-batches, the gradient of the last one, or a step for each"},
		{Name: "ignore", Bug: "ignored targets count, in the loss or in the gradient"},
		{Name: "all-ignored", Bug: "0/0 where nothing counts, or a step that is skipped"},
		{Name: "clip", Bug: "a norm for each tensor, no clipping, clipping where none is asked for, or the norm after it"},
		{Name: "rate", Bug: "the rate of step t + 1, or a constant one"},
		{Name: "bias-correction", Bug: "the correction of step t, not t + 1: a division by 0 in the first step"},
		{Name: "decay", Bug: "decay that is missing, coupled for decoupled or the other way round"},
		{Name: "no-decay", Bug: "biases, norms or embeddings decay, or matrices do not"},
		{Name: "tied", Bug: "the gradient of one of the two uses of a tied embedding is lost"},
		{Name: "model", Bug: "another architecture than the attributes say"},
		{Name: "eps", Bug: "one eps for normalizations and Adam"},
		{Name: "state-after-error", Bug: "a failed step leaves moments, parameters or t changed"},
		{Name: "not-finite", Bug: "NaN or infinite gradients are stepped along"},
		{Name: "attributes", Bug: "attributes out of range are accepted"},
		{Name: "trajectory", Bug: "errors too small for one step that add up over twenty"},
	}}
	add := func(name, comment, clauses, flags string, m model, a attrs, steps ...step) *testCase {
		all := m.with(trainingAttrs).with(a)
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: all.allAttrs(nil), consts: m.weights(),
			steps: steps})
		return &f.cases[len(f.cases)-1]
	}
	batch := func(ids, targets draw) step { return step{src: args{"ids": ids, "targets": targets}} }
	drawn := func(n int, shape ...int) []step {
		steps := make([]step, n)
		for i := range steps {
			steps[i] = batch(tokens(7, shape...), tokens(7, shape...))
		}
		return steps
	}
	fails := func(kind string, s step) step {
		s.err = kind
		return s
	}
	m := micro()
	text := []int64{3, 1, 4, 1, 5, 2, 6, 0}
	next := []int64{1, 4, 1, 5, 2, 6, 0, 3}

	add("one-step", "One step on one sequence.", "TRAIN-1 TRAIN-2 TRAIN-3 TRAIN-6", "order bias-correction", m, nil, drawn(1, 1, 1, 4)...)
	add("three-steps", "Three steps on two sequences.", "TRAIN-3 TRAIN-6", "order state bias-correction", m, nil, drawn(3, 1, 2, 4)...)
	add("same-batch", "The same batch twice: the loss falls.", "TRAIN-3", "order state", m, nil, batch(idsOf(text, 1, 2, 4), idsOf(next, 1, 2, 4)),
		batch(idsOf(text, 1, 2, 4), idsOf(next, 1, 2, 4)))
	add("whole-batch", "Two sequences as one batch.", "TRAIN-1", "accumulation", m, nil, batch(idsOf(text, 1, 2, 4), idsOf(next, 1, 2, 4)))
	add("micro-batches", "Two sequences as two micro-batches.", "TRAIN-1", "accumulation", m, nil, batch(idsOf(text, 2, 1, 4), idsOf(next, 2, 1, 4)))
	uneven := []int64{1, 4, 1, 5, -100, -100, 0, -100, -100, -100, -100, -100, 2, -100, 3, 6}
	add("uneven-ignored", "Micro-batches that ignore none, three, all and one of their four targets.", "TRAIN-1 XE-3 XE-4", "accumulation ignore", m, nil,
		batch(tokens(7, 4, 1, 4), idsOf(uneven, 4, 1, 4)), batch(tokens(7, 2, 2, 4), idsOf(uneven, 2, 2, 4)))
	add("ignore-0", "ignore_index is a token.", "TRAIN-1 XE-3", "ignore", m, attrs{"ignore_index": 0},
		batch(tokens(7, 1, 2, 3), idsOf([]int64{0, 3, 5, 2, 0, 0}, 1, 2, 3)))
	none := idsOf([]int64{-100, -100, -100, -100}, 1, 1, 4)
	add("all-ignored", "A batch without a target that counts, between others: moments and parameters decay, and t goes on.", "TRAIN-8 XE-5",
		"all-ignored state", m, attrs{"schedule": "exponential", "gamma": 0.5, "weight_decay": 0.5, "decoupled": true, "no_decay": []string{}},
		batch(tokens(7, 1, 1, 4), tokens(7, 1, 1, 4)), batch(tokens(7, 1, 1, 4), none), batch(tokens(7, 1, 1, 4), tokens(7, 1, 1, 4)))
	add("all-ignored-first", "A first batch without a target: nothing moves, but t.", "TRAIN-8", "all-ignored bias-correction", m, nil,
		batch(tokens(7, 1, 1, 4), none), batch(tokens(7, 1, 1, 4), tokens(7, 1, 1, 4)))
	add("repeated", "One token five times: the gradients of its uses add.", "TRAIN-2", "tied", m, nil,
		batch(idsOf([]int64{2, 2, 2, 2, 2}, 1, 1, 5), idsOf([]int64{2, 2, 2, 2, 5}, 1, 1, 5)))

	add("clip", "A norm above the limit.", "TRAIN-4 CLIP-1", "clip order", m, attrs{"max_norm": 0.125}, drawn(1, 1, 1, 4)...)
	add("clip-some", "A limit between the norms of two batches.", "TRAIN-4 CLIP-2", "clip", m, attrs{"max_norm": 1.5}, drawn(3, 1, 1, 4)...)
	add("clip-inactive", "A limit far above the norm.", "TRAIN-4 CLIP-2", "clip", m, attrs{"max_norm": 1000}, drawn(1, 1, 2, 4)...)
	add("warmup", "A warmup whose first rate is 0: the first step moves nothing, and fills the moments.", "TRAIN-5 LR-2 LR-3", "rate", m,
		attrs{"schedule": "warmup_cosine", "lr": 0.125, "min_lr": 0.0125, "warmup": 2, "total": 3}, drawn(4, 1, 1, 3)...)
	add("inverse-sqrt", "The original Transformer's schedule.", "TRAIN-5 LR-6", "rate", m, attrs{"schedule": "inverse_sqrt", "warmup": 2}, drawn(3, 1, 1, 3)...)

	wd := attrs{"weight_decay": 0.5}
	with := func(a attrs, name string, value any) attrs {
		b := attrs{name: value}
		for k, v := range a {
			b[k] = v
		}
		return b
	}
	adamw := with(wd, "decoupled", true)
	add("coupled", "Weight decay in the gradient of matrices and embeddings.", "TRAIN-6 TRAIN-7 OPT-4", "decay no-decay", m, wd, drawn(1, 1, 1, 4)...)
	add("decoupled", "AdamW, for matrices and embeddings.", "TRAIN-6 TRAIN-7 OPT-5", "decay no-decay", m, adamw, drawn(1, 1, 1, 4)...)
	add("decay-all", "AdamW for all parameters.", "TRAIN-7", "no-decay", m, with(adamw, "no_decay", []string{}), drawn(1, 1, 1, 4)...)
	add("decay-matrices", "AdamW for matrices only: tied embeddings do not decay.", "TRAIN-7", "no-decay tied", m,
		with(adamw, "no_decay", []string{"norms", "embeddings", "biases"}), drawn(1, 1, 1, 4)...)
	add("decay-biases", "All but the norms decay.", "TRAIN-7", "no-decay", m, with(wd, "no_decay", []string{"norms"}), drawn(1, 1, 1, 4)...)
	add("clip-decay", "Decay in the gradient is not clipped: the norm is that of the loss' gradient.", "TRAIN-3 TRAIN-4 TRAIN-6", "clip decay order", m,
		with(wd, "max_norm", 0.25), drawn(1, 1, 1, 4)...)

	untied := micro()
	untied.untied = true
	add("untied", "An output matrix of its own, which decays though embeddings do not.", "TRAIN-2 TRAIN-7 GPT-5", "tied no-decay", untied,
		with(adamw, "no_decay", []string{"embeddings"}), drawn(1, 1, 1, 4)...)
	post := micro()
	post.attrs, post.untied = attrs{"norm": "post", "activation": "relu", "positions": "sinusoidal", "scale_embedding": true}, true
	add("vaswani", "The original Transformer's decoder.", "TRAIN-2 GPT-2 GPT-3 GPT-6", "model tied", post, nil, drawn(1, 1, 1, 4)...)
	add("post-tied", "Post-norm, tied, with learned positions.", "TRAIN-2 GPT-5 GPT-6", "model tied", m.with(attrs{"norm": "post"}), nil, drawn(1, 1, 1, 4)...)
	deep := model{layer: layer{d: 4, heads: 4, kvHeads: 2, headDim: 2, ffn: 5}, vocab: 7, context: 5, layers: 2, attrs: attrs{"windows": []int{0, 2},
		"activation": "gelu_tanh", "positions": "none"}}
	add("two-layers", "Two layers, the second banded; grouped heads that do not fill the model.", "TRAIN-2 GPT-4 MHA-3 MHA-4", "model state", deep,
		attrs{"max_norm": 1}, drawn(2, 2, 1, 5)...)
	add("eps", "eps = 1e-2 in normalizations, 1e-3 in Adam.", "TRAIN-6 LN-3", "eps", m, attrs{"eps": 0.01, "adam_eps": 0.001}, drawn(1, 1, 1, 4)...)
	keys := m.weights()
	keys["bk"] = m.around(2, 0.5, 1, 4)
	add("defaults", "The defaults of Adam: steps are lr times the sign. What rounding makes of the gradient of bk, 0 in exact arithmetic, moves it too, "+
		"by up to lr: bk is so large that its bound still says something.",
		"TRAIN-5 TRAIN-6", "eps rate", m, attrs{"lr": 0.001, "adam_eps": 1e-8, "beta2": 0.999}, drawn(2, 1, 2, 4)...).consts = keys

	good := func() step { return batch(tokens(7, 1, 1, 4), tokens(7, 1, 1, 4)) }
	add("id-error", "Ids and targets outside the vocabulary, in the last micro-batch: errors, and the next step is as if they had not been.",
		"TRAIN-9 TRAIN-10 GPT-7 XE-6", "state-after-error", m, attrs{"schedule": "exponential", "gamma": 0.5}, good(),
		fails("index", batch(idsOf([]int64{1, 2, 3, 7}, 2, 1, 2), tokens(7, 2, 1, 2))), fails("index", batch(tokens(7, 2, 1, 2), idsOf([]int64{1, 2, 3, -1}, 2, 1, 2))),
		good())
	add("too-long", "More tokens than positions: an error.", "TRAIN-9 TRAIN-10 GPT-7", "state-after-error", m, nil,
		fails("position", batch(tokens(7, 1, 1, 6), tokens(7, 1, 1, 6))), good())
	inf1 := m.weights()
	inf1["b2"] = m.normal(0.2, 1, 4).set(inf, 1)
	add("not-finite", "A parameter is infinite: the norm is not a number, which is an error also without clipping.", "TRAIN-9", "not-finite", m, nil,
		fails("number", good())).consts = inf1
	add("beta2-1", "beta2 = 1 is an error.", "TRAIN-6", "attributes", m, attrs{"beta2": 1}, fails("attributes", good()))
	add("no-group", "A group that does not exist is an error.", "TRAIN-7", "attributes", m, attrs{"no_decay": []string{"bias"}}, fails("attributes", good()))
	small := model{layer: layer{d: 4, heads: 1, headDim: 4, ffn: 4}, vocab: 6, context: 4, layers: 1, attrs: attrs{}}
	var walk []step
	for range 20 {
		walk = append(walk, batch(tokens(6, 1, 2, 4), tokens(6, 1, 2, 4)))
	}
	add("trajectory", "Twenty steps of AdamW with clipping, warmup and a cosine.", "TRAIN-3 TRAIN-4 TRAIN-5 TRAIN-6", "trajectory state rate", small,
		attrs{"schedule": "warmup_cosine", "lr": 0.03125, "min_lr": 0.003125, "warmup": 4, "warmup_offset": 1, "total": 20, "max_norm": 1, "weight_decay": 0.1,
			"decoupled": true, "adam_eps": 0.001}, walk...)
	wide := wideModel().with(trainingAttrs)
	f.wide = []testCase{{
		name: "wide", comment: "Two steps on 66 of 70 tokens.", clauses: "TRAIN-1 TRAIN-2 TRAIN-3 TRAIN-6", attrs: wide.allAttrs(attrs{"max_norm": 1}),
		consts: wide.weights(), steps: twice(func() args { return args{"ids": tokens(wide.vocab, 1, 1, 66), "targets": tokens(wide.vocab, 1, 1, 66)} }),
	}}
	return f
}
