package mutant

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// ending returns the bug of another rule for what ends a sequence.
func ending(f func(token, length int, end []int) bool) func(*plain) {
	return func(p *plain) { p.isEnd = f }
}

// penalty returns the bug of another length penalty.
func penalty(f func(sum float32, n, prompt int, a op.BeamAttrs) float32) func(*plain) {
	return func(p *plain) { p.penalised = f }
}

var beamSearchBugs = []bug{
	{"beam-search-logits-summed", "beam_search", "DEC-15", "Sums logits, not the logarithms of probabilities.", "", func(p *plain) {
		p.logProb = func(x, _, _ float32) float32 { return x }
	}},
	{"beam-search-probabilities-summed", "beam_search", "DEC-15", "Sums probabilities.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return exp32(x-m) / s }
	}},
	{"beam-search-begins-with-copies", "beam_search", "DEC-15", "Begins with K copies of the empty sequence, which stay equal.", "", func(p *plain) {
		p.beginning = func(beams int) []sequence { return make([]sequence, beams) }
	}},
	{"beam-search-hidden-token", "beam_search", "DEC-15", "Keeps candidates of probability 0.", "", func(p *plain) {
		p.selectable = func(float32) bool { return true }
	}},
	{"beam-search-ties-last", "beam_search", "DEC-16", "Prefers the later of equal sums.", "", func(p *plain) {
		p.order = func(a, b sequence) int {
			if a.sum == b.sum {
				return slices.Compare(b.tokens, a.tokens)
			}
			return descending(a.sum, b.sum)
		}
	}},
	{"beam-search-ties-by-token", "beam_search", "DEC-16", "Prefers the lower token among equal sums, whatever it continues.", "", func(p *plain) {
		p.order = func(a, b sequence) int {
			if a.sum == b.sum && len(a.tokens) > 0 && len(b.tokens) > 0 {
				return int(a.tokens[len(a.tokens)-1] - b.tokens[len(b.tokens)-1])
			}
			return descending(a.sum, b.sum)
		}
	}},
	{"beam-search-end-not-counted", "beam_search", "DEC-17", "Leaves the logarithm of the token that ends out of the sum.", "", func(p *plain) {
		p.addLog = func(sum, log float32, ends bool) float32 {
			if ends {
				return sum
			}
			return sum + log
		}
	}},
	{"beam-search-end-not-first", "beam_search", "DEC-17", "Does not let the first token end a sequence.", "allennlp #2557", ending(func(token, length int, end []int) bool {
		return length > 1 && slices.Contains(end, token)
	})},
	{"beam-search-one-end", "beam_search", "DEC-17", "Knows the first token of end only.", "", ending(func(token, _ int, end []int) bool {
		return len(end) > 0 && token == end[0]
	})},
	{"beam-search-end-ignored", "beam_search", "DEC-17", "Goes on behind tokens that end.", "", ending(func(int, int, []int) bool { return false })},
	{"beam-search-ended-dropped", "beam_search", "DEC-18", "Drops a sequence that has ended from the beams.", "", func(p *plain) {
		p.keepsPlace = func(sequence) []sequence { return nil }
	}},
	{"beam-search-stops-at-first", "beam_search", "DEC-18", "Stops when one kept sequence has ended.", "", func(p *plain) {
		p.allEnded = func(kept []sequence) bool {
			return slices.ContainsFunc(kept, func(s sequence) bool { return s.ended })
		}
	}},
	{"beam-search-textbook-mean", "beam_search", "DEC-18", "Divides the score of the textbook form by the length.", "", func(p *plain) {
		p.textbookEnd = func(s sequence, _ int) float32 { return s.sum / float32(len(s.tokens)) }
	}},
	{"beam-search-end-of-any-rank", "beam_search", "DEC-19", "Finishes candidates that end at any rank.", "", func(p *plain) {
		p.finishes = func(int, int) bool { return true }
	}},
	{"beam-search-end-at-top-only", "beam_search", "DEC-19", "Finishes a candidate that ends only where it is ranked first.", "", func(p *plain) {
		p.finishes = func(rank, _ int) bool { return rank == 0 }
	}},
	{"beam-search-ends-take-places", "beam_search", "DEC-19", "Goes on with those of the first K that do not end, and no others.", "", func(p *plain) {
		p.goesOn = func(rank, beams, _ int) bool { return rank < beams }
	}},
	{"beam-search-textbook-for-hf", "beam_search", "DEC-19", "Lets ended sequences keep their places in form hf.", "", func(p *plain) {
		p.goesOn = func(rank, beams, going int) bool { return rank < beams && going < beams }
		p.full = func(finished, beams int) bool { return finished > 0 }
	}},
	{"beam-search-penalty-ignored", "beam_search", "DEC-20", "Ignores the length penalty.", "", penalty(func(sum float32, _, _ int, _ op.BeamAttrs) float32 { return sum })},
	{"beam-search-penalty-without-end", "beam_search", "DEC-20", "Does not count the token that ends.", "transformers #8722, #8890", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		return penalised(sum, max(1, n-1), prompt, a)
	})},
	{"beam-search-penalty-multiplies", "beam_search", "DEC-20", "Multiplies by the length in place of dividing.", "", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		a.LengthPenalty = -a.LengthPenalty
		return penalised(sum, n, prompt, a)
	})},
	{"beam-search-penalty-linear", "beam_search", "DEC-20", "Divides by alpha n.", "", penalty(func(sum float32, n, _ int, a op.BeamAttrs) float32 {
		if a.LengthPenalty == 0 {
			return sum
		}
		return sum / float32(a.LengthPenalty*float64(n))
	})},
	{"beam-search-gnmt-ignored", "beam_search", "DEC-20", "Takes gnmt for the plain length.", "", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		a.Penalty = "length"
		return penalised(sum, n, prompt, a)
	})},
	{"beam-search-gnmt-denominator", "beam_search", "DEC-20", "Has (5 + n)/(5 + 1) outside the power.", "", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		if a.Penalty == "gnmt" {
			return sum / float32(math.Pow(float64(5+n), a.LengthPenalty)/6)
		}
		return penalised(sum, n, prompt, a)
	})},
	{"beam-search-early-stopping-ignored", "beam_search", "DEC-21", "Goes on to the greatest length always.", "", func(p *plain) {
		p.full = func(int, int) bool { return false }
	}},
	{"beam-search-stops-when-finished", "beam_search", "DEC-21", "Stops as soon as K are finished, whatever early_stopping is.", "", func(p *plain) {
		p.noBetter = func(_, _ float32) bool { return true }
	}},
	{"beam-search-stops-with-one", "beam_search", "DEC-21", "Stops when one sequence is finished, not K.", "", func(p *plain) {
		p.full = func(finished, _ int) bool { return finished > 0 }
	}},
	{"beam-search-never-as-false", "beam_search", "DEC-21", "Takes never for false.", "transformers #20901", func(p *plain) {
		p.stopLength = func(n int, _ search) int { return n }
	}},
	{"beam-search-false-as-never", "beam_search", "DEC-21", "Takes false for never.", "", func(p *plain) {
		p.stopLength = func(n int, s search) int {
			if s.a.LengthPenalty > 0 {
				return s.length
			}
			return n
		}
	}},
	{"beam-search-never-at-greatest-length", "beam_search", "DEC-21", "Scores at the greatest length under never also where alpha is negative.", "transformers #21368", func(p *plain) {
		p.stopLength = func(n int, s search) int {
			if s.a.EarlyStopping == "never" {
				return s.length
			}
			return n
		}
	}},
	{"beam-search-unfinished-dropped", "beam_search", "DEC-22", "Has no result of sequences that have not ended.", "", func(p *plain) {
		p.lastStep = func(int, search) bool { return false }
	}},
	{"beam-search-unsorted", "beam_search", "DEC-23", "Returns results in the opposite order.", "", func(p *plain) {
		p.sortResults = func(found []sequence) {
			slices.SortStableFunc(found, func(a, b sequence) int { return descending(b.score, a.score) })
		}
	}},
	{"beam-search-padded-with-zero", "beam_search", "DEC-23", "Fills the places behind a sequence with 0.", "", func(p *plain) { p.padding = 0 }},
	{"beam-search-batch-ends-together", "beam_search", "DEC-24", "Ends every batch item when the first has ended.", "transformers #38778", func(p *plain) {
		p.limit = func(_, length int, before []int) int {
			for _, n := range before {
				length = min(length, n)
			}
			return length
		}
	}},
	{"beam-search-state-clamped", "beam_search", "DEC-25", "Clamps states to the table.", "", func(p *plain) {
		p.state = func(index int64, states int) (int, error) { return int(min(max(index, 0), int64(states-1))), nil }
	}},
}

