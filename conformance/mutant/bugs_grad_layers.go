package mutant

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// backwards returns the bug of a backward pass that takes the setting of the forward pass for another.
func backwards(change func(s *setting)) func(*plain) {
	return func(p *plain) {
		p.backward = func(s setting) setting {
			change(&s)
			return s
		}
	}
}

// wired returns the bug of a block of one kind of normalization whose sublayers are connected wrongly.
func wired(kind string, f func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix) func(*plain) {
	return func(p *plain) {
		p.wireGrad = func(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix {
			if norm != kind {
				return p.residualGrad(norm, x, dy, s, g)
			}
			return f(p, x, dy, s, g)
		}
	}
}

// amended returns the bug of wrong gradients of some parameters.
func amended(f func(p *plain, g *blockGrads)) func(*plain) {
	return func(p *plain) { p.amendGrads = func(g *blockGrads) { f(p, g) } }
}

func zeros(x []float32) []float32 { return make([]float32, len(x)) }

var attentionGradBugs = []bug{
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
}

var mhaGradBugs = []bug{
	{"mha-grad-key-path-missing", "mha.grad", "GRAD-22", "Leaves the path through the keys out of dx.", "", func(p *plain) {
		p.paths = func(q, _, v matrix) matrix { return p.add(q, v) }
	}},
	{"mha-grad-value-path-missing", "mha.grad", "GRAD-22", "Leaves the path through the values out of dx.", "", func(p *plain) {
		p.paths = func(q, k, _ matrix) matrix { return p.add(q, k) }
	}},
	{"mha-grad-bias-first-row", "mha.grad", "GRAD-22", "Takes the gradients of the biases at the first position.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return p.columnSums(firstRow(dy)) }
	}},
	{"mha-grad-heads-interleaved", "mha.grad", "GRAD-2", "Deals columns to heads in turn.", "", func(p *plain) {
		p.headColumn = func(h, c, heads, _ int) int { return c*heads + h }
	}},
	{"mha-grad-causal-ignored", "mha.grad", "GRAD-2", "Is not causal in the backward pass.", "", backwards(func(s *setting) { s.causal = false })},
	{"mha-grad-groups-overwrite", "mha.grad", "GRAD-18", "Keeps the last of the query heads that share a KV head.", "", func(p *plain) {
		p.addHead = func(dst, part matrix) { copy(dst.data, part.data) }
	}},
	{"mha-grad-key-bias-of-queries", "mha.grad", "GRAD-23", "Gives the bias of the queries' gradient for that of the keys.", "", amended(func(_ *plain, g *blockGrads) {
		if len(g.bk) == len(g.bq) {
			g.bk = g.bq
		}
	})},
	{"mha-grad-output-weights-transposed", "mha.grad", "GRAD-22", "Stores dwo as [d, HD].", "", amended(func(_ *plain, g *blockGrads) { g.wo = transposed(g.wo) })},
}

var ffnGradBugs = []bug{
	{"ffn-grad-slope-at-result", "ffn.grad", "GRAD-24", "Takes the slope of the activation at its result.", "", func(p *plain) {
		p.slopeAt = func(_, after float32) float32 { return after }
	}},
	{"ffn-grad-weights-before-activation", "ffn.grad", "GRAD-24", "Multiplies by what the activation was given in dw2.", "", func(p *plain) {
		p.hidden2 = func(before, _ matrix) matrix { return before }
	}},
	{"ffn-grad-activation-passed", "ffn.grad", "GRAD-24", "Passes the gradient through the activation unchanged.", "", func(p *plain) {
		p.reluGrad = func(_, dy float32) float32 { return dy }
		p.geluErfSlope = func(float32) float32 { return 1 }
		p.geluTanhSlope = func(float32) float32 { return 1 }
	}},
	{"ffn-grad-tanh-for-erf", "ffn.grad", "GRAD-24", "Differentiates the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErfSlope = geluTanhSlope }},
	{"ffn-grad-erf-for-tanh", "ffn.grad", "GRAD-24", "Differentiates the erf form of GELU for the tanh form.", "", func(p *plain) { p.geluTanhSlope = geluErfSlope }},
	{"ffn-grad-first-bias-last-row", "ffn.grad", "GRAD-24", "Takes the gradients of the biases at the last position.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return slices.Clone(dy.row(dy.rows - 1)) }
	}},
	{"ffn-grad-bias-required", "ffn.grad", "GRAD-2", "Does not compute dw1 where there is no bias.", "", amended(func(_ *plain, g *blockGrads) {
		if g.b1 == nil {
			g.w1.data = zeros(g.w1.data)
		}
	})},
}

