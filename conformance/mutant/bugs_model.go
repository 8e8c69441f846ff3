package mutant

var mhaBugs = []bug{
	{"mha-heads-interleaved", "mha", "MHA-2", "Deals columns to heads in turn.", "", func(p *plain) {
		p.headColumn = func(h, c, heads, _ int) int { return c*heads + h }
	}},
	{"mha-output-bias-missing", "mha", "MHA-1", "Does not add bo.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) { w.bo = nil }
	}},
	{"mha-query-bias-missing", "mha", "MHA-1", "Does not add bq.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) { w.bq = nil }
	}},
	{"mha-value-bias-missing", "mha", "MHA-1", "Does not add bv.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) { w.bv = nil }
	}},
	{"mha-queries-as-keys", "mha", "MHA-1", "Exchanges queries and keys.", "", func(p *plain) {
		p.amendMHA = func(w *projections, _ *setting) {
			if w.heads == w.kvHeads {
				w.wq, w.wk, w.bq, w.bk = w.wk, w.wq, w.bk, w.bq
			}
		}
	}},
	{"mha-scale-of-model", "mha", "MHA-5", "Makes the scale of the width of all heads.", "", func(p *plain) {
		p.scale = func(attr *float64, s scaling) float64 {
			return attentionScale(attr, scaling{headDim: s.headDim * s.heads})
		}
	}},
	{"mha-head-dim-of-model", "mha", "MHA-3", "Takes d over the number of heads for the head dimension of the scale.", "", func(p *plain) {
		p.amendMHA = func(w *projections, s *setting) { s.scale = attentionScale(nil, scaling{headDim: w.wq.rows / w.heads}) }
	}},
	{"mha-causal-ignored", "mha", "MHA-5", "Is not causal.", "", func(p *plain) {
		p.amendMHA = func(_ *projections, s *setting) { s.causal = false }
	}},
	{"mha-window-ignored", "mha", "MHA-5", "Ignores the window.", "", func(p *plain) {
		p.amendMHA = func(_ *projections, s *setting) { s.window = 0 }
	}},
	{"mha-mask-inverted", "mha", "MHA-5", "Hides where the mask is true.", "", func(p *plain) {
		p.boolMask = func(m bool) (bool, float32) { return !m, 0 }
	}},
	{"mha-heads-modulo", "mha", "MHA-4", "Deals query heads to KV heads in turn: h mod G.", "", func(p *plain) {
		p.kvHead = func(h, _, kvHeads int) int { return h % kvHeads }
	}},
}

