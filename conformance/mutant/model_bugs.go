package mutant

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})
