package mutant

import (
	"errors"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// everyRow returns the bug of a sum over rows that sums over other rows: those that pick returns.
func everyRow(pick func(m matrix) matrix) func(*plain) {
	return func(p *plain) {
		p.weightGrad = func(x, dy matrix) matrix { return p.weightSums(pick(x), pick(dy)) }
		p.biasGrad = func(dy matrix) []float32 { return p.columnSums(pick(dy)) }
	}
}

func firstRow(m matrix) matrix { return matrix{1, m.cols, m.row(0)} }

// jacobian returns the bug of a gradient of softmax, that of attention included.
func jacobian(f func(dx, p, dy []float32)) func(*plain) {
	return func(p *plain) { p.softmaxGrad = f }
}

// withoutNaN replaces NaN by 0.
func withoutNaN(x float32) float32 {
	if x != x {
		return 0
	}
	return x
}

var matmulGradBugs = []bug{
	{"matmul-grad-transpose-ignored", "matmul.grad", "GRAD-3", "Stores the gradient of a transposed operand as if it were not transposed.", "", func(p *plain) {
		p.stored = func(m matrix, _ bool) matrix { return m }
	}},
	{"matmul-grad-transpose-a-ignored", "matmul.grad", "GRAD-3", "Does not transpose the left operand in the gradient of the right one.", "", func(p *plain) {
		p.weightGrad = func(x, dy matrix) matrix { return p.weightSums(matrix{x.rows, x.cols, transposed(x).data}, dy) }
	}},
	{"matmul-grad-first-batch-item", "matmul.grad", "GRAD-3", "Uses the right operand of the first batch item for every gradient.", "", func(p *plain) {
		p.batchItem = func(int) int { return 0 }
	}},
	{"matmul-grad-zero-skip", "matmul.grad", "GRAD-3", "Skips the terms whose upstream gradient is zero, and with them 0 * Inf and 0 * NaN.", "gonum's Sgemm", func(p *plain) {
		p.dot = func(x, y []float32) float32 {
			var sum float32
			for i := range x {
				if x[i] != 0 && y[i] != 0 {
					sum += x[i] * y[i]
				}
			}
			return sum
		}
	}},
	{"matmul-grad-bfloat16-operands", "matmul.grad", "GRAD-3", "Rounds its operands to bfloat16 and does not declare it.", "", operands(8)},
}

var linearGradBugs = []bug{
	{"linear-grad-weights-untransposed", "linear.grad", "GRAD-4", "Multiplies dy by W in place of its transpose.", "", func(p *plain) {
		p.towards = func(w matrix) matrix { return transposed(matrix{w.cols, w.rows, w.data}) }
	}},
	{"linear-grad-weights-out-in", "linear.grad", "GRAD-4", "Stores dW as [out, in].", "", func(p *plain) {
		p.weightGrad = func(x, dy matrix) matrix { return p.weightSums(dy, x) }
	}},
	{"linear-grad-first-row", "linear.grad", "GRAD-4", "Takes the first row for the sum over all.", "", everyRow(firstRow)},
	{"linear-grad-last-row-dropped", "linear.grad", "GRAD-4", "Leaves the last row out of its sums where their number is odd.", "", everyRow(func(m matrix) matrix {
		if m.rows > 1 && m.rows%2 == 1 {
			m.rows--
		}
		return matrix{m.rows, m.cols, m.data[:m.rows*m.cols]}
	})},
	{"linear-grad-bias-mean", "linear.grad", "GRAD-4", "Takes the mean over rows for the gradient of the bias.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 {
			db := p.columnSums(dy)
			p.divide(db, float32(dy.rows))
			return db
		}
	}},
	{"linear-grad-bias-overwrites", "linear.grad", "GRAD-4", "Writes each row of dy over the gradient of the bias, and adds none.", "", func(p *plain) {
		p.biasGrad = func(dy matrix) []float32 { return append([]float32(nil), dy.row(dy.rows-1)...) }
	}},
	{"linear-grad-bias-required", "linear.grad", "GRAD-2", "Refuses to work without a bias.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			if !dst[1].Present() {
				return errors.New("linear.grad: b is absent")
			}
			return next.Run(dst, src)
		}
	})},
	{"linear-grad-bfloat16-sums", "linear.grad", "GRAD-4", "Accumulates in bfloat16 and does not declare it.", "", func(p *plain) { p.dot = narrow(8) }},
}

