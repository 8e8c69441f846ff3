package mutant

import "math"

// plusConstant returns the bug of a constant added to the denominator of softmax.
func plusConstant(c float32) func(*plain) {
	return func(p *plain) { p.denominator = func(sum float32) float32 { return sum + c } }
}

// operands returns the bug of a dot product whose operands are rounded to some bits.
func operands(bits int) func(*plain) {
	return func(p *plain) {
		p.dot = func(x, y []float32) float32 { return forward(rounded(x, bits), rounded(y, bits)) }
	}
}

// exp2Unshifted is exp(x - m) as fused multiply-add hardware likes it; the rounding of m log2(e) is common to the row and cancels, unless
// it is larger than the range of exponents.
func exp2Unshifted(x, m float32) float32 {
	shift := m * float32(math.Log2E)
	return float32(math.Exp2(float64(float32(float64(x)*float64(float32(math.Log2E)) - float64(shift)))))
}

var matmulBugs = []bug{
	{"matmul-odd-k", "matmul", "MM-1", "Drops the last term where K is odd.", "", func(p *plain) {
		p.dot = func(x, y []float32) float32 { return forward(x[:len(x)&^1], y) }
	}},
	{"matmul-remainder-twice", "matmul", "MM-1", "Counts the last term twice where K is not a multiple of 4: the last vector overlaps the one before.", "", func(p *plain) {
		p.dot = func(x, y []float32) float32 {
			sum := forward(x, y)
			if n := len(x); n > 4 && n%4 != 0 {
				sum += x[n-1] * y[n-1]
			}
			return sum
		}
	}},
	{"matmul-zero-skip", "matmul", "MM-3", "Skips the terms whose left factor is zero, and with them 0 * Inf and 0 * NaN.", "gonum's Sgemm", func(p *plain) {
		p.dot = func(x, y []float32) float32 {
			var sum float32
			for i := range x {
				if x[i] != 0 {
					sum += x[i] * y[i]
				}
			}
			return sum
		}
	}},
	{"matmul-transpose-a-ignored", "matmul", "MM-2", "Reads a transposed left operand as if it were not.", "", func(p *plain) {
		p.left = func(m matrix, transpose bool) matrix {
			if transpose {
				return matrix{m.cols, m.rows, m.data}
			}
			return m
		}
	}},
	{"matmul-transpose-b-ignored", "matmul", "MM-2", "Reads a transposed right operand as if it were not.", "", func(p *plain) {
		p.right = func(m matrix, transpose bool) matrix {
			if transpose {
				m = matrix{m.cols, m.rows, m.data}
			}
			return transposed(m)
		}
	}},
	{"matmul-first-batch-item", "matmul", "MM-1", "Multiplies every batch item by the right operand of the first.", "", func(p *plain) {
		p.batchItem = func(int) int { return 0 }
	}},
	{"matmul-edge-tile", "matmul", "BUF-1", "Does not write the rows that do not fill a tile of 4.", "", func(p *plain) {
		p.tileRows = func(rows int) int { return rows &^ 3 }
	}},
	{"matmul-tf32-operands", "matmul", "MM-1", "Rounds its operands to TF32 and does not declare it.", "", operands(11)},
	{"matmul-bfloat16-operands", "matmul", "MM-1", "Rounds its operands to bfloat16 and does not declare it.", "", operands(8)},
	{"matmul-float16-sums", "matmul", "MM-1", "Accumulates in the precision of float16 and does not declare it.", "", func(p *plain) { p.dot = narrow(11) }},
	{"matmul-bfloat16-sums", "matmul", "MM-4", "Accumulates in bfloat16 and does not declare it.", "", func(p *plain) { p.dot = narrow(8) }},
	{"matmul-bfloat16-result", "matmul", "MM-1", "Stores its result in bfloat16 and does not declare it.", "", func(p *plain) {
		p.store = func(x float32) float32 { return significant(x, 8) }
	}},
}

