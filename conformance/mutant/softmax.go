package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// softmaxParts are the decisions in which softmax and what is made of it go wrong: exp(x - m) / denominator(sum).
type softmaxParts struct {
	rowMax      func(x []float32) float32
	expDiff     func(x, m float32) float32
	denominator func(sum float32) float32
	divide      func(x []float32, s float32)
	logProb     func(x, m, s float32) float32 // log of exp(x - m) / s

	softmaxGrad    func(dx, p, dy []float32)
	logSoftmaxGrad func(dx, p, dy []float32)
}

var _ = parts(func(p *plain) {
	p.softmaxParts = softmaxParts{
		rowMax: rowMax, expDiff: expDiff, denominator: func(sum float32) float32 { return sum }, divide: divide, logProb: logProb,
		softmaxGrad: p.softmaxJacobian, logSoftmaxGrad: p.logSoftmaxJacobian,
	}
})

var _ = offer((*plain).softmaxOp)

func (p *plain) softmaxOp(a op.SoftmaxArgs) error {
	copy(a.Y.F32, a.X.F32)
	y := rowsOf(a.Y)
	for i := range y.rows {
		p.softmax(y.row(i))
	}
	p.storeAll(y.data)
	return nil
}

// softmax overwrites a row with its softmax. NaN and +Inf make the sum NaN, and so the row; -Inf alone makes the maximum -Inf, and NaN
// of the differences.
func (p *plain) softmax(x []float32) {
	s := p.exponentials(x, p.rowMax(x))
	p.divide(x, p.denominator(s))
}

// exponentials overwrites x with exp(x - m) and returns their sum.
func (p *plain) exponentials(x []float32, m float32) float32 {
	for j := range x {
		x[j] = p.expDiff(x[j], m)
	}
	return p.sum(x)
}

func rowMax(x []float32) float32 {
	m := -inf
	for _, v := range x {
		m = max(m, v) // NaN where either is
	}
	return m
}

func expDiff(x, m float32) float32 { return exp32(x - m) }

func divide(x []float32, s float32) {
	for j := range x {
		x[j] /= s
	}
}

var _ = offer((*plain).softmaxGradOp)

func (p *plain) softmaxGradOp(a op.SoftmaxGradArgs) error {
	return p.rowGrads(rowsOf(a.X), rowsOf(a.DY), rowsOf(a.DX), p.softmaxGrad)
}

// rowGrads applies f, which is given the softmax of x, to each row.
func (p *plain) rowGrads(x, dy, dx matrix, f func(dx, p, dy []float32)) error {
	for i := range x.rows {
		probs := append([]float32(nil), x.row(i)...)
		p.softmax(probs)
		f(dx.row(i), probs, dy.row(i))
	}
	p.storeAll(dx.data)
	return nil
}

// softmaxJacobian is dx_i = p_i (dy_i - sum_j p_j dy_j).
func (p *plain) softmaxJacobian(dx, probs, dy []float32) {
	mean := p.dot(probs, dy)
	for i := range dx {
		dx[i] = probs[i] * (dy[i] - mean)
	}
}

var _ = offer((*plain).logSoftmaxOp)

func (p *plain) logSoftmaxOp(a op.LogSoftmaxArgs) error {
	x, y := rowsOf(a.X), rowsOf(a.Y)
	for i := range x.rows {
		m, s := p.logSum(x.row(i))
		for j, v := range x.row(i) {
			y.row(i)[j] = p.store(p.logProb(v, m, s))
		}
	}
	return nil
}

// logSum returns the maximum m of a row and the sum of exp(x - m).
func (p *plain) logSum(x []float32) (m, s float32) {
	m = p.rowMax(x)
	return m, p.denominator(p.exponentials(append([]float32(nil), x...), m))
}

func logProb(x, m, s float32) float32 { return (x - m) - log32(s) }

// logProbs is the log-softmax of a row.
func (p *plain) logProbs(row []float32) []float32 {
	m, s := p.logSum(row)
	y := make([]float32, len(row))
	for i, x := range row {
		y[i] = p.logProb(x, m, s)
	}
	return y
}

var _ = offer((*plain).logSoftmaxGradOp)

func (p *plain) logSoftmaxGradOp(a op.LogSoftmaxGradArgs) error {
	return p.rowGrads(rowsOf(a.X), rowsOf(a.DY), rowsOf(a.DX), p.logSoftmaxGrad)
}

// logSoftmaxJacobian is dx_i = dy_i - p_i sum_j dy_j.
func (p *plain) logSoftmaxJacobian(dx, probs, dy []float32) {
	sum := p.sum(dy)
	for i := range dx {
		dx[i] = dy[i] - float32(probs[i]*sum)
	}
}

// plusConstant returns the bug of a constant added to the denominator of softmax.
func plusConstant(c float32) func(*plain) {
	return func(p *plain) { p.denominator = func(sum float32) float32 { return sum + c } }
}

// exp2Unshifted is exp(x - m) as fused multiply-add hardware likes it; the rounding of m log2(e) is common to the row and cancels, unless
// it is larger than the range of exponents.
func exp2Unshifted(x, m float32) float32 {
	shift := m * float32(math.Log2E)
	return float32(math.Exp2(float64(float32(float64(x)*float64(float32(math.Log2E)) - float64(shift)))))
}

var _ = plant([]bug{
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
})

// jacobian returns the bug of a gradient of softmax, that of attention included.
func jacobian(f func(dx, p, dy []float32)) func(*plain) {
	return func(p *plain) { p.softmaxGrad = f }
}

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})