var softmaxGradBugs = []bug{
	{"softmax-grad-second-term-missing", "softmax.grad", "GRAD-5", "Does not subtract the row's mean of dy.", "", jacobian(func(dx, p, dy []float32) {
		for i := range dx {
			dx[i] = p[i] * dy[i]
		}
	})},
	{"softmax-grad-diagonal", "softmax.grad", "GRAD-5", "Takes the diagonal of the Jacobian: p (1 - p) dy.", "", jacobian(func(dx, p, dy []float32) {
		for i := range dx {
			dx[i] = p[i] * (1 - p[i]) * dy[i]
		}
	})},
	{"softmax-grad-plain-mean", "softmax.grad", "GRAD-5", "Subtracts the mean of dy, not weighted by p.", "", jacobian(func(dx, p, dy []float32) {
		mean := forward(dy, ones(len(dy))) / float32(len(dy))
		for i := range dx {
			dx[i] = p[i] * (dy[i] - mean)
		}
	})},
	{"softmax-grad-sum-of-prefix", "softmax.grad", "GRAD-5", "Weighs the first 8 elements only.", "", jacobian(func(dx, p, dy []float32) {
		mean := forward(p[:min(8, len(p))], dy)
		for i := range dx {
			dx[i] = p[i] * (dy[i] - mean)
		}
	})},
	{"softmax-grad-upstream-ignored", "softmax.grad", "GRAD-1", "Takes dy for the gradient of the loss -log p of the first element.", "", jacobian(func(dx, p, _ []float32) {
		copy(dx, p)
		dx[0]--
	})},
	{"softmax-grad-no-maximum", "softmax.grad", "GRAD-5", "Does not subtract the maximum when it computes p again.", "", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
	{"softmax-grad-masked-row-zero", "softmax.grad", "GRAD-7", "Gives 0 for a row that is all -Inf.", "", func(p *plain) {
		p.softmaxGrad = func(dx, probs, dy []float32) {
			p.softmaxJacobian(dx, probs, dy)
			for i := range dx {
				dx[i] = withoutNaN(dx[i])
			}
		}
	}},
}

var logSoftmaxGradBugs = []bug{
	{"log-softmax-grad-second-term-missing", "log_softmax.grad", "GRAD-6", "Passes dy on.", "", func(p *plain) {
		p.logSoftmaxGrad = func(dx, _, dy []float32) { copy(dx, dy) }
	}},
	{"log-softmax-grad-unit-upstream", "log_softmax.grad", "GRAD-6", "Takes dy for one that sums to 1: dy - p.", "", func(p *plain) {
		p.logSoftmaxGrad = func(dx, probs, dy []float32) {
			for i := range dx {
				dx[i] = dy[i] - probs[i]
			}
		}
	}},
	{"log-softmax-grad-weighted-sum", "log_softmax.grad", "GRAD-6", "Weighs dy by p in its sum, as softmax does.", "", func(p *plain) {
		p.logSoftmaxGrad = func(dx, probs, dy []float32) {
			sum := p.dot(probs, dy)
			for i := range dx {
				dx[i] = dy[i] - probs[i]*sum
			}
		}
	}},
	{"log-softmax-grad-nan-row-zero", "log_softmax.grad", "GRAD-7", "Passes dy on where p is NaN.", "", func(p *plain) {
		p.logSoftmaxGrad = func(dx, probs, dy []float32) {
			sum := p.sum(dy)
			for i := range dx {
				dx[i] = dy[i] - withoutNaN(probs[i])*sum
			}
		}
	}},
}

var reluGradBugs = []bug{
	{"relu-grad-one-at-zero", "relu.grad", "GRAD-8", "Passes the gradient on at 0: x >= 0.", "", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 {
			if x == 0 {
				return dy
			}
			return reluGrad(x, dy)
		}
	}},
	{"relu-grad-product", "relu.grad", "GRAD-8", "Multiplies dy by 0 or 1, so that an infinite dy becomes NaN.", "", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 {
			if x != x {
				return nan
			}
			return dy * step(x)
		}
	}},
	{"relu-grad-nan-zero", "relu.grad", "GRAD-8", "Gives 0 where x is NaN.", "", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 {
			if x > 0 {
				return dy
			}
			return 0
		}
	}},
	{"relu-grad-guided", "relu.grad", "GRAD-8", "Passes positive gradients only.", "guided backpropagation", func(p *plain) {
		p.reluGrad = func(x, dy float32) float32 { return reluGrad(x, max(0, dy)) }
	}},
}

