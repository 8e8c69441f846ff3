package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

// machine draws an automaton of logits from which each token leads to some state.
func machine(states, vocab int, from ...int64) args {
	return args{"logits": normal(1.5, states, vocab).short(), "next": tokens(states, states, vocab), "state": ids(from...)}
}

// table is an automaton that is written out: the probabilities of each state's tokens, as bfloat16 has their logarithms, and where these lead.
func table(from int64, probabilities [][]float64, next [][]int64) args {
	states, vocab := len(probabilities), len(probabilities[0])
	var to []int64
	for _, row := range next {
		to = append(to, row...)
	}
	return args{
		"logits": each(func(_ *source, i int) float64 { return math.Log(probabilities[i/vocab][i%vocab]) }, states, vocab).short(),
		"next":   idsOf(to, states, vocab), "state": ids(from),
	}
}

// chain leads from each state to the next, whatever the token, and from the last to itself.
func chain(states, vocab int) [][]int64 {
	next := make([][]int64, states)
	for s := range next {
		for range vocab {
			next[s] = append(next[s], int64(min(s+1, states-1)))
		}
	}
	return next
}

var beamFlags = []vector.Flag{
	{Name: "width", Bug: "the beam is narrower or wider than asked for, or every sequence keeps its best continuation"},
	{Name: "first-step", Bug: "the first step expands copies of one sequence, which fill the beam with one result", See: "transformers generate: scores of -1e9"},
	{Name: "textbook", Bug: "a sequence that has ended leaves its place, or is continued"},
	{Name: "finish", Bug: "a candidate that ends is finished though it is not among the first K, or takes the place of one that goes on"},
	{Name: "length-penalty", Bug: "scores are multiplied, or divided by the wrong length: that of the prompt, or without the token that ends",
		See: "transformers #8722, #8890"},
	{Name: "gnmt", Bug: "the two length penalties are confused"},
	{Name: "early-stopping", Bug: "a search ends too early or too late: true, false and never are confused", See: "transformers #20901, #21368"},
	{Name: "end-first", Bug: "a sequence of one token, the one that ends, is lost", See: "allennlp #2557"},
	{Name: "limit", Bug: "sequences that have not ended at the greatest length are lost, or scored by another rule"},
	{Name: "several-ends", Bug: "only the first of several tokens that end is known, or too few candidates are kept for them", See: "transformers beam search with several eos ids"},
	{Name: "padding", Bug: "places behind the end hold tokens, or results that do not exist are copies of others"},
	{Name: "batch", Bug: "batch items end together, or begin in one state", See: "transformers #38778"},
}

var _ = register("beam_search", beamSearchFamily)