var gptGenerateBugs = []bug{
	{"gpt-generate-last-token-only", "gpt.generate", "DEC-26", "Looks at the last token only, without those before it.", "", func(p *plain) {
		p.context = func(prompt, tokens []int64) []int64 {
			all := slices.Concat(prompt, tokens)
			return all[len(all)-1:]
		}
	}},
	{"gpt-generate-prompt-only", "gpt.generate", "DEC-26", "Does not look at its own tokens.", "", func(p *plain) {
		p.context = func(prompt, _ []int64) []int64 { return prompt }
	}},
	{"gpt-generate-first-draw", "gpt.generate", "DEC-26", "Uses the first draw for every token.", "", func(p *plain) {
		p.drawAt = func(draws []int64, _, maxNew, item int) int64 { return draws[item*maxNew] }
	}},
	{"gpt-generate-draws-of-first-item", "gpt.generate", "DEC-26", "Uses the draws of the first batch item for all.", "", func(p *plain) {
		p.drawAt = func(draws []int64, n, _, _ int) int64 { return draws[n] }
	}},
	{"gpt-generate-positions-from-one", "gpt.generate", "DEC-26", "Counts positions from 1.", "", func(p *plain) {
		p.firstPos = func(pos int) int { return pos + 1 }
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(pos, limit-1)), nil }
	}},
	{"gpt-generate-end-in-prompt", "gpt.generate", "DEC-27", "Has ended where the prompt ends with a token that ends.", "", func(p *plain) {
		p.endedBefore = func(prompt []int64, end []int) bool { return slices.Contains(end, int(prompt[len(prompt)-1])) }
	}},
	{"gpt-generate-start-ignored", "gpt.generate", "DEC-27", "Begins with token 0.", "", func(p *plain) {
		p.first = func(int) []int64 { return []int64{0} }
	}},
	{"gpt-generate-penalty-with-prompt", "gpt.generate", "DEC-20", "Counts the prompt in the length penalty.", "vLLM", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		return penalised(sum, n+prompt, prompt, a)
	})},
	{"gpt-generate-end-ignored", "gpt.generate", "DEC-28", "Goes on to the greatest length.", "", ending(func(int, int, []int) bool { return false })},
	{"gpt-generate-padded-with-zero", "gpt.generate", "DEC-28", "Fills the places behind a sequence with 0.", "", func(p *plain) { p.padding = 0 }},
	{"gpt-generate-score-of-sampling", "gpt.generate", "DEC-29", "Sums the logarithms of the sampling distribution.", "", func(p *plain) {
		p.chosenLog = func(row []float32, token int, a op.SamplingAttrs) float32 {
			probs, _ := p.distribution(row, a)
			return log32(probs[token])
		}
	}},
	{"gpt-generate-score-mean", "gpt.generate", "DEC-29", "Divides the score of a sampled sequence by the number of draws.", "", func(p *plain) {
		p.chosenLog = func(row []float32, token int, _ op.SamplingAttrs) float32 { return p.logProbs(row)[token] / 2 }
	}},
	{"gpt-generate-room-off-by-one", "gpt.generate", "DEC-30", "Wants a position for the last new token.", "", func(p *plain) {
		p.room = func(prompt, maxNew, context int) error { return room(prompt+1, maxNew, context) }
	}},
	{"gpt-generate-room-unchecked", "gpt.generate", "DEC-30", "Clamps positions to the context.", "", func(p *plain) {
		p.room = func(_, _, _ int) error { return nil }
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(pos, limit-1)), nil }
	}},
	{"gpt-generate-prompt-clamped", "gpt.generate", "DEC-31", "Clamps the prompt's ids to the vocabulary.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"gpt-generate-ties-last", "gpt.generate", "DEC-4", "Chooses the last of equal logits.", "", func(p *plain) { p.ranked = lastFirst }},
}
