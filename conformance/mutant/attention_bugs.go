package mutant

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// masking returns the bug of a visibility rule.
func masking(f func(i, j, tq, tk int, causal bool, window int) bool) func(*plain) {
	return func(p *plain) { p.visible = f }
}

// flash returns the bug of an attention in tiles.
func flash(plant func(*plain)) func(*plain) {
	return func(p *plain) {
		p.attend = p.online
		plant(p)
	}
}

var _ = plant([]bug{
	{"attention-causal-off-by-one", "attention", "MSK-1", "The causal mask lets a query see one key of the future.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		pos := i + tk - tq
		return (!causal || j <= pos+1) && within(pos-j, causal, window)
	})},
	{"attention-causal-strict", "attention", "MSK-1", "The causal mask hides the query's own position.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		pos := i + tk - tq
		return (!causal || j < pos) && within(pos-j, causal, window)
	})},
	{"attention-causal-top-left", "attention", "MSK-1", "The causal mask is aligned with the first key and not with the last.", "onnx #7297, #8068", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return (!causal || j <= i) && within(i+tk-tq-j, causal, window)
	})},
	{"attention-more-queries-panic", "attention", "BUF-6", "Panics where there are more queries than keys.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		if causal {
			seen := make([]bool, i+tk-tq+1)
			return j < len(seen) && within(i+tk-tq-j, causal, window)
		}
		return visible(i, j, tq, tk, causal, window)
	})},
	{"attention-window-off-by-one", "attention", "MSK-2", "The window holds one key more.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		if window > 0 {
			window++
		}
		return visible(i, j, tq, tk, causal, window)
	})},
	{"attention-window-ignored", "attention", "MSK-2", "Ignores the window.", "", masking(func(i, j, tq, tk int, causal bool, _ int) bool {
		return visible(i, j, tq, tk, causal, 0)
	})},
	{"attention-window-one-sided", "attention", "MSK-3", "Without causal, the window bounds the past only.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return visible(i, j, tq, tk, causal, 0) && within(i+tk-tq-j, true, window)
	})},
	{"attention-window-or-causal", "attention", "MSK-9", "Shows a key that the window or causal admits.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		pos := i + tk - tq
		return visible(i, j, tq, tk, causal, window) || causal && window > 0 && (j <= pos || within(pos-j, false, window))
	})},
	{"attention-nan-spreads", "attention", "ATT-8", "Does not reset a maximum of NaN for the next query.", "", func(p *plain) {
		met := false
		p.rowMax = func(x []float32) float32 {
			m := rowMax(x)
			if met = met || m != m; met {
				return nan
			}
			return m
		}
	}},
	{"attention-scale-missing", "attention", "ATT-2", "Does not scale by default.", "", func(p *plain) {
		p.scale = func(attr *float64, s scaling) float64 {
			if attr == nil {
				return 1
			}
			return *attr
		}
	}},
	{"attention-scale-no-root", "attention", "ATT-2", "Scales by 1/D.", "", func(p *plain) {
		p.scale = func(attr *float64, s scaling) float64 {
			return attentionScale(attr, scaling{headDim: s.headDim * s.headDim})
		}
	}},
	{"attention-scale-of-values", "attention", "ATT-2", "Makes the scale of the values' dimension.", "", func(p *plain) {
		p.scale = func(attr *float64, s scaling) float64 { return attentionScale(attr, scaling{headDim: s.valueDim}) }
	}},
	{"attention-scale-ignored", "attention", "ATT-1", "Ignores the scale attribute.", "", func(p *plain) {
		p.scale = func(_ *float64, s scaling) float64 { return attentionScale(nil, s) }
	}},
	{"attention-scale-twice", "attention", "ATT-1", "Scales the queries, and the scores again.", "", func(p *plain) {
		p.score = func(dot, scale, softcap, bias float32) float32 { return score(dot, scale*scale, softcap, bias) }
	}},
	{"attention-heads-modulo", "attention", "ATT-4", "Deals query heads to KV heads in turn: h mod G.", "", func(p *plain) {
		p.kvHead = func(h, _, kvHeads int) int { return h % kvHeads }
	}},
	{"attention-mask-1e9", "attention", "MSK-10", "Gives hidden keys a score of -1e9.", "", func(p *plain) {
		p.hidden = func() (float32, bool) { return -1e9, true }
	}},
	{"attention-masked-row-nan", "attention", "MSK-10", "Gives NaN for a query that sees no key.", "", func(p *plain) {
		p.emptyRow = func(out []float32) {
			for c := range out {
				out[c] = nan
			}
		}
	}},
	{"attention-masked-value-leaks", "attention", "MSK-11", "Multiplies the values of hidden keys by 0, so that their NaN stays.", "pytorch #101967", func(p *plain) {
		p.hidden = func() (float32, bool) { return -inf, true }
	}},
	{"attention-zero-weight-skipped", "attention", "ATT-7", "Excludes keys by a weight of 0.", "", func(p *plain) {
		p.weigh = func(w, v []float32) float32 {
			var sum float32
			for j := range w {
				if w[j] != 0 {
					sum += w[j] * v[j]
				}
			}
			return sum
		}
	}},
	{"attention-nan-maximum", "attention", "ATT-6", "Takes a score of NaN for -Inf.", "", func(p *plain) {
		p.score = func(dot, scale, softcap, bias float32) float32 {
			if s := score(dot, scale, softcap, bias); s == s {
				return s
			}
			return -inf
		}
	}},
	{"attention-bool-mask-inverted", "attention", "MSK-4", "Hides where the mask is true.", "", func(p *plain) {
		p.boolMask = func(m bool) (bool, float32) { return !m, 0 }
	}},
	{"attention-bool-mask-added", "attention", "MSK-4", "Adds a boolean mask to the scores as 0 and 1.", "", func(p *plain) {
		p.boolMask = func(m bool) (bool, float32) {
			if m {
				return true, 1
			}
			return true, 0
		}
	}},
	{"attention-mask-before-scale", "attention", "MSK-5", "Adds the mask before scaling.", "", func(p *plain) {
		p.score = func(dot, scale, _, bias float32) float32 { return (dot + bias) * scale }
	}},
	{"attention-float-mask-boolean", "attention", "MSK-5", "Takes a float mask for a boolean one: only its -Inf counts.", "", func(p *plain) {
		p.floatMask = func(m float32) (bool, float32) { return m != -inf, 0 }
	}},
	{"attention-mask-huge-hides", "attention", "MSK-6", "Hides a key whose mask is finite but below -1e9.", "", func(p *plain) {
		p.floatMask = func(m float32) (bool, float32) { return !(m < -1e9), m }
	}},
	{"attention-mask-nan-hides", "attention", "MSK-7", "Hides a key whose mask is NaN.", "", func(p *plain) {
		p.floatMask = func(m float32) (bool, float32) { return m > -inf, m }
	}},
	{"attention-mask-first-item", "attention", "MSK-8", "Uses the mask of the first batch item for all.", "", func(p *plain) {
		p.maskPlane = func(_, h int, shape []int) int { return maskPlane(0, h, shape) }
	}},
	{"attention-mask-first-head", "attention", "MSK-8", "Uses the mask of the first head for all.", "", func(p *plain) {
		p.maskPlane = func(b, _ int, shape []int) int { return maskPlane(b, 0, shape) }
	}},
	{"attention-mask-heads-cycle", "attention", "MSK-8", "Counts the planes of a mask without regard to which axes it has.", "", func(p *plain) {
		p.maskPlane = func(b, h int, shape []int) int { return (b + h) % (shape[0] * shape[1]) }
	}},
	{"attention-no-maximum", "attention", "ATT-3", "Does not subtract the maximum.", "", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
	{"attention-maximum-of-prefix", "attention", "ATT-3", "Takes the maximum over the first 16 scores.", "", func(p *plain) {
		p.rowMax = func(x []float32) float32 { return rowMax(x[:min(16, len(x))]) }
	}},
	{"attention-exp2-unshifted", "attention", "MSK-6", "Forms exp(s - m) as 2^(s log2(e) - m log2(e)), whose second product is rounded on its own: huge masks overflow.", "", func(p *plain) {
		p.expDiff = exp2Unshifted
	}},
	{"attention-denominator-1e-6", "attention", "ATT-5", "Adds 1e-6 to the denominator.", "", plusConstant(1e-6)},
	{"attention-denominator-1e-5", "attention", "ATT-5", "Adds 1e-5 to the denominator.", "onnx: all 56 attention vectors pass with it", plusConstant(1e-5)},
	{"attention-bfloat16-weights", "attention", "ATT-1", "Rounds the weights to bfloat16 before it uses them.", "", func(p *plain) {
		p.probs = func(w []float32) { copy(w, rounded(w, 8)) }
	}},
	{"attention-rescale-forgotten", "attention", "ATT-1", "In tiles: does not rescale the output when the maximum grows.", "", flash(func(p *plain) {
		p.rescale = func(_, _ float32) float32 { return 1 }
	})},
	{"attention-maximum-of-tile", "attention", "ATT-1", "In tiles: relates each tile to its own maximum, and scales the output down but never up.", "", flash(func(p *plain) {
		p.blockMax = func(_, tile float32) float32 { return tile }
		p.rescale = func(old, next float32) float32 { return min(1, rescale(old, next)) }
	})},
	{"attention-maximum-of-nothing", "attention", "ATT-3", "In tiles: takes 0 for the maximum of a tile in which a query sees no key.", "", flash(func(p *plain) {
		p.hidden = func() (float32, bool) { return -inf, true }
		p.blockMax = func(old, tile float32) float32 {
			if tile == -inf {
				tile = 0
			}
			return max(old, tile)
		}
	})},
	{"attention-softcap-ignored", "attention", "ATT-9", "Ignores the soft cap.", "", scoring(func(dot, scale, _, bias float32) float32 {
		return score(dot, scale, 0, bias)
	})},
	{"attention-softcap-after-mask", "attention", "ATT-9", "Caps what the mask has been added to.", "", scoring(func(dot, scale, softcap, bias float32) float32 {
		return capped(score(dot, scale, 0, bias), softcap)
	})},
	{"attention-softcap-before-scale", "attention", "ATT-9", "Caps the products, and scales what comes out.", "", scoring(func(dot, scale, softcap, bias float32) float32 {
		return float32(capped(dot, softcap)*scale) + bias
	})},
	{"attention-softcap-not-multiplied", "attention", "ATT-9", "Divides by the soft cap and does not multiply by it again.", "", scoring(func(dot, scale, softcap, bias float32) float32 {
		if softcap == 0 {
			return score(dot, scale, 0, bias)
		}
		return tanh32(float32(dot*scale)/softcap) + bias
	})},
	{"attention-softcap-clamps", "attention", "ATT-9", "Clamps scores to the soft cap.", "", scoring(func(dot, scale, softcap, bias float32) float32 {
		if softcap == 0 {
			return score(dot, scale, 0, bias)
		}
		return min(max(float32(dot*scale), -softcap), softcap) + bias
	})},
	{"attention-last-tile-dropped", "attention", "ATT-1", "In tiles: drops the keys that do not fill the last tile.", "", flash(func(p *plain) {
		p.tiles = func(keys int) int {
			if keys < tile {
				return keys
			}
			return keys / tile * tile
		}
	})},
})