var ffnBugs = []bug{
	{"ffn-tanh-for-erf", "ffn", "FFN-2", "Computes the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErf = geluTanh }},
	{"ffn-erf-for-tanh", "ffn", "FFN-2", "Computes the erf form of GELU for the tanh form.", "", func(p *plain) { p.geluTanh = geluErf }},
	{"ffn-activation-ignored", "ffn", "FFN-2", "Computes GELU where ReLU is wanted.", "", func(p *plain) {
		p.activation = func(name string) string {
			if name == "relu" {
				return "gelu"
			}
			return name
		}
	}},
	{"ffn-first-bias-missing", "ffn", "FFN-1", "Does not add b1.", "", func(p *plain) { p.amendFFN = func(w *feedForward) { w.b1 = nil } }},
	{"ffn-second-bias-missing", "ffn", "FFN-1", "Does not add b2.", "", func(p *plain) { p.amendFFN = func(w *feedForward) { w.b2 = nil } }},
}

var blockBugs = []bug{
	{"block-pre-for-post", "block", "BLK-2", "Is pre-norm where post-norm is wanted.", "", func(p *plain) {
		p.wire = func(_ string, x matrix, s sublayers) matrix { return p.residual("pre", x, s) }
	}},
	{"block-post-for-pre", "block", "BLK-1", "Is post-norm where pre-norm is wanted.", "", func(p *plain) {
		p.wire = func(_ string, x matrix, s sublayers) matrix { return p.residual("post", x, s) }
	}},
	{"block-residual-normalised", "block", "BLK-1", "Adds the normalised input, not the input, to what attention returns.", "", func(p *plain) {
		p.wire = func(norm string, x matrix, s sublayers) matrix {
			if norm == "pre" {
				x = s.ln1(x)
				s.ln1 = func(x matrix) matrix { return x }
			}
			return p.residual(norm, x, s)
		}
	}},
	{"block-second-residual-missing", "block", "BLK-1", "Does not add the input of the feed-forward layer to its result.", "", func(p *plain) {
		p.wire = func(norm string, x matrix, s sublayers) matrix {
			if norm == "pre" {
				return s.ffn(s.ln2(p.add(x, s.attn(s.ln1(x)))))
			}
			return p.residual(norm, x, s)
		}
	}},
	{"block-parallel", "block", "BLK-1", "Feeds the block's input to both sublayers.", "", func(p *plain) {
		p.wire = func(norm string, x matrix, s sublayers) matrix {
			if norm == "pre" {
				return p.add(p.add(x, s.attn(s.ln1(x))), s.ffn(s.ln2(x)))
			}
			return p.residual(norm, x, s)
		}
	}},
	{"block-shared-normalization", "block", "BLK-1", "Uses the first normalization twice.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.ln2 = w.ln1 }
	}},
	{"block-second-eps", "block", "BLK-3", "Has 1e-5 for eps in the second normalization.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.ln2.eps = 1e-5 }
	}},
	{"block-eps-1e-6", "block", "BLK-1", "Has 1e-6 for an eps of 1e-5.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) {
			if w.ln1.eps == 1e-5 {
				w.ln1.eps, w.ln2.eps = 1e-6, 1e-6
			}
		}
	}},
	{"block-causal-ignored", "block", "BLK-4", "Is not causal.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.causal = false }
	}},
	{"block-window-ignored", "block", "BLK-4", "Ignores the window.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.window = 0 }
	}},
	{"block-tanh-for-erf", "block", "BLK-4", "Computes the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErf = geluTanh }},
}