var blockGradBugs = []bug{
	{"block-grad-first-skip-missing", "block.grad", "GRAD-25", "Passes nothing on beside attention.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
		return g.ln1(x, g.attn(normed, da))
	})},
	{"block-grad-second-skip-missing", "block.grad", "GRAD-25", "Passes nothing on beside the feed-forward layer.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := g.ln2(a, g.ffn(s.ln2(a), dy))
		return p.add(da, g.ln1(x, g.attn(normed, da)))
	})},
	{"block-grad-upstream-for-both", "block.grad", "GRAD-25", "Gives attention the gradient of the block, not that of its own result.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
		return p.add(da, g.ln1(x, g.attn(normed, dy)))
	})},
	{"block-grad-normalization-passed", "block.grad", "GRAD-25", "Passes the gradient through the first normalization unchanged.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
		through := g.attn(normed, da)
		g.ln1(x, through)
		return p.add(da, through)
	})},
	{"block-grad-pre-for-post", "block.grad", "GRAD-25", "Is pre-norm where post-norm is wanted.", "", wired("post", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		return p.residualGrad("pre", x, dy, s, g)
	})},
	{"block-grad-post-skip-before-norm", "block.grad", "GRAD-25", "Adds the gradient of a post-norm block past its normalization.", "", wired("post", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		sum := p.add(x, s.attn(x))
		a := s.ln1(sum)
		dr := g.ln2(p.add(a, s.ffn(a)), dy)
		da := p.add(dy, g.ffn(a, dr))
		ds := g.ln1(sum, da)
		return p.add(ds, g.attn(x, ds))
	})},
	{"block-grad-normalizations-exchanged", "block.grad", "GRAD-25", "Exchanges the gradients of the two normalizations.", "", amended(func(_ *plain, g *blockGrads) {
		g.ln1Gamma, g.ln1Beta, g.ln2Gamma, g.ln2Beta = g.ln2Gamma, g.ln2Beta, g.ln1Gamma, g.ln1Beta
	})},
	{"block-grad-causal-ignored", "block.grad", "GRAD-25", "Is not causal in the backward pass.", "", backwards(func(s *setting) { s.causal = false })},
	{"block-grad-window-ignored", "block.grad", "GRAD-25", "Ignores the window in the backward pass.", "", backwards(func(s *setting) { s.window = 0 })},
}