// backwards returns the bug of a backward pass that takes the setting of the forward pass for another.
func backwards(change func(s *setting)) func(*plain) {
	return func(p *plain) {
		p.backward = func(s setting) setting {
			change(&s)
			return s
		}
	}
}

var _ = plant([]bug{
	{"attention-grad-second-term-missing", "attention.grad", "GRAD-17", "Leaves sum p dp out of the softmax gradient.", "", func(p *plain) {
		p.delta = func(_, _ []float32, _ func() float32) float32 { return 0 }
	}},
	{"attention-grad-delta-unweighted", "attention.grad", "GRAD-17", "Subtracts the mean of dp, not weighted by p.", "", func(p *plain) {
		p.delta = func(_, dp []float32, _ func() float32) float32 { return p.sum(dp) / float32(len(dp)) }
	}},
	{"attention-grad-delta-of-tile", "attention.grad", "GRAD-17", "Forms sum p dp over the first 16 keys.", "", func(p *plain) {
		p.delta = func(probs, dp []float32, _ func() float32) float32 { return p.dot(probs[:min(tile, len(probs))], dp) }
	}},
	{"attention-grad-scale-missing", "attention.grad", "GRAD-17", "Does not scale the gradient of the keys.", "", func(p *plain) {
		p.scaleGrads = func(scale float32) (dq, dk float32) { return scale, 1 }
	}},
	{"attention-grad-scale-twice", "attention.grad", "GRAD-17", "Scales the gradient of the queries twice.", "", func(p *plain) {
		p.scaleGrads = func(scale float32) (dq, dk float32) { return scale * scale, scale }
	}},
	{"attention-grad-scale-default", "attention.grad", "GRAD-17", "Ignores the scale attribute.", "", func(p *plain) {
		p.scale = func(_ *float64, s scaling) float64 { return attentionScale(nil, s) }
	}},
	{"attention-grad-sees-future", "attention.grad", "GRAD-19", "Is not causal in the backward pass.", "", backwards(func(s *setting) { s.causal = false })},
	{"attention-grad-causal-top-left", "attention.grad", "GRAD-19", "Aligns the causal mask with the first key.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return (!causal || j <= i) && within(i+tk-tq-j, causal, window)
	})},
	{"attention-grad-window-ignored", "attention.grad", "GRAD-19", "Ignores the window in the backward pass.", "", backwards(func(s *setting) { s.window = 0 })},
	{"attention-grad-mask-ignored", "attention.grad", "GRAD-19", "Ignores the mask in the backward pass.", "", backwards(func(s *setting) { s.mask = op.Tensor{} })},
	{"attention-grad-hidden-value-leaks", "attention.grad", "GRAD-19", "Gives hidden keys a score of -Inf, and multiplies what they hold by 0.", "", func(p *plain) {
		p.hidden = func() (float32, bool) { return -inf, true }
	}},
	{"attention-grad-heads-overwrite", "attention.grad", "GRAD-18", "Keeps the last of the query heads that share a KV head.", "", func(p *plain) {
		p.addHead = func(dst, part matrix) { copy(dst.data, part.data) }
	}},
	{"attention-grad-heads-modulo", "attention.grad", "GRAD-18", "Deals query heads to KV heads in turn: h mod G.", "", func(p *plain) {
		p.kvHead = func(h, _, kvHeads int) int { return h % kvHeads }
	}},
	{"attention-grad-heads-mean", "attention.grad", "GRAD-18", "Averages over the query heads that share a KV head.", "", func(p *plain) {
		group := 1
		p.kvHead = func(h, heads, kvHeads int) int {
			group = heads / kvHeads
			return kvHead(h, heads, kvHeads)
		}
		p.addHead = func(dst, part matrix) {
			for i := range dst.data {
				dst.data[i] += part.data[i] / float32(group)
			}
		}
	}},
	{"attention-grad-masked-row-nan", "attention.grad", "GRAD-20", "Gives NaN for a query that sees no key.", "", func(p *plain) {
		p.emptyGrad = func(dq []float32) {
			for c := range dq {
				dq[c] = nan
			}
		}
	}},
	{"attention-grad-masked-row-uniform", "attention.grad", "GRAD-20", "Gives hidden keys a score of -1e9, so that a query that sees none has a gradient.", "", func(p *plain) {
		p.hidden = func() (float32, bool) { return -1e9, true }
	}},
	{"attention-grad-nan-query-skipped", "attention.grad", "GRAD-21", "Leaves queries that hold a NaN out of the gradients of the keys.", "", func(p *plain) {
		p.seenBy = func(queries []int, q matrix) []int {
			return slices.DeleteFunc(slices.Clone(queries), func(i int) bool {
				return slices.ContainsFunc(q.row(i), func(x float32) bool { return x != x })
			})
		}
	}},
	{"attention-grad-all-queries", "attention.grad", "GRAD-21", "Sums over hidden queries, too, with weights of 0: their NaN stays.", "", func(p *plain) {
		p.seenBy = func(_ []int, q matrix) []int { return identity(q.rows) }
	}},
	{"attention-grad-softcap-constant", "attention.grad", "GRAD-17", "Takes the soft cap for a constant factor: leaves its derivative out.", "", func(p *plain) {
		p.capSlope = func(_, _ float32) float32 { return 1 }
	}},
	{"attention-grad-softcap-of-capped", "attention.grad", "GRAD-17", "Forms the derivative of the soft cap at the capped score.", "", func(p *plain) {
		p.capSlope = func(scaled, softcap float32) float32 { return capSlope(capped(scaled, softcap), softcap) }
	}},
})