func beamSearchFamily() family {
	f := family{flags: append(beamFlags[:len(beamFlags):len(beamFlags)], tieFlag, hiddenFlag, numberFlag,
		vector.Flag{Name: "states", Bug: "states are not followed, or reordered without their sequences"},
		vector.Flag{Name: "index-range", Bug: "a state outside the table is accepted"},
		vector.Flag{Name: "attributes", Bug: "contradictory parameters are accepted"})}
	add := func(name, comment, clauses, flags string, a attrs, src args) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: src})
		return &f.cases[len(f.cases)-1]
	}
	textbook := func(beams, length int, end ...int) attrs {
		return attrs{"form": "textbook", "beams": beams, "max_length": length, "end": end}
	}
	hf := func(beams, length int, stop string, alpha float64, end ...int) attrs {
		return attrs{"form": "hf", "beams": beams, "max_length": length, "early_stopping": stop, "length_penalty": alpha, "end": end}
	}
	for _, k := range []int{1, 2, 3, 5} {
		add(fmt.Sprintf("textbook-%d", k), fmt.Sprintf("Textbook, %d beams.", k), "DEC-15 DEC-16 DEC-18 DEC-23", "textbook width states", textbook(k, 6, 0), machine(30, 7, 4))
		add(fmt.Sprintf("hf-%d", k), fmt.Sprintf("Hugging Face's, %d beams.", k), "DEC-15 DEC-16 DEC-19 DEC-20 DEC-21 DEC-23", "finish width states",
			hf(k, 6, "false", 1, 0), machine(30, 7, 4))
	}
	add("default", "Without a form: textbook, one beam.", "DEC-18", "textbook", attrs{"max_length": 5}, machine(12, 5, 0))
	add("endless", "No token ends: all sequences have the greatest length.", "DEC-15 DEC-18", "textbook limit", textbook(3, 4), machine(20, 5, 2))
	add("endless-hf", "No token ends: all sequences are finished at the greatest length.", "DEC-22", "limit finish", hf(3, 4, "false", 0.7), machine(20, 5, 2))
	add("end-elsewhere", "A token of end that the vocabulary lacks.", "DEC-17", "limit", textbook(2, 3, 99), machine(9, 4, 1))
	add("one-step", "One token: the first step expands one sequence.", "DEC-15 DEC-19", "first-step width", hf(3, 1, "true", 0, 1), machine(4, 6, 3))
	add("two-steps", "Two tokens, as many beams as there are tokens.", "DEC-15 DEC-18", "first-step width", textbook(5, 2, 4), machine(9, 5, 0))
	add("greedy-trap", "The most likely first token leads to worse than the second.", "DEC-15 DEC-18", "width textbook", textbook(2, 2),
		table(0, [][]float64{{.5, .4, .1}, {.4, .35, .25}, {.9, .05, .05}}, [][]int64{{1, 2, 2}, {0, 0, 0}, {0, 0, 0}}))
	add("batch", "Three batch items from three states.", "DEC-24", "batch states", textbook(3, 5, 2), machine(24, 6, 5, 0, 17))
	add("batch-hf", "Items that end after different numbers of steps.", "DEC-24 DEC-21", "batch early-stopping finish", hf(2, 8, "false", 1, 2), machine(24, 6, 5, 0, 17))
	add("batch-same", "Two items from one state have one result.", "DEC-24", "batch", textbook(2, 4, 1), machine(16, 5, 3, 3))

	endSecond := [][]float64{{.5, .2, .3}, {.8, .12, .08}, {.8, .14, .06}, {.7, .2, .1}}
	add("end-keeps-place", "Textbook: a sequence that has ended competes and stays.", "DEC-18", "textbook padding", textbook(2, 2, 2),
		table(0, endSecond, [][]int64{{1, 2, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}}))
	add("end-loses-place", "Textbook: a sequence that has ended is overtaken and dropped.", "DEC-18", "textbook", textbook(2, 2, 2),
		table(0, [][]float64{{.55, .25, .2}, {.5, .45, .05}, {.9, .08, .02}}, [][]int64{{1, 2, 2}, {2, 2, 2}, {2, 2, 2}}))
	endThird := [][]float64{{.45, .3, .25}, {.4, .35, .25}, {.5, .3, .2}, {.7, .2, .1}}
	add("end-third", "Of two beams, the end is ranked third: it is not finished, though it would win by its length penalty.", "DEC-19", "finish", hf(2, 3, "true", -1, 2),
		table(0, endThird, [][]int64{{1, 2, 2}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}}))
	add("end-second", "The end is ranked second: two more go on beside it.", "DEC-19", "finish", hf(2, 3, "false", 3, 2),
		table(0, endSecond, [][]int64{{1, 2, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}}))
	for _, form := range []attrs{textbook(1, 4, 1), textbook(3, 4, 1), hf(1, 4, "true", 1, 1), hf(3, 4, "false", 0, 1)} {
		add(fmt.Sprintf("end-first-%v-%v", form["form"], form["beams"]), "The end comes first: length 1.", "DEC-17 DEC-23", "end-first padding", form,
			table(0, [][]float64{{.04, .9, .06}, {.5, .3, .2}, {.2, .6, .2}}, [][]int64{{1, 2, 2}, {2, 1, 0}, {1, 2, 1}}))
	}
	add("several-ends", "Two tokens end.", "DEC-17 DEC-19", "several-ends finish", hf(3, 6, "false", 1, 2, 5), machine(24, 7, 6))
	add("several-ends-textbook", "Three tokens end.", "DEC-17 DEC-18", "several-ends textbook", textbook(3, 6, 2, 5, 1), machine(24, 7, 6))
	add("ends-crowd", "Three tokens that end are ranked before those that go on.", "DEC-19", "several-ends finish", hf(2, 3, "false", 4, 0, 1, 2),
		table(0, [][]float64{{.28, .26, .24, .12, .1}, {.3, .1, .1, .26, .24}, {.1, .2, .1, .35, .25}}, chain(3, 5)))

	for _, alpha := range []float64{-1, 0, 0.6, 2} {
		add(fmt.Sprintf("alpha-%g", alpha), fmt.Sprintf("A length penalty of %g.", alpha), "DEC-20", "length-penalty", hf(3, 6, "false", alpha, 1), machine(24, 5, 2))
	}
	for _, alpha := range []float64{0.6, 2} {
		a := hf(3, 6, "false", alpha, 1)
		a["penalty"] = "gnmt"
		add(fmt.Sprintf("gnmt-%g", alpha), fmt.Sprintf("GNMT's length penalty, exponent %g.", alpha), "DEC-20", "gnmt length-penalty", a, machine(24, 5, 2))
	}
	for _, stop := range []string{"true", "false", "never"} {
		// After two steps both beams are finished: the second scores -2.1. What goes on has -1.7, and ends with -1.8.
		add("stop-improvable-"+stop, "What goes on is better than the worst finished: "+stop+".", "DEC-21", "early-stopping", hf(2, 4, stop, 0, 2),
			table(0, [][]float64{{.3, .15, .55}, {.6, .0, .4}, {.05, .05, .9}, {.1, .1, .8}}, chain(4, 3)))
		// The end is ahead at length 1; at length 4 the rest scores better.
		add("stop-penalty-"+stop, "Only a greater length would make what goes on better: "+stop+".", "DEC-20 DEC-21", "early-stopping length-penalty limit",
			hf(1, 4, stop, 1, 2), table(0, [][]float64{{.35, .05, .6}, {.97, .02, .01}}, chain(2, 3)))
		add("stop-negative-"+stop, "A penalty below 0 favours what is short: "+stop+".", "DEC-21", "early-stopping length-penalty", hf(2, 5, stop, -0.5, 1), machine(20, 4, 7))
	}
	// Beside a poor second result, what goes on is better as it is, and worse at the greatest length.
	add("never-favours-short", "Never, with a penalty below 0: the present length counts.", "DEC-21", "early-stopping length-penalty", hf(2, 8, "never", -0.2, 2),
		table(0, [][]float64{{.3, .1, .6}, {.6, 0, .4}, {.03, .02, .95}}, chain(3, 3)))

	ties := func(name, comment string, a attrs, src args) {
		add(name, comment, "DEC-16 DEC-23", "ties", a, src).settled = true
	}
	even := [][]float64{{.5, .5, 0}, {.5, .5, 0}}
	ties("ties", "All sums are equal: the first sequence's tokens come first, the lower before the higher.", textbook(2, 3, 2), table(0, even, chain(2, 3)))
	ties("ties-hf", "The same, finished at the limit.", hf(3, 3, "false", 1, 2), table(0, even, chain(2, 3)))
	ties("ties-four", "Four equal tokens, three beams.", textbook(3, 2), table(0, [][]float64{{.25, .25, .25, .25}}, chain(1, 4)))
	ties("ties-finished", "Equal scores of different length: the one finished first.", hf(2, 3, "never", 0, 1),
		table(0, [][]float64{{.5, .5}, {0, 1}}, chain(2, 2)))

	add("fewer", "Two sequences have a probability, and there are four beams.", "DEC-15 DEC-23", "padding minus-inf first-step", textbook(4, 4, 2),
		table(0, [][]float64{{.6, .4, 0}, {0, 0, 1}}, chain(2, 3)))
	add("fewer-hf", "The same in Hugging Face's form.", "DEC-15 DEC-23", "padding minus-inf first-step", hf(4, 4, "false", 1, 2),
		table(0, [][]float64{{.6, .4, 0}, {0, 0, 1}}, chain(2, 3)))
	add("minus-inf", "Half of the table is impossible.", "DEC-2 DEC-15", "minus-inf", textbook(3, 4, 0),
		machine(6, 6, 1).with("logits", normal(1, 6, 6).short().mapped(func(i int, x float64) float64 {
			if (i+i/6)%2 == 0 {
				return -inf
			}
			return x
		})))

	wrong := func(name, comment, clauses, flags, kind string, a attrs, src args) {
		add(name, comment, clauses, flags, a, src).err = kind
	}
	wrong("nan", "A NaN in the state that the search begins in.", "DEC-1", "not-a-distribution", "number", textbook(2, 3, 0),
		machine(5, 4, 2).with("logits", logits(5, 4).set(nan, 2*4+3)))
	wrong("all-minus-inf", "A state that every sequence comes to has no token.", "DEC-1", "not-a-distribution", "number", hf(2, 3, "false", 1),
		table(0, [][]float64{{.5, .5}, {0, 0}}, chain(2, 2)))
	add("nan-unreached", "A NaN in a state that no sequence comes to is no error.", "DEC-1", "not-a-distribution", textbook(2, 2, 0), args{
		"logits": logits(3, 3).set(nan, 7), "next": idsOf([]int64{1, 1, 1, 1, 1, 1, 2, 2, 2}, 3, 3), "state": ids(0)})
	wrong("state-range", "A start outside the table.", "DEC-25", "index-range", "index", textbook(2, 3), machine(5, 4, 1, 5))
	wrong("state-negative", "A negative start.", "DEC-25", "index-range", "index", textbook(2, 3), machine(5, 4, -1))
	wrong("next-range", "A transition out of the table, from a state that is not reached.", "DEC-25", "index-range", "index", textbook(1, 2),
		machine(3, 2, 0).with("next", idsOf([]int64{0, 0, 0, 0, 3, 0}, 3, 2)))
	wrong("textbook-penalty", "Textbook has no length penalty.", "DEC-18", "attributes", "attributes", attrs{"max_length": 3, "length_penalty": 1}, machine(3, 3, 0))
	wrong("no-beams", "No beams.", "DEC-18", "attributes", "attributes", textbook(0, 3), machine(3, 3, 0))
	wrong("no-length", "No tokens.", "DEC-18", "attributes", "attributes", textbook(2, 0), machine(3, 3, 0))
	wrong("end-negative", "A negative token that ends.", "DEC-17", "attributes", "attributes", textbook(2, 3, -1), machine(3, 3, 0))
	f.wide = []testCase{{
		name: "wide", comment: "Four beams among 130 tokens.", clauses: "DEC-18", attrs: attrs{"beams": 4, "max_length": 4}, src: machine(5, 130, 2),
	}}
	return f
}
