package mutant

import "math"

var embeddingBugs = []bug{
	{"embedding-off-by-one", "embedding", "EMB-1", "Counts ids from 1.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) {
			row, err := tokenRow(id, vocab)
			return (row + vocab - 1) % vocab, err
		}
	}},
	{"embedding-negative-wraps", "embedding", "EMB-2", "Counts a negative id from the end.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) {
			if id < 0 {
				id += int64(vocab)
			}
			return tokenRow(id, vocab)
		}
	}},
	{"embedding-clamps", "embedding", "EMB-2", "Clamps an id to the table.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"embedding-id-truncated", "embedding", "EMB-2", "Reads ids as 32 bits wide.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return tokenRow(int64(int32(id)), vocab) }
	}},
	{"embedding-padding-zero", "embedding", "EMB-1", "Takes id 0 for padding and gives zeros.", "", func(p *plain) {
		p.copyRow = func(dst, table []float32, row int) {
			if clear(dst); row != 0 {
				copyRow(dst, table, row)
			}
		}
	}},
}

var sinusoidalPositionsBugs = []bug{
	{"sinusoidal-halves", "sinusoidal_positions", "PE-1", "Puts all sines before all cosines.", "fairseq", func(p *plain) {
		p.sinusoid = func(pos float64, c, d int, angle func(float64, int, int) float64) float32 {
			return sinusoid(pos, c%(d/2)*2+c/(d/2), d, angle)
		}
	}},
	{"sinusoidal-last-frequency", "sinusoidal_positions", "PE-1", "Divides the exponent by d/2 - 1 in place of d/2.", "fairseq", func(p *plain) {
		p.angle = func(pos float64, pair, d int) float64 {
			return pos / math.Pow(10000, float64(pair)/math.Max(1, float64(d/2-1)))
		}
	}},
	{"sinusoidal-exponent-i", "sinusoidal_positions", "PE-1", "Has i/d for 2i/d in the exponent.", "", func(p *plain) {
		p.angle = func(pos float64, pair, d int) float64 { return pos / math.Pow(10000, float64(pair)/float64(d)) }
	}},
	{"sinusoidal-float32-angles", "sinusoidal_positions", "PE-2", "Forms the angles in float32.", "", func(p *plain) {
		p.angle = func(pos float64, pair, d int) float64 {
			return float64(float32(pos) * exp32(float32(2*pair)*float32(-math.Log(10000)/float64(d))))
		}
	}},
	{"sinusoidal-cosine-first", "sinusoidal_positions", "PE-1", "Exchanges sine and cosine.", "", func(p *plain) {
		p.sinusoid = func(pos float64, c, d int, angle func(float64, int, int) float64) float32 {
			return sinusoid(pos, c^1, d, angle)
		}
	}},
	{"sinusoidal-row-numbers", "sinusoidal_positions", "PE-3", "Takes row numbers for positions.", "", func(p *plain) {
		p.position = func(_ int64, row int) int64 { return int64(row) }
	}},
	{"sinusoidal-negative-position", "sinusoidal_positions", "PE-5", "Accepts negative positions.", "", func(p *plain) {
		p.positionRow = func(pos, _ int64) (int, error) { return int(pos), nil }
	}},
}

var learnedPositionsBugs = []bug{
	{"learned-positions-clamp", "learned_positions", "PE-5", "Clamps a position to the context.", "", func(p *plain) {
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(max(pos, 0), limit-1)), nil }
	}},
	{"learned-positions-negative-wraps", "learned_positions", "PE-5", "Counts a negative position from the end.", "", func(p *plain) {
		p.positionRow = func(pos, limit int64) (int, error) {
			if pos < 0 {
				pos += limit
			}
			return positionRow(pos, limit)
		}
	}},
	{"learned-positions-bfloat16", "learned_positions", "PE-4", "Rounds rows to bfloat16.", "", func(p *plain) {
		p.copyRow = func(dst, table []float32, row int) { copy(dst, rounded(table[row*len(dst):(row+1)*len(dst)], 8)) }
	}},
	{"learned-positions-row-numbers", "learned_positions", "PE-3", "Takes row numbers for positions.", "", func(p *plain) {
		p.position = func(_ int64, row int) int64 { return int64(row) }
	}},
}

var crossEntropyBugs = []bug{
	{"cross-entropy-maximum-added-back", "cross_entropy", "XE-2", "Forms (log S + m) - x_t, which loses the loss beside a large m.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return x - (log32(s) + m) }
	}},
	{"cross-entropy-log-of-probability", "cross_entropy", "XE-2", "Takes the logarithm of softmax + 1e-12.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return log32(exp32(x-m)/s + 1e-12) }
	}},
	{"cross-entropy-no-maximum", "cross_entropy", "XE-2", "Does not subtract the maximum.", "", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
	{"cross-entropy-mean-over-all", "cross_entropy", "XE-4", "Divides the mean by all rows, ignored ones included.", "", func(p *plain) {
		p.meanOf = func(total float32, _, all int) float32 { return total / float32(all) }
	}},
	{"cross-entropy-mean-of-none", "cross_entropy", "XE-5", "Gives 0/0 where every row is ignored.", "", func(p *plain) {
		p.meanOf = func(total float32, counted, _ int) float32 { return total / float32(counted) }
	}},
	{"cross-entropy-ignored-leaks", "cross_entropy", "XE-3", "Multiplies the loss of an ignored row by 0, so that its NaN stays.", "", func(p *plain) {
		p.ignoredLoss = func(logits []float32) float32 { return 0 * -logProb(logits[0], rowMax(logits), 1) }
	}},
	{"cross-entropy-ignored-counts", "cross_entropy", "XE-3", "Takes ignored rows for rows of class 0.", "", func(p *plain) {
		p.ignored = func(int64, int) bool { return false }
		p.classOf = func(target int64, classes int) (int, error) {
			if target == -100 {
				target = 0
			}
			return classOf(target, classes)
		}
	}},
	{"cross-entropy-ignore-index-fixed", "cross_entropy", "XE-3", "Ignores -100, whatever ignore_index is.", "", func(p *plain) {
		p.ignored = func(target int64, _ int) bool { return target == -100 }
	}},
	{"cross-entropy-target-clamped", "cross_entropy", "XE-6", "Clamps a target to the classes.", "", func(p *plain) {
		p.classOf = func(target int64, classes int) (int, error) { return int(min(max(target, 0), int64(classes-1))), nil }
	}},
	{"cross-entropy-negative-ignored", "cross_entropy", "XE-6", "Ignores every negative target.", "", func(p *plain) {
		p.ignored = func(target int64, ignoreIndex int) bool { return target < 0 || target == int64(ignoreIndex) }
	}},
	{"cross-entropy-infinite-loss-clamped", "cross_entropy", "XE-7", "Clamps the loss of a target of -Inf to 100.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return max(logProb(x, m, s), -100) }
	}},
	{"cross-entropy-nan-row-zero", "cross_entropy", "XE-8", "Gives 0 for a row that holds a NaN.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return withoutNaN(logProb(x, m, s)) }
	}},
	{"cross-entropy-base-2", "cross_entropy", "XE-1", "Gives bits in place of nats.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return logProb(x, m, s) / math.Ln2 }
	}},
}