var linearBugs = []bug{
	{"linear-bias-missing", "linear", "LIN-2", "Does not add the bias.", "", func(p *plain) { p.addBias = func(_, _ []float32, _ int) {} }},
	{"linear-bias-twice", "linear", "LIN-2", "Adds the bias twice: in the product and behind it.", "", func(p *plain) {
		p.addBias = func(y, b []float32, row int) { addBias(y, b, row); addBias(y, b, row) }
	}},
	{"linear-bias-first-row", "linear", "LIN-2", "Adds the bias to the first row only.", "", func(p *plain) {
		p.addBias = func(y, b []float32, row int) {
			if row == 0 {
				addBias(y, b, row)
			}
		}
	}},
	{"linear-weights-out-in", "linear", "LIN-1", "Reads its weights as if they were stored [out, in].", "", func(p *plain) {
		p.weights = func(w matrix) matrix { return matrix{w.cols, w.rows, w.data} }
	}},
}

var softmaxBugs = []bug{
	{"softmax-denominator-1e-6", "softmax", "SM-5", "Adds 1e-6 to the denominator.", "", plusConstant(1e-6)},
	{"softmax-denominator-1e-5", "softmax", "SM-5", "Adds 1e-5 to the denominator.", "", plusConstant(1e-5)},
	{"softmax-no-maximum", "softmax", "SM-2", "Does not subtract the maximum.", "transformers #11267", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
	{"softmax-maximum-of-prefix", "softmax", "SM-2", "Takes the maximum over the first 8 elements.", "", func(p *plain) {
		p.rowMax = func(x []float32) float32 { return rowMax(x[:min(8, len(x))]) }
	}},
	{"softmax-maximum-from-zero", "softmax", "SM-2", "Starts the maximum at the smallest positive number in place of -Inf.", "", func(p *plain) {
		p.rowMax = func(x []float32) float32 { return max(rowMax(x), 0x1p-126) }
	}},
	{"softmax-exp2-unshifted", "softmax", "SM-2", "Forms exp(x - m) as 2^(x log2(e) - m log2(e)), whose second product is rounded on its own: huge logits overflow.", "", func(p *plain) {
		p.expDiff = exp2Unshifted
	}},
	{"softmax-exp-cutoff", "softmax", "SM-1", "Takes exp for 0 below -16.", "", func(p *plain) {
		p.expDiff = func(x, m float32) float32 {
			if x-m < -16 {
				return 0
			}
			return expDiff(x, m)
		}
	}},
	{"softmax-tail-dropped", "softmax", "SM-1", "Leaves the last element out of the sum where the length is 1 more than a multiple of 8.", "", func(p *plain) {
		p.sum = func(x []float32) float32 {
			if n := len(x); n > 8 && n%8 == 1 {
				x = x[:n-1]
			}
			return forward(x, ones(len(x)))
		}
	}},
	{"softmax-masked-row-zero", "softmax", "SM-4", "Gives 0 for a row that is all -Inf.", "", func(p *plain) {
		p.expDiff = func(x, m float32) float32 {
			if x == -inf {
				return 0
			}
			return expDiff(x, m)
		}
		p.denominator = func(sum float32) float32 {
			if sum == 0 {
				return 1
			}
			return sum
		}
	}},
	{"softmax-infinity-as-maximum", "softmax", "SM-3", "Gives 1 at +Inf and 0 elsewhere.", "", func(p *plain) {
		p.expDiff = func(x, m float32) float32 {
			if x == inf {
				return 1
			}
			return expDiff(x, m)
		}
	}},
}

var logSoftmaxBugs = []bug{
	{"log-softmax-of-softmax", "log_softmax", "SM-6", "Takes the logarithm of softmax, which underflows.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return log32(exp32(x-m) / s) }
	}},
	{"log-softmax-maximum-added-back", "log_softmax", "SM-6", "Forms x - (log S + m), which loses log S beside a large m.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return x - (log32(s) + m) }
	}},
	{"log-softmax-denominator-1e-5", "log_softmax", "SM-6", "Adds 1e-5 to the sum before its logarithm.", "", plusConstant(1e-5)},
	{"log-softmax-hidden-finite", "log_softmax", "SM-7", "Gives the largest negative number in place of -Inf.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return max(logProb(x, m, s), -math.MaxFloat32) }
	}},
}

var reluBugs = []bug{
	{"relu-leaky", "relu", "ACT-1", "Multiplies negative elements by 0.01.", "", func(p *plain) {
		p.relu = func(x float32) float32 { return max(x, 0.01*x) }
	}},
	{"relu-nan-zero", "relu", "ACT-1", "Gives 0 for NaN: x > 0 ? x : 0.", "", func(p *plain) {
		p.relu = func(x float32) float32 {
			if x > 0 {
				return x
			}
			return 0
		}
	}},
	{"relu-six", "relu", "ACT-1", "Is clipped at 6.", "", func(p *plain) {
		p.relu = func(x float32) float32 { return min(relu(x), 6) }
	}},
}