var geluGradBugs = []bug{
	{"gelu-grad-density-missing", "gelu.grad", "GRAD-9", "Leaves x phi(x) out.", "", func(p *plain) {
		p.geluErfSlope = func(x float32) float32 { return 0.5 * (1 + float32(math.Erf(float64(x/math.Sqrt2)))) }
	}},
	{"gelu-grad-density-unscaled", "gelu.grad", "GRAD-9", "Has exp(-x^2/2) / 2 for the density.", "", func(p *plain) {
		p.geluErfSlope = func(x float32) float32 {
			if x-x != 0 {
				return geluErfSlope(x)
			}
			return geluErfSlope(x) - x*density(x) + 0.5*x*exp32(-0.5*x*x)
		}
	}},
	{"gelu-grad-tanh-for-erf", "gelu.grad", "GRAD-9", "Differentiates the tanh form where the erf form is wanted.", "", func(p *plain) { p.geluErfSlope = geluTanhSlope }},
	{"gelu-grad-erf-for-tanh", "gelu.grad", "GRAD-10", "Differentiates the erf form where the tanh form is wanted.", "", func(p *plain) { p.geluTanhSlope = geluErfSlope }},
	{"gelu-grad-cubic-derivative", "gelu.grad", "GRAD-10", "Forgets the 3 in the derivative of the cube.", "", func(p *plain) {
		p.geluTanhSlope = func(x float32) float32 {
			root := float32(math.Sqrt(2 / math.Pi))
			tanh := tanh32(root * (x + 0.044715*x*x*x))
			if tanh == 1 || tanh == -1 {
				return step(tanh)
			}
			return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*root*(1+0.044715*x*x)
		}
	}},
	{"gelu-grad-nan-at-infinity", "gelu.grad", "GRAD-11", "Gives Inf * 0, NaN, at infinities.", "", func(p *plain) {
		p.geluErfSlope = func(x float32) float32 {
			return 0.5*(1+float32(math.Erf(float64(x/math.Sqrt2)))) + x*density(x)
		}
	}},
	{"gelu-grad-square-overflows", "gelu.grad", "GRAD-11", "Multiplies 0 by x^2, which overflows, far from 0.", "", func(p *plain) {
		p.geluTanhSlope = func(x float32) float32 {
			root := float32(math.Sqrt(2 / math.Pi))
			tanh := tanh32(root * (x + 0.044715*x*x*x))
			if x-x != 0 {
				return step(x)
			}
			return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*root*(1+3*0.044715*x*x)
		}
	}},
}