var gptBugs = []bug{
	{"gpt-positions-from-one", "gpt", "GPT-3", "Counts positions from 1.", "", func(p *plain) {
		p.firstPos = func(pos int) int { return pos + 1 }
	}},
	{"gpt-positions-missing", "gpt", "GPT-3", "Does not add positions.", "", func(p *plain) {
		p.embed = func(token, _, scale float32) float32 { return token * scale }
	}},
	{"gpt-position-clamped", "gpt", "GPT-7", "Clamps positions to the context.", "", func(p *plain) {
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(pos, limit-1)), nil }
	}},
	{"gpt-final-normalization-missing", "gpt", "GPT-1", "Has no final normalization.", "", func(p *plain) {
		p.amendGPT = func(m *model) { m.final = norm{} }
	}},
	{"gpt-post-norm-normalised-again", "gpt", "GPT-6", "Normalises the result of post-norm blocks.", "", func(p *plain) {
		p.amendGPT = func(m *model) {
			if m.final.gamma == nil {
				m.final = norm{ones(m.wte.cols), make([]float32, m.wte.cols), m.Eps}
			}
		}
	}},
	{"gpt-tied-weights-reinterpreted", "gpt", "GPT-5", "Reads the tied weights as [d, V] without transposing them.", "", func(p *plain) {
		p.right = func(m matrix, transpose bool) matrix {
			if transpose {
				m = matrix{m.cols, m.rows, m.data}
			}
			return transposed(m)
		}
	}},
	{"gpt-output-weights-ignored", "gpt", "GPT-5", "Ties the output weights although w_out is given.", "", func(p *plain) {
		p.amendGPT = func(m *model) { m.wout = matrix{} }
	}},
	{"gpt-windows-ignored", "gpt", "GPT-4", "Makes all layers dense.", "", func(p *plain) { p.window = func([]int, int) int { return 0 } }},
	{"gpt-windows-off-by-one", "gpt", "GPT-4", "Counts layers from 1 in the cycle of windows.", "", func(p *plain) {
		p.window = func(windows []int, layer int) int { return layerWindow(windows, layer+1) }
	}},
	{"gpt-windows-not-cycled", "gpt", "GPT-4", "Uses the last window for all layers beyond.", "", func(p *plain) {
		p.window = func(windows []int, layer int) int { return layerWindow(windows, min(layer, max(0, len(windows)-1))) }
	}},
	{"gpt-embedding-not-scaled", "gpt", "GPT-2", "Does not multiply embeddings by sqrt(d).", "", func(p *plain) {
		p.embed = func(token, position, _ float32) float32 { return embed(token, position, 1) }
	}},
	{"gpt-positions-scaled", "gpt", "GPT-2", "Multiplies positions by sqrt(d), too.", "", func(p *plain) {
		p.embed = func(token, position, scale float32) float32 { return (token + position) * scale }
	}},
	{"gpt-first-layer-repeated", "gpt", "GPT-1", "Uses the weights of the first layer in all.", "", func(p *plain) {
		p.amendGPT = func(m *model) {
			for l := range m.blocks {
				window := m.blocks[l].window
				m.blocks[l] = m.blocks[0]
				m.blocks[l].window = window
			}
		}
	}},
	{"gpt-not-causal", "gpt", "GPT-1", "Lets positions see the future.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.causal = false }
	}},
	{"gpt-eps-1e-6", "gpt", "GPT-1", "Has 1e-6 for an eps of 1e-5 in the final normalization.", "", func(p *plain) {
		p.amendGPT = func(m *model) {
			if m.final.eps == 1e-5 {
				m.final.eps = 1e-6
			}
		}
	}},
	{"gpt-tanh-for-erf", "gpt", "ACT-2", "Computes the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErf = geluTanh }},
	{"gpt-id-clamped", "gpt", "GPT-7", "Clamps ids to the vocabulary.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
}

var gptCachedBugs = []bug{
	{"gpt-cached-positions-restart", "gpt.cached", "GPT-9", "Counts positions from 0 in each step.", "", func(p *plain) {
		p.firstPos = func(int) int { return 0 }
	}},
	{"gpt-cached-rewind-ignored", "gpt.cached", "KV-3", "Appends at the end, whatever pos is.", "", func(p *plain) {
		p.kept = func(_, length int) int { return length }
	}},
	{"gpt-cached-window-from-step", "gpt.cached", "KV-5", "Counts the window from the start of the step.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return visible(i, j, tq, tk, causal, 0) && within(i-j, causal, window)
	})},
	{"gpt-cached-beam-first-layer", "gpt.cached", "KV-4", "Reorders the cache of the first layer only.", "", func(p *plain) {
		p.reorder = func(items []item, beam []int) []item {
			out := reorder(items, identity(len(beam)))
			for b, from := range beam {
				out[b][0] = items[from].clone()[0]
			}
			return out
		}
	}},
	{"gpt-cached-failed-step-reorders", "gpt.cached", "GPT-10", "Keeps the new order of a step that failed.", "", func(p *plain) {
		p.failed = func(c *cache, reordered []item) { c.items = reordered }
	}},
	{"gpt-cached-failed-step-clears", "gpt.cached", "GPT-10", "Clears its entries in a step that fails.", "", func(p *plain) {
		p.failed = func(c *cache, _ []item) { clearItems(c.items) }
	}},
}

var gptLossBugs = []bug{
	{"gpt-loss-targets-shifted", "gpt.loss", "GPT-8", "Shifts targets that are the next tokens already.", "", func(p *plain) {
		p.lossTargets = func(targets []int64, seqLen int) []int64 {
			shifted := append([]int64(nil), targets...)
			for t := range shifted {
				if t%seqLen < seqLen-1 {
					shifted[t] = targets[t+1]
				}
			}
			return shifted
		}
	}},
	{"gpt-loss-mean-over-all", "gpt.loss", "XE-4", "Divides the mean by all targets, ignored ones included.", "", func(p *plain) {
		p.meanOf = func(total float32, _, all int) float32 { return total / float32(all) }
	}},
	{"gpt-loss-mean-of-none", "gpt.loss", "XE-5", "Gives 0/0 where every target is ignored.", "", func(p *plain) {
		p.meanOf = func(total float32, counted, _ int) float32 { return total / float32(counted) }
	}},
	{"gpt-loss-ignored-counts", "gpt.loss", "XE-3", "Takes ignored targets for token 0.", "", func(p *plain) {
		p.ignored = func(int64, int) bool { return false }
		p.lossTargets = func(targets []int64, _ int) []int64 {
			out := make([]int64, len(targets))
			for i := range targets {
				out[i] = max(0, targets[i])
			}
			return out
		}
	}},
}
