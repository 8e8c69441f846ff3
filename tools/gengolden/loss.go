package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("cross_entropy", crossEntropyFamily)

func crossEntropyFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: one class, one row, lengths around a block's"},
		{Name: "reduction", Bug: "the mean over all rows and not those that count, a sum for a mean, a mean over classes"},
		{Name: "ignore", Bug: "ignored rows count, their targets are used as indices, or their logits leak", See: "0 * NaN in a masked sum"},
		{Name: "all-ignored", Bug: "0/0 where nothing counts", See: "torch.nn.functional.cross_entropy gives NaN"},
		{Name: "shift", Bug: "log S + m - x_t in place of log S - (x_t - m): 8,106 roundings off at a shift of 1e4"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "confident", Bug: "log(softmax(x)): -Inf, or a clamp, where the weight underflows"},
		{Name: "specials", Bug: "-Inf, +Inf and NaN in logits: NaN for +Inf, a number for NaN"},
		{Name: "target-range", Bug: "a target outside the classes is accepted, wraps around, or reads other memory"},
		{Name: biasedSum, Bug: "a sum over many classes drifts more than its length explains"},
	}}
	none, mean, sum := attrs{"reduction": "none"}, attrs{"reduction": "mean"}, attrs{"reduction": "sum"}
	ignoring := func(a attrs, index int) attrs { return attrs{"reduction": a["reduction"], "ignore_index": index} }
	add := func(name, comment, clauses, flags string, a attrs, logits, targets draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a,
			src: args{"logits": logits, "targets": targets}})
		return &f.cases[len(f.cases)-1]
	}
	for _, s := range [][2]int{{1, 2}, {3, 5}, {4, 17}, {17, 3}, {2, 33}, {2, 65}, {3, 129}, {2, 257}} {
		add(fmt.Sprintf("n%d-v%d", s[0], s[1]), fmt.Sprintf("%d rows, %d classes.", s[0], s[1]), "XE-1 XE-4", "edges", none, normal(2, s[0], s[1]),
			tokens(s[1], s[0]))
	}
	add("mean", "The mean of five losses.", "XE-1 XE-4", "reduction", mean, normal(2, 5, 7), tokens(7, 5))
	add("sum", "The sum of five losses.", "XE-1 XE-4", "reduction", sum, normal(2, 5, 7), tokens(7, 5))
	add("default", "Without attributes, the mean.", "XE-4", "reduction", nil, normal(2, 4, 6), tokens(6, 4))
	add("one-row", "The mean of one loss is the loss.", "XE-4", "reduction", mean, normal(2, 1, 9), ids(4))
	one := add("one-class", "One class: the loss is 0, exactly.", "XE-1", "edges", none, normal(5, 4, 1), ids(0, 0, 0, 0))
	one.compare = vector.Exact

	add("ignore-none", "Two of five targets are ignored: their losses are 0.", "XE-3", "ignore", none, normal(2, 5, 6), ids(2, -100, 0, 5, -100))
	add("ignore-mean", "The mean over the three that count.", "XE-3 XE-4", "ignore reduction", mean, normal(2, 5, 6), ids(2, -100, 0, 5, -100))
	add("ignore-sum", "The sum of the three that count.", "XE-3 XE-4", "ignore reduction", sum, normal(2, 5, 6), ids(-100, 1, 0, 5, -100))
	add("ignore-minus-1", "Another ignore_index.", "XE-3", "ignore reduction", ignoring(mean, -1), normal(2, 4, 6), ids(2, -1, 0, -1))
	add("ignore-class", "ignore_index is one of the classes.", "XE-3", "ignore reduction", ignoring(mean, 0), normal(2, 5, 6), ids(2, 0, 3, 5, 0))
	add("ignore-nan", "NaN and infinities in ignored rows reach nothing.", "XE-3", "ignore specials", none,
		normal(2, 4, 4).set(nan, 4).set(inf, 7, 13).set(-inf, 12), ids(1, -100, 3, -100))
	add("ignore-nan-mean", "The same in a mean.", "XE-3 XE-4", "ignore specials reduction", mean,
		normal(2, 4, 4).set(nan, 4).set(inf, 7, 13).set(-inf, 12), ids(1, -100, 3, -100))
	for _, a := range []attrs{none, mean, sum} {
		name := fmt.Sprint("all-ignored-", a["reduction"])
		add(name, "Every target is ignored: 0, not 0/0.", "XE-3 XE-5", "all-ignored", a, normal(2, 3, 5).set(nan, 2),
			ids(-100, -100, -100)).compare = vector.Exact
	}

	f.cases = append(f.cases, testCase{
		name: "all-ignored-between", comment: "A batch without a target that counts, between two that have some.", clauses: "XE-4 XE-5", flags: "all-ignored",
		attrs: mean, steps: []step{
			{src: args{"logits": normal(2, 3, 5), "targets": ids(1, 0, 4)}},
			{src: args{"logits": normal(2, 3, 5), "targets": ids(-100, -100, -100)}},
			{src: args{"logits": normal(2, 3, 5), "targets": ids(2, -100, 3)}},
		},
	})

	add("shift-1e4", "Logits near 1e4, and near -1e4, a few units apart.", "XE-2", "shift no-max", none,
		each(func(s *source, i int) float64 { return float64(1-i/8%2*2)*1e4 + float64(s.IntN(4096))/1024 }, 4, 8), tokens(8, 4))
	add("shift-mean", "The same in a mean.", "XE-2 XE-4", "shift reduction", mean,
		each(func(s *source, i int) float64 { return 1e4 + float64(s.IntN(4096))/1024 }, 4, 8), tokens(8, 4))
	add("dominating", "One logit at 1e4 or -1e4 above or below the others, target or not.", "XE-1 XE-2", "no-max confident", none,
		normal(2, 4, 6).set(1e4, 2, 8).set(-1e4, 15, 21), ids(2, 0, 3, 1))
	add("confident", "Targets ahead by 5 to 30, and behind by as much.", "XE-1", "confident", none,
		normal(0.5, 6, 5).mapped(func(i int, x float64) float64 {
			if i%5 == 0 {
				return x + []float64{5, 10, 30, -5, -10, -30}[i/5]
			}
			return x
		}), ids(0, 0, 0, 0, 0, 0))
	add("wide", "Logits near 1e30.", "XE-2", "no-max", none, normal(1e29, 2, 5).set(1e30, 1, 8), ids(0, 3))
	add("underflow", "Targets whose weight underflows float32.", "XE-1", "confident", none, normal(2, 3, 5).set(-200, 1).set(-120, 6).set(-95, 11),
		ids(1, 1, 1))

	add("target-minus-inf", "A target whose logit is -Inf has loss +Inf; -Inf elsewhere counts as 0.", "XE-7", "specials", none,
		normal(2, 3, 5).set(-inf, 1, 8, 14), ids(1, 2, 4))
	add("nan-rows", "Rows with NaN, +Inf or only -Inf are NaN; others are not.", "XE-8", "specials", none,
		normal(2, 4, 3).set(nan, 1).set(inf, 5).set(-inf, 6, 7, 8), ids(0, 1, 2, 2))
	add("plus-inf-target", "A target whose logit is +Inf is NaN too.", "XE-8", "specials", none, normal(2, 2, 3).set(inf, 1), ids(1, 0))
	add("nan-mean", "A NaN that counts makes the mean NaN.", "XE-8 XE-4", "specials reduction", mean, normal(2, 3, 4).set(nan, 5), ids(0, 1, 2))
	for _, target := range []int64{5, -1, -101, 1 << 32} {
		add(fmt.Sprintf("target-%d", target), "A target outside the classes that is not ignore_index is an error.", "XE-6", "target-range", mean,
			normal(2, 3, 5), ids(0, target, 4)).err = "index"
	}
	add("target-not-ignored", "-100 is an error where ignore_index is another.", "XE-6", "target-range ignore", ignoring(none, -1), normal(2, 2, 5),
		ids(0, -100)).err = "index"

	add("vocabulary", "GPT-3's vocabulary, 50,257 classes; targets first, last and between.", "XE-1", "edges "+biasedSum, none, sum4(3, 3, 50257),
		ids(0, 50256, 31415))
	add("vocabulary-mean", "The same in a mean, with one ignored.", "XE-3 XE-4", "reduction ignore "+biasedSum, mean, sum4(3, 3, 50257), ids(198, -100, 262))
	add("vocabulary-flat", "50,257 logits that hardly differ: an untrained model.", "XE-1", biasedSum, none, sum4(0.1, 2, 50257), ids(11, 50000))
	add("vocabulary-shift", "50,257 logits near 300.", "XE-2", biasedSum+" shift", none, recipe("sum4", 3, 300, 2, 50257), ids(11, 50000))
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows, each with its loss.", clauses: "XE-1", attrs: attrs{"reduction": "none"},
		src: args{"logits": sum4(2, 130, 5), "targets": tokens(5, 130)},
	}}
	return f
}