var layernormGradBugs = []bug{
	{"layernorm-grad-mean-term-missing", "layernorm.grad", "GRAD-12", "Takes the mean for a constant: does not subtract the mean of g.", "", func(p *plain) {
		p.normGrad = func(dx, g, xhat []float32, sigma float32) {
			along := p.dot(g, xhat) / float32(len(g))
			for i := range dx {
				dx[i] = (g[i] - xhat[i]*along) / sigma
			}
		}
	}},
	{"layernorm-grad-variance-term-missing", "layernorm.grad", "GRAD-12", "Takes the variance for a constant.", "", func(p *plain) {
		p.normGrad = func(dx, g, _ []float32, sigma float32) {
			mean := p.sum(g) / float32(len(g))
			for i := range dx {
				dx[i] = (g[i] - mean) / sigma
			}
		}
	}},
	{"layernorm-grad-unbiased", "layernorm.grad", "GRAD-12", "Divides the variance by d - 1.", "", func(p *plain) {
		p.variance = func(x []float32, mean float32) float32 {
			return p.meanSquare(x, mean) * float32(len(x)) / float32(max(1, len(x)-1))
		}
	}},
	{"layernorm-grad-eps-outside-root", "layernorm.grad", "GRAD-12", "Adds eps to the standard deviation.", "", func(p *plain) {
		p.gradSigma = func(variance, eps float32) float32 { return sqrt32(variance) + eps }
	}},
	{"layernorm-grad-eps-missing", "layernorm.grad", "GRAD-14", "Leaves eps out of the standard deviation.", "", func(p *plain) {
		p.gradSigma = func(variance, _ float32) float32 { return sqrt32(variance) }
	}},
	{"layernorm-grad-gamma-missing", "layernorm.grad", "GRAD-12", "Does not multiply dy by gamma.", "", func(p *plain) {
		p.scaledGrad = func(dy, _ float32) float32 { return dy }
	}},
	{"layernorm-grad-gamma-of-input", "layernorm.grad", "GRAD-13", "Multiplies dy by x, which is not normalised, in dgamma.", "", func(p *plain) {
		p.gammaGrad = func(dy, x, _ matrix) []float32 { return p.columnDots(dy, x) }
	}},
	{"layernorm-grad-gamma-first-row", "layernorm.grad", "GRAD-13", "Takes dgamma of the first row only.", "", func(p *plain) {
		p.gammaGrad = func(dy, _, xhat matrix) []float32 { return p.columnDots(firstRow(dy), firstRow(xhat)) }
	}},
	{"layernorm-grad-beta-mean", "layernorm.grad", "GRAD-13", "Takes the mean of dy for dbeta.", "", func(p *plain) {
		p.betaGrad = func(dy, _, _ matrix) []float32 {
			sums := p.columnSums(dy)
			p.divide(sums, float32(dy.rows))
			return sums
		}
	}},
	{"layernorm-grad-nan-row-skipped", "layernorm.grad", "GRAD-14", "Leaves rows that hold a NaN out of dgamma.", "", func(p *plain) {
		p.gammaGrad = func(dy, _, xhat matrix) []float32 {
			clean := xhat.clone()
			for i := range clean.data {
				clean.data[i] = withoutNaN(clean.data[i])
			}
			return p.columnDots(dy, clean)
		}
	}},
	{"layernorm-grad-nan-in-beta", "layernorm.grad", "GRAD-14", "Lets the NaN of a row into dbeta.", "", func(p *plain) {
		p.betaGrad = func(dy, _, xhat matrix) []float32 {
			sums, zero := p.columnSums(dy), p.columnSums(xhat)
			for j := range sums {
				sums[j] += 0 * zero[j]
			}
			return sums
		}
	}},
}

var embeddingGradBugs = []bug{
	{"embedding-grad-overwrites", "embedding.grad", "GRAD-15", "Writes the gradient of a repeated id over that of its first use.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t, row := range rows {
				copy(dtable.row(row), dy.row(t))
			}
		}
	}},
	{"embedding-grad-once", "embedding.grad", "GRAD-15", "Takes the first of repeated ids only.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t := len(rows) - 1; t >= 0; t-- {
				copy(dtable.row(rows[t]), dy.row(t))
			}
		}
	}},
	{"embedding-grad-runs", "embedding.grad", "GRAD-15", "Adds within a run of equal ids, and overwrites what an earlier run gave.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t, row := range rows {
				if t > 0 && rows[t-1] == row {
					for c, x := range dy.row(t) {
						dtable.row(row)[c] += x
					}
					continue
				}
				copy(dtable.row(row), dy.row(t))
			}
		}
	}},
	{"embedding-grad-mean", "embedding.grad", "GRAD-15", "Divides by how often an id occurs.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			p.scatterAdd(dtable, rows, dy)
			for row := range dtable.rows {
				if n := occurrences(rows, row); n > 1 {
					p.divide(dtable.row(row), float32(n))
				}
			}
		}
	}},
	{"embedding-grad-id-clamped", "embedding.grad", "GRAD-16", "Clamps ids to the table.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
}

func occurrences(rows []int, row int) int {
	n := 0
	for _, r := range rows {
		if r == row {
			n++
		}
	}
	return n
}
