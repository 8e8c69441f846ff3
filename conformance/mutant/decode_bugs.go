package mutant

import (
	"bytes"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// lastFirst sorts like ranked, with equal ones in the opposite order of their indices.
func lastFirst(row []float32, left []int) []int {
	slices.Reverse(left)
	return ranked(row, left)
}

// ofNumbers takes what it is given for numbers: NaN is no error.
func ofNumbers([]float32) error { return nil }

var _ = plant([]bug{
	{"greedy-last-of-ties", "greedy", "DEC-4", "Chooses the last of equal logits: >= for >.", "", func(p *plain) { p.ranked = lastFirst }},
	{"greedy-magnitude", "greedy", "DEC-4", "Chooses the largest magnitude.", "", func(p *plain) {
		p.ranked = func(row []float32, left []int) []int {
			slices.SortStableFunc(left, func(i, j int) int { return descending(max(row[i], -row[i]), max(row[j], -row[j])) })
			return left
		}
	}},
	{"greedy-from-zero", "greedy", "DEC-4", "Starts its maximum at 0, so that negative logits are never larger than the first.", "", func(p *plain) {
		p.ranked = func(row []float32, left []int) []int {
			if rowMax(row) < 0 {
				return left
			}
			return ranked(row, left)
		}
	}},
	{"greedy-nan-skipped", "greedy", "DEC-1", "Takes NaN for a logit that is smaller than all.", "", func(p *plain) { p.usable = ofNumbers }},
	{"greedy-all-hidden", "greedy", "DEC-1", "Chooses the first token where every logit is -Inf.", "allennlp #2028", func(p *plain) {
		p.usable = func(row []float32) error {
			if rowMax(row) == -inf {
				return nil
			}
			return usable(row)
		}
		p.selectable = func(float32) bool { return true }
	}},
})

// truncated returns the bug of stages in another order or on other numbers.
func truncated(f func(p *plain, row []float32, ranked []int, a op.SamplingAttrs) []int) func(*plain) {
	return func(p *plain) {
		p.stages = func(row []float32, ranked []int, a op.SamplingAttrs) []int { return f(p, row, ranked, a) }
	}
}

var _ = plant([]bug{
	{"distribution-nan-row", "distribution", "DEC-1", "Gives a row of NaN for one that holds a NaN.", "transformers #21435", func(p *plain) { p.usable = ofNumbers }},
	{"distribution-hidden-kept", "distribution", "DEC-2", "Gives tokens at -Inf a probability of 1e-9.", "", func(p *plain) {
		p.selectable = func(float32) bool { return true }
		p.scaled = func(x, m, temperature float32) float32 { return max(scaledLogit(x, m, temperature), -20) }
	}},
	{"distribution-temperature-inverted", "distribution", "DEC-5", "Multiplies by the temperature.", "", func(p *plain) {
		p.scaled = func(x, m, temperature float32) float32 { return (x - m) * temperature }
	}},
	{"distribution-temperature-ignored", "distribution", "DEC-5", "Ignores the temperature.", "", func(p *plain) {
		p.scaled = func(x, m, _ float32) float32 { return x - m }
	}},
	{"distribution-temperature-last", "distribution", "DEC-5", "Takes the temperature after top-p.", "", truncated(func(p *plain, row []float32, ranked []int, a op.SamplingAttrs) []int {
		a.Temperature = 1
		return p.topKThenP(row, ranked, a)
	})},
	{"distribution-top-p-before-top-k", "distribution", "DEC-5", "Takes top-p before top-k.", "", truncated(func(p *plain, row []float32, ranked []int, a op.SamplingAttrs) []int {
		k := a.TopK
		a.TopK = 0
		ranked = p.topKThenP(row, ranked, a)
		return ranked[:p.keepK(ranked, row, k)]
	})},
	{"distribution-not-renormalised", "distribution", "DEC-5", "Leaves the probabilities as they were before top-k and top-p.", "", func(p *plain) {
		var all []float32
		p.ranked = func(row []float32, left []int) []int {
			all = gather(row, left)
			return ranked(row, left)
		}
		p.divide = func(x []float32, s float32) {
			m := rowMax(all)
			var total float32
			for _, v := range all {
				total += exp32(v - m)
			}
			divide(x, total)
		}
	}},
	{"distribution-maximum-after-division", "distribution", "DEC-6", "Divides by the temperature before it subtracts the maximum.", "transformers #11267", func(p *plain) {
		p.scaled = func(x, m, temperature float32) float32 { return x/temperature - m/temperature }
	}},
	{"distribution-temperature-zero-divides", "distribution", "DEC-7", "Divides by a temperature of 0.", "", func(p *plain) {
		p.greedyProbs = func(probs, row []float32, ranked []int) {
			for n, x := range p.probsOf(row, ranked, 0) {
				probs[ranked[n]] = x
			}
		}
	}},
	{"distribution-temperature-zero-shared", "distribution", "DEC-7", "Shares the probability among equal logits at temperature 0.", "", func(p *plain) {
		p.greedyProbs = func(probs, row []float32, ranked []int) {
			n := 0
			for n < len(ranked) && row[ranked[n]] == row[ranked[0]] {
				n++
			}
			for _, i := range ranked[:n] {
				probs[i] = 1 / float32(n)
			}
		}
	}},
	{"distribution-temperature-zero-ignored", "distribution", "DEC-7", "Takes temperature 0 for 1.", "", func(p *plain) {
		p.greedyProbs = func(probs, row []float32, ranked []int) {
			for n, x := range p.probsOf(row, ranked, 1) {
				probs[ranked[n]] = x
			}
		}
	}},
	{"distribution-top-k-keeps-ties", "distribution", "DEC-8", "Keeps all that equal the k-th.", "Hugging Face, GPT-2's sample.py", func(p *plain) {
		p.keepK = func(ranked []int, row []float32, k int) int {
			n := keepK(ranked, row, k)
			for n < len(ranked) && row[ranked[n]] == row[ranked[n-1]] {
				n++
			}
			return n
		}
	}},
	{"distribution-top-k-off-by-one", "distribution", "DEC-8", "Keeps k + 1.", "", func(p *plain) {
		p.keepK = func(ranked []int, row []float32, k int) int {
			if k > 0 {
				k++
			}
			return keepK(ranked, row, k)
		}
	}},
	{"distribution-top-k-last-of-ties", "distribution", "DEC-3", "Keeps the last of equal logits.", "", func(p *plain) { p.ranked = lastFirst }},
	{"distribution-top-k-beyond", "distribution", "DEC-8", "Panics where k is greater than the vocabulary.", "", func(p *plain) {
		p.keepK = func(ranked []int, row []float32, k int) int {
			if k > len(row) {
				return len(row) + 1
			}
			return keepK(ranked, row, k)
		}
	}},
	{"distribution-top-k-counts-hidden", "distribution", "DEC-2", "Counts tokens at -Inf among the k.", "", func(p *plain) {
		p.selectable = func(float32) bool { return true }
		p.ranked = func(_ []float32, left []int) []int { return left }
	}},
	{"distribution-top-p-excludes-crossing", "distribution", "DEC-9", "Drops the token that crosses p.", "esm #360, fish-speech #1171", func(p *plain) {
		p.nucleus = func(probs []float32, topP float32) int { return max(1, nucleus(probs, topP)-1) }
	}},
	{"distribution-top-p-none", "distribution", "DEC-9", "Leaves no token where the first crosses p.", "", func(p *plain) {
		p.nucleus = func(probs []float32, topP float32) int {
			if probs[0] > topP {
				return 0
			}
			return nucleus(probs, topP)
		}
	}},
	{"distribution-top-p-greater", "distribution", "DEC-9", "Goes on at a sum that equals p: > for >=.", "transformers #18976", func(p *plain) {
		p.nucleus = func(probs []float32, topP float32) int {
			var sum float32
			for n, x := range probs {
				if sum += x; sum > topP {
					return n + 1
				}
			}
			return len(probs)
		}
	}},
	{"distribution-top-p-from-below", "distribution", "DEC-9", "Drops the last tokens as long as they sum to no more than 1 - p, which is 1 where p is tiny.", "", func(p *plain) {
		p.nucleus = func(probs []float32, topP float32) int {
			n, tail := len(probs), float32(0)
			for ; n > 0; n-- {
				if tail += probs[n-1]; tail > 1-topP {
					break
				}
			}
			return n
		}
	}},
	{"distribution-top-p-index-order", "distribution", "DEC-9", "Goes through the tokens by index.", "", truncated(func(p *plain, row []float32, ranked []int, a op.SamplingAttrs) []int {
		ranked = ranked[:p.keepK(ranked, row, a.TopK)]
		if a.TopP < 1 {
			ranked = slices.Sorted(slices.Values(ranked))
			ranked = ranked[:p.nucleus(p.probsOf(row, ranked, a.Temperature), float32(a.TopP))]
		}
		return ranked
	})},
	{"distribution-top-p-of-all", "distribution", "DEC-9", "Sums the probabilities of before top-k.", "", truncated(func(p *plain, row []float32, ranked []int, a op.SamplingAttrs) []int {
		left := p.keepK(ranked, row, a.TopK)
		if a.TopP < 1 {
			left = min(left, p.nucleus(p.probsOf(row, ranked, a.Temperature), float32(a.TopP)))
		}
		return ranked[:left]
	})},
	{"distribution-top-p-threshold", "distribution", "DEC-9", "Keeps tokens whose probability is at least 1 - p.", "", func(p *plain) {
		p.nucleus = func(probs []float32, topP float32) int {
			n := 1
			for n < len(probs) && probs[n] >= 1-topP {
				n++
			}
			return n
		}
	}},
	{"distribution-top-p-one-cuts", "distribution", "DEC-10", "Stops at a rounded sum of 1 although p is 1.", "", truncated(func(p *plain, row []float32, ranked []int, a op.SamplingAttrs) []int {
		ranked = ranked[:p.keepK(ranked, row, a.TopK)]
		return ranked[:p.nucleus(p.probsOf(row, ranked, a.Temperature), float32(a.TopP))]
	})},
	{"distribution-temperature-magnitude", "distribution", "DEC-11", "Takes the magnitude of a negative temperature.", "", func(p *plain) {
		p.attributes = func(a []byte) []byte { return bytes.ReplaceAll(a, []byte(`"temperature":-`), []byte(`"temperature":`)) }
	}},
})

var _ = plant([]bug{
	{"sample-at-least", "sample", "DEC-12", "Takes the first sum that is at least u: >= for >.", "", func(p *plain) {
		p.inverse = func(probs []float32, u float32) int {
			var sum float32
			for i, x := range probs {
				if sum += x; sum >= u {
					return i
				}
			}
			return inverse(probs, u)
		}
	}},
	{"sample-by-rank", "sample", "DEC-12", "Sums by rank, not by index.", "llama.cpp", func(p *plain) {
		p.inverse = func(probs []float32, u float32) int {
			order := identity(len(probs))
			slices.SortStableFunc(order, func(i, j int) int { return descending(probs[i], probs[j]) })
			return order[inverse(gather(probs, order), u)]
		}
	}},
	{"sample-from-end", "sample", "DEC-12", "Sums from the last index.", "", func(p *plain) {
		p.inverse = func(probs []float32, u float32) int {
			backwards := slices.Clone(probs)
			slices.Reverse(backwards)
			return len(probs) - 1 - inverse(backwards, u)
		}
	}},
	{"sample-low-bits", "sample", "DEC-12", "Takes the lower 24 bits of a draw.", "math/rand/v2's Float32", func(p *plain) {
		p.uniform24 = func(bits int64) (float32, error) {
			_, err := draw(bits)
			return float32(bits&(1<<24-1)) * 0x1p-24, err
		}
	}},
	{"sample-draw-rounded", "sample", "DEC-12", "Rounds a draw of 32 bits to float32, so that u may be 1.", "", func(p *plain) {
		p.uniform24 = func(bits int64) (float32, error) {
			_, err := draw(bits)
			return float32(float64(bits) * 0x1p-32), err
		}
	}},
	{"sample-greedy", "sample", "DEC-12", "Chooses the token of the largest probability.", "", func(p *plain) {
		p.inverse = func(probs []float32, _ float32) int { return slices.Index(probs, rowMax(probs)) }
	}},
	{"sample-distribution-ignored", "sample", "DEC-12", "Ignores top-k and top-p.", "", func(p *plain) {
		p.stages = func(_ []float32, ranked []int, _ op.SamplingAttrs) []int { return ranked }
	}},
	{"sample-zero-chosen", "sample", "DEC-13", "Chooses the first token at u = 0, whatever its probability.", "", func(p *plain) {
		p.inverse = func(probs []float32, u float32) int {
			if u == 0 {
				return 0
			}
			return inverse(probs, u)
		}
	}},
	{"sample-last-index", "sample", "DEC-13", "Chooses the last token of all where no sum exceeds u.", "", func(p *plain) {
		p.inverse = func(probs []float32, u float32) int {
			var sum float32
			for i, x := range probs {
				if sum += x; sum > u {
					return i
				}
			}
			return len(probs) - 1
		}
	}},
	{"sample-draw-wraps", "sample", "DEC-14", "Takes a draw modulo 2^32.", "", func(p *plain) {
		p.uniform24 = func(bits int64) (float32, error) { return uniform24(bits & (1<<32 - 1)) }
	}},
	{"sample-nan-row", "sample", "DEC-1", "Samples from a row that holds a NaN.", "", func(p *plain) { p.usable = ofNumbers }},
})