var _ = register("cross_entropy.grad", crossEntropyGradFamily)

func crossEntropyGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, drift,
		{Name: "target", Bug: "1 is not subtracted at the target, or is at another class"},
		{Name: "reduction", Bug: "the mean over all rows and not those that count, a sum for a mean"},
		{Name: "ignore", Bug: "ignored rows have a gradient, or their logits leak", See: "0 * NaN in a masked product"},
		{Name: "all-ignored", Bug: "0/0 where nothing counts", See: "torch.nn.functional.cross_entropy gives NaN"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "confident", Bug: "a clamp of the weights, or noise in the place of a small gradient"},
		{Name: "specials", Bug: "NaN and infinities in logits do not reach the row, or reach other rows"},
		{Name: "target-range", Bug: "a target outside the classes is accepted, wraps around, or writes other memory"},
	}}
	none, mean, sum := attrs{"reduction": "none"}, attrs{"reduction": "mean"}, attrs{"reduction": "sum"}
	add := func(name, comment, clauses, flags string, a attrs, logits, targets, dloss draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a,
			src: args{"logits": logits, "targets": targets, "dloss": dloss}})
		return &f.cases[len(f.cases)-1]
	}
	one := func(x float64) draw { return floats([]float64{x}) }
	for _, s := range [][2]int{{1, 2}, {3, 5}, {4, 17}, {17, 3}, {2, 65}, {2, 257}} {
		add(fmt.Sprintf("n%d-v%d", s[0], s[1]), fmt.Sprintf("%d rows, %d classes.", s[0], s[1]), "GRAD-1 GRAD-26", "edges target upstream", none,
			normal(1.5, s[0], s[1]), tokens(s[1], s[0]), normal(1, s[0]))
	}
	add("mean", "The mean of five losses, with an upstream gradient of -2.5.", "GRAD-26 GRAD-28", "reduction upstream", mean,
		normal(1.5, 5, 7), tokens(7, 5), one(-2.5))
	add("sum", "The sum of five losses.", "GRAD-26 GRAD-28", "reduction upstream", sum, normal(1.5, 5, 7), tokens(7, 5), one(0.75))
	add("default", "Without attributes, the mean.", "GRAD-2 GRAD-28", "reduction", nil, normal(1.5, 4, 6), tokens(6, 4), one(1.5))
	add("one-class", "One class: the gradient is 0, exactly.", "GRAD-26", "edges", none, normal(5, 3, 1), ids(0, 0, 0),
		normal(1, 3)).compare = vector.Exact
	targets := ids(2, -100, 0, 5, -100)
	add("ignore-none", "Two of five targets are ignored: their rows are 0.", "GRAD-27", "ignore", none, normal(1.5, 5, 6), targets,
		normal(1, 5))
	add("ignore-mean", "The mean over the three that count.", "GRAD-27 GRAD-28", "ignore reduction", mean, normal(1.5, 5, 6), targets,
		one(1.25))
	add("ignore-sum", "The sum of the three that count.", "GRAD-27 GRAD-28", "ignore reduction", sum, normal(1.5, 5, 6), targets, one(-0.5))
	add("ignore-class", "ignore_index is one of the classes.", "GRAD-27", "ignore reduction", attrs{"ignore_index": 0}, normal(1.5, 5, 6),
		ids(2, 0, 3, 5, 0), one(2))
	poisoned := normal(1.5, 4, 4).set(nan, 4).set(inf, 7, 13).set(-inf, 12)
	add("ignore-nan", "NaN and infinities in ignored rows, and upstream of them, reach nothing.", "GRAD-27", "ignore specials", none, poisoned,
		ids(1, -100, 3, -100),
		floats([]float64{1.5, nan, -2, inf}, 4))
	add("ignore-nan-mean", "The same in a mean.", "GRAD-27 GRAD-28", "ignore specials reduction", mean, poisoned, ids(1, -100, 3, -100),
		one(3))
	for _, a := range []attrs{none, mean, sum} {
		dloss := one(2)
		if a["reduction"] == "none" {
			dloss = normal(1, 3)
		}
		add(fmt.Sprint("all-ignored-", a["reduction"]), "Every target is ignored: 0, not 0/0.", "GRAD-27 GRAD-28", "all-ignored", a,
			normal(2, 3, 5).set(nan, 2),
			ids(-100, -100, -100), dloss).compare = vector.Exact
	}
	f.cases = append(f.cases, testCase{
		name: "all-ignored-between", comment: "A batch without a target that counts, between two that have some.", clauses: "GRAD-1 GRAD-28",
		flags: "all-ignored",
		attrs: mean, steps: []step{
			{src: args{"logits": normal(1.5, 3, 5), "targets": ids(1, 0, 4), "dloss": one(2)}},
			{src: args{"logits": normal(1.5, 3, 5), "targets": ids(-100, -100, -100), "dloss": one(2)}},
			{src: args{"logits": normal(1.5, 3, 5), "targets": ids(2, -100, 3), "dloss": one(2)}},
		},
	})
	add("shift-1e4", "Logits near 1e4, and near -1e4, a few units apart.", "GRAD-26 XE-2", "no-max", none,
		each(func(s *source, i int) float64 { return float64(1-i/8%2*2)*1e4 + float64(s.IntN(4096))/1024 }, 4, 8), tokens(8, 4), normal(1, 4))
	add("confident", "Targets ahead by 2 to 9, and behind by as much and more.", "GRAD-26", "confident target", none,
		normal(0.5, 6, 5).mapped(func(i int, x float64) float64 {
			if i%5 == 0 {
				return x + []float64{2, 5, 9, -5, -30, -200}[i/5]
			}
			return x
		}), ids(0, 0, 0, 0, 0, 0), around(2, 0.3, 6))
	add("minus-inf", "-Inf at the target and elsewhere has weight 0.", "GRAD-29 XE-7", "specials", none, normal(1.5, 3, 5).set(-inf, 1, 8, 14),
		ids(1, 2, 4), normal(1, 3))
	add("nan-rows", "Rows with NaN, +Inf or only -Inf are NaN throughout; others are not.", "GRAD-29 XE-8", "specials", none,
		normal(1.5, 4, 3).set(nan, 1).set(inf, 5).set(-inf, 6, 7, 8), ids(0, 1, 2, 2), normal(1, 4))
	for _, target := range []int64{5, -1, 1 << 32} {
		add(fmt.Sprintf("target-%d", target), "A target outside the classes that is not ignore_index is an error.", "GRAD-29 XE-6",
			"target-range", mean,
			normal(2, 3, 5), ids(0, target, 4), one(1.5)).err = "index"
	}
	add("target-last", "The last class is none.", "GRAD-26 GRAD-29", "target-range target", mean, normal(1.5, 3, 5), ids(0, 4, 4), one(1.5))
	add("vocabulary", "GPT-3's vocabulary, 50,257 classes, sampled.", "GRAD-26", "edges "+biasedSum, mean, sum4(3, 2, 50257), ids(0, 50256),
		one(1.5)).samples = func(shape []int) []int64 { return thin(tileEdges(shape), 1000) }
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows, the mean.", clauses: "GRAD-26 GRAD-28",
		src: args{"logits": sum4(2, 130, 5), "targets": tokens(5, 130), "dloss": floats([]float64{100})},
	}}
	return f
}