var crossEntropyGradBugs = []bug{
	{"cross-entropy-grad-target-missing", "cross_entropy.grad", "GRAD-26", "Does not subtract 1 at the target.", "", func(p *plain) {
		p.lossGrad = func(dx, probs []float32, _ int, dloss float32) {
			for j := range dx {
				dx[j] = probs[j] * dloss
			}
		}
	}},
	{"cross-entropy-grad-upstream-ignored", "cross_entropy.grad", "GRAD-26", "Takes the upstream gradient for 1.", "", func(p *plain) {
		p.upstream = func(_ []float32, row, counted, all int, reduction string) float32 {
			return upstream(ones(all), row, counted, all, reduction)
		}
	}},
	{"cross-entropy-grad-target-unscaled", "cross_entropy.grad", "GRAD-26", "Subtracts 1 at the target after the upstream gradient is multiplied.", "", func(p *plain) {
		p.lossGrad = func(dx, probs []float32, class int, dloss float32) {
			for j := range dx {
				dx[j] = probs[j] * dloss
			}
			dx[class]--
		}
	}},
	{"cross-entropy-grad-ignored-counts", "cross_entropy.grad", "GRAD-27", "Gives ignored rows the gradient of class 0.", "", func(p *plain) {
		p.ignoredGrad = func(dx, logits []float32, dloss float32) {
			probs := slices.Clone(logits)
			p.softmax(probs)
			lossGrad(dx, probs, 0, dloss)
		}
	}},
	{"cross-entropy-grad-ignored-product", "cross_entropy.grad", "GRAD-27", "Multiplies the gradient of ignored rows by 0, so that NaN stays.", "", func(p *plain) {
		p.ignoredGrad = func(dx, logits []float32, dloss float32) {
			for j := range dx {
				dx[j] = 0 * logits[j] * dloss
			}
		}
	}},
	{"cross-entropy-grad-ignore-index-fixed", "cross_entropy.grad", "GRAD-27", "Ignores -100 only, whatever the attribute says.", "", func(p *plain) {
		p.ignored = func(target int64, _ int) bool { return target == -100 }
		p.classOf = func(target int64, classes int) (int, error) { return int(max(0, target)) % classes, nil }
	}},
	{"cross-entropy-grad-mean-over-all", "cross_entropy.grad", "GRAD-28", "Divides by all rows, ignored ones included.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, _, all int, reduction string) float32 {
			return upstream(dloss, row, all, all, reduction)
		}
	}},
	{"cross-entropy-grad-mean-for-sum", "cross_entropy.grad", "GRAD-28", "Divides by the number of rows under sum, too.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, counted, all int, reduction string) float32 {
			if reduction == "sum" {
				reduction = "mean"
			}
			return upstream(dloss, row, counted, all, reduction)
		}
	}},
	{"cross-entropy-grad-mean-of-none", "cross_entropy.grad", "GRAD-28", "Gives 0/0 where every row is ignored.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, counted, _ int, reduction string) float32 {
			if reduction == "mean" {
				return dloss[0] / float32(counted)
			}
			return upstream(dloss, row, counted, counted, reduction)
		}
		p.ignoredGrad = func(dx, _ []float32, dloss float32) {
			for j := range dx {
				dx[j] = 0 * dloss
			}
		}
	}},
	{"cross-entropy-grad-target-clamped", "cross_entropy.grad", "GRAD-29", "Clamps targets to the classes.", "", func(p *plain) {
		p.classOf = func(target int64, classes int) (int, error) { return int(min(max(target, 0), int64(classes-1))), nil }
	}},
	{"cross-entropy-grad-nan-row-zero", "cross_entropy.grad", "GRAD-29", "Gives 0 in place of NaN.", "", func(p *plain) {
		p.lossGrad = func(dx, probs []float32, class int, dloss float32) {
			lossGrad(dx, probs, class, dloss)
			for j := range dx {
				dx[j] = withoutNaN(dx[j])
			}
		}
	}},
	{"cross-entropy-grad-no-maximum", "cross_entropy.grad", "GRAD-26", "Does not subtract the maximum when it computes p again.", "", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
}