var geluBugs = []bug{
	{"gelu-tanh-for-erf", "gelu", "ACT-2", "Computes the tanh form where the erf form is wanted.", "", func(p *plain) { p.geluErf = geluTanh }},
	{"gelu-erf-for-tanh", "gelu", "ACT-3", "Computes the erf form where the tanh form is wanted.", "", func(p *plain) { p.geluTanh = geluErf }},
	{"gelu-sigmoid", "gelu", "ACT-2", "Computes x sigmoid(1.702 x).", "", func(p *plain) {
		p.geluErf = func(x float32) float32 { return x / (1 + exp32(-1.702*x)) }
	}},
	{"gelu-cubic-coefficient", "gelu", "ACT-3", "Has 0.04471 for 0.044715.", "", func(p *plain) {
		p.geluTanh = func(x float32) float32 {
			if x == -inf {
				return 0
			}
			return 0.5 * x * (1 + float32(math.Tanh(math.Sqrt(2/math.Pi)*float64(x+float32(0.04471*x*x*x)))))
		}
	}},
	{"gelu-nan-at-minus-infinity", "gelu", "ACT-4", "Gives -Inf * 0, NaN, at -Inf.", "", func(p *plain) {
		p.geluErf = func(x float32) float32 {
			if x == -inf {
				return nan
			}
			return geluErf(x)
		}
	}},
}

var layernormBugs = []bug{
	{"layernorm-eps-outside-root", "layernorm", "LN-3", "Adds eps to the standard deviation.", "", func(p *plain) {
		p.normalize = func(d, variance, eps float32) float32 { return d / (sqrt32(variance) + eps) }
	}},
	{"layernorm-eps-1e-6", "layernorm", "LN-3", "Has 1e-6 for the default eps of 1e-5.", "", func(p *plain) {
		p.normalize = func(d, variance, eps float32) float32 {
			if eps == 1e-5 {
				eps = 1e-6
			}
			return normalize(d, variance, eps)
		}
	}},
	{"layernorm-eps-fixed", "layernorm", "LN-3", "Ignores the attribute and uses 1e-5.", "", func(p *plain) {
		p.normalize = func(d, variance, _ float32) float32 { return normalize(d, variance, 1e-5) }
	}},
	{"layernorm-unbiased", "layernorm", "LN-2", "Divides the variance by d - 1.", "", func(p *plain) {
		p.variance = func(x []float32, mean float32) float32 {
			return p.meanSquare(x, mean) * float32(len(x)) / float32(max(1, len(x)-1))
		}
	}},
	{"layernorm-one-pass", "layernorm", "LN-4", "Computes the variance as mean(x^2) - mean^2.", "", func(p *plain) {
		p.variance = func(x []float32, mean float32) float32 { return max(0, p.meanSquare(x, 0)-mean*mean) }
	}},
	{"layernorm-no-mean", "layernorm", "LN-1", "Does not subtract the mean: RMSNorm.", "", func(p *plain) { p.mean = func([]float32) float32 { return 0 } }},
	{"layernorm-gamma-plus-one", "layernorm", "LN-1", "Multiplies by 1 + gamma.", "", func(p *plain) {
		p.affine = func(z, gamma, beta float32) float32 { return affine(z, 1+gamma, beta) }
	}},
	{"layernorm-gamma-beta-swapped", "layernorm", "LN-1", "Exchanges gamma and beta.", "", func(p *plain) {
		p.affine = func(z, gamma, beta float32) float32 { return affine(z, beta, gamma) }
	}},
	{"layernorm-constant-row", "layernorm", "LN-5", "Gives NaN for a constant row: eps is lost.", "", func(p *plain) {
		p.normalize = func(d, variance, eps float32) float32 {
			if variance == 0 {
				eps = 0
			}
			return normalize(d, variance, eps)
		}
	}},
	{"layernorm-infinite-row-clamped", "layernorm", "LN-6", "Gives beta for a row whose variance is not a number.", "", func(p *plain) {
		p.normalize = func(d, variance, eps float32) float32 {
			if variance != variance {
				return 0
			}
			return normalize(d, variance, eps)
		}
	}},
}