// scoring returns the bug of a score.
func scoring(f func(dot, scale, softcap, bias float32) float32) func(*plain) {
	return func(p *plain) { p.score = f }
}

// staged returns the bug of a stage that is taken for another.
func staged(from, to string) func(*plain) {
	return func(p *plain) {
		p.stage = func(name string) string {
			if name == from {
				return to
			}
			return name
		}
	}
}

var _ = plant([]bug{
	{"attention-scores-unscaled", "attention.scores", "ATT-10", "Gives the products as they are.", "", scoring(func(dot, _, softcap, bias float32) float32 {
		return score(dot, 1, softcap, bias)
	})},
	{"attention-scores-capped", "attention.scores", "ATT-10", "Gives capped scores where the scaled ones are asked for.", "", staged("scores", "capped")},
	{"attention-scores-uncapped", "attention.scores", "ATT-9", "Gives the scaled scores where capped ones are asked for.", "", staged("capped", "scores")},
	{"attention-scores-masked-late", "attention.scores", "ATT-10", "Gives capped scores where masked ones are asked for.", "", staged("masked", "capped")},
	{"attention-scores-logits-for-weights", "attention.scores", "ATT-10", "Gives masked scores where weights are asked for.", "", staged("weights", "masked")},
	{"attention-scores-cap-after-mask", "attention.scores", "ATT-9", "Caps what the mask has been added to.", "", scoring(func(dot, scale, softcap, bias float32) float32 {
		return capped(score(dot, scale, 0, bias), softcap)
	})},
	{"attention-scores-mask-1e9", "attention.scores", "ATT-10", "Gives hidden keys a score of -1e9.", "", func(p *plain) {
		p.hiddenScore = func(stage string) float32 { return max(hiddenScore(stage), -1e9) }
	}},
	{"attention-scores-masked-row-nan", "attention.scores", "ATT-11", "Gives weights of NaN to a query that sees no key.", "", func(p *plain) {
		p.emptyRow = func(out []float32) {
			for c := range out {
				out[c] = nan
			}
		}
	}},
	{"attention-scores-heads-modulo", "attention.scores", "ATT-4", "Deals query heads to KV heads in turn: h mod G.", "", func(p *plain) {
		p.kvHead = func(h, _, kvHeads int) int { return h % kvHeads }
	}},
	{"attention-scores-causal-top-left", "attention.scores", "MSK-1", "The causal mask is aligned with the first key and not with the last.", "onnx #7297, #8068", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return (!causal || j <= i) && within(i+tk-tq-j, causal, window)
	})},
	{"attention-scores-denominator-1e-5", "attention.scores", "ATT-5", "Adds 1e-5 to the denominator.", "", plusConstant(1e-5)},
})