var gptLossGradBugs = []bug{
	{"gpt-loss-grad-tied-output-missing", "gpt.loss.grad", "GRAD-31", "Leaves the use of the tied weights as output matrix out.", "", func(p *plain) {
		p.tie = func(embedding, _ matrix) matrix { return embedding }
	}},
	{"gpt-loss-grad-tied-embedding-missing", "gpt.loss.grad", "GRAD-31", "Leaves the use of the tied weights as embedding out.", "", func(p *plain) {
		p.tie = func(_, output matrix) matrix { return output }
	}},
	{"gpt-loss-grad-tied-mean", "gpt.loss.grad", "GRAD-31", "Averages the two uses of the tied weights.", "", func(p *plain) {
		p.tie = func(embedding, output matrix) matrix { return p.times(p.add(embedding, output), 0.5) }
	}},
	{"gpt-loss-grad-repeated-ids-overwrite", "gpt.loss.grad", "GRAD-30", "Writes the gradient of a repeated id over that of its first use.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t, row := range rows {
				copy(dtable.row(row), dy.row(t))
			}
		}
	}},
	{"gpt-loss-grad-positions-first-sequence", "gpt.loss.grad", "GRAD-30", "Takes dwpe of the first sequence only.", "", func(p *plain) {
		p.positionRows = func(dy matrix, seqLen int) matrix { return matrix{seqLen, dy.cols, dy.data[:seqLen*dy.cols]} }
	}},
	{"gpt-loss-grad-last-layer-only", "gpt.loss.grad", "GRAD-30", "Passes nothing on below the first layer that it meets.", "", func(p *plain) {
		p.wireGrad = func(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix {
			p.residualGrad(norm, x, dy, s, g)
			return dy
		}
	}},
	{"gpt-loss-grad-embedding-not-scaled", "gpt.loss.grad", "GRAD-32", "Does not multiply the embedding's part by sqrt(d).", "", func(p *plain) {
		p.embeddingPart = func(float32) float32 { return 1 }
	}},
	{"gpt-loss-grad-positions-scaled", "gpt.loss.grad", "GRAD-32", "Multiplies dwpe by sqrt(d), too.", "", func(p *plain) {
		p.positionPart = func(scale float32) float32 { return scale }
	}},
	{"gpt-loss-grad-output-scaled", "gpt.loss.grad", "GRAD-32", "Multiplies both uses of the tied weights by sqrt(d).", "", func(p *plain) {
		scale := float32(1)
		p.embeddingPart = func(s float32) float32 {
			scale = s
			return s
		}
		p.tie = func(embedding, output matrix) matrix { return p.add(embedding, p.times(output, scale)) }
	}},
	{"gpt-loss-grad-id-clamped", "gpt.loss.grad", "GRAD-33", "Clamps ids to the vocabulary.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"gpt-loss-grad-target-clamped", "gpt.loss.grad", "GRAD-33", "Clamps targets to the vocabulary.", "", func(p *plain) {
		p.classOf = func(target int64, classes int) (int, error) { return int(min(max(target, 0), int64(classes-1))), nil }
	}},
	{"gpt-loss-grad-mean-over-all", "gpt.loss.grad", "GRAD-28", "Divides the mean by all targets, ignored ones included.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, _, all int, reduction string) float32 {
			return upstream(dloss, row, all, all, reduction)
		}
	}},
	{"gpt-loss-grad-mean-for-sum", "gpt.loss.grad", "GRAD-34", "Divides by the number of targets under sum, too.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, counted, all int, reduction string) float32 {
			if reduction == "sum" {
				reduction = "mean"
			}
			return upstream(dloss, row, counted, all, reduction)
		}
	}},
	{"gpt-loss-grad-ignored-counts", "gpt.loss.grad", "GRAD-27", "Gives ignored targets the gradient of token 0.", "", func(p *plain) {
		p.ignored = func(int64, int) bool { return false }
		p.gradTargets = func(targets []int64) []int64 {
			out := make([]int64, len(targets))
			for i := range targets {
				out[i] = max(0, targets[i])
			}
			return out
		}
	}},
	{"gpt-loss-grad-not-causal", "gpt.loss.grad", "GRAD-30", "Is not causal in the backward pass.", "", backwards(func(s *setting) { s.causal = false })},
	{"gpt-loss-grad-windows-ignored", "gpt.loss.grad", "GRAD-30", "Ignores the windows in the backward pass.", "", backwards(func(s *setting) { s.window = 0 })},
	{"gpt-loss-grad-weights-first-position", "gpt.loss.grad", "GRAD-30", "Takes the gradients of all weights at the first position.", "", everyRow(firstRow)},
}
