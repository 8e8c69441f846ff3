package mutant

import "github.com/assaykit/assay/conformance/op"

// layerNormParts are the decisions in which layer normalization goes wrong.
type layerNormParts struct {
	reduce    func(x []float32, eps float32) ([]float32, float32)
	mean      func(x []float32) float32
	variance  func(x []float32, mean float32) float32
	normalize func(d, variance, eps float32) float32
	affine    func(z, gamma, beta float32) float32

	gradSigma           func(variance, eps float32) float32
	normGrad            func(dx, g, xhat []float32, sigma float32)
	scaledGrad          func(dy, gamma float32) float32
	gammaGrad, betaGrad func(dy, x, xhat matrix) []float32
}

var _ = parts(func(p *plain) {
	p.layerNormParts = layerNormParts{
		reduce:    reduced,
		mean:      func(x []float32) float32 { return p.sum(x) / float32(len(x)) },
		variance:  p.meanSquare,
		normalize: normalize, affine: affine,
		gradSigma: func(variance, eps float32) float32 { return sqrt32(variance + eps) }, normGrad: p.normJacobian,
		scaledGrad: func(dy, gamma float32) float32 { return float32(dy * gamma) },
		gammaGrad:  func(dy, _, xhat matrix) []float32 { return p.columnDots(dy, xhat) },
		betaGrad:   func(dy, _, _ matrix) []float32 { return p.columnSums(dy) },
	}
})

var _ = offer((*plain).layerNormOp)

func (p *plain) layerNormOp(a op.LayerNormArgs) error {
	copy(a.Y.F32, p.layerNorm(rowsOf(a.X), norm{a.Gamma.F32, a.Beta.F32, a.Eps}).data)
	return nil
}

// norm holds what a layer normalization needs beside its input.
type norm struct {
	gamma, beta []float32
	eps         float64
}

func (p *plain) layerNorm(x matrix, n norm) matrix {
	y := newMatrix(x.rows, x.cols)
	for i := range x.rows {
		row, eps := p.reduce(x.row(i), float32(n.eps))
		mean := p.mean(row)
		v := p.variance(row, mean)
		for j := range row {
			z := p.normalize(row[j]-mean, v, eps)
			y.row(i)[j] = p.store(p.affine(z, n.gamma[j], n.beta[j]))
		}
	}
	return y
}

// reduced is a row whose squares are finite, with the eps that belongs to it: a scaling by a power of two cancels.
func reduced(x []float32, eps float32) ([]float32, float32) {
	const large, small = 1 << 60, 1. / (1 << 62) / (1 << 38)
	for _, v := range x {
		if v > large || v < -large {
			y := make([]float32, len(x))
			for i := range y {
				y[i] = x[i] * small
			}
			return y, eps * small * small
		}
	}
	return x, eps
}

// meanSquare is the biased variance, of the deviations.
func (p *plain) meanSquare(x []float32, mean float32) float32 {
	d := make([]float32, len(x))
	for j := range x {
		d[j] = x[j] - mean
	}
	return p.dot(d, d) / float32(len(x))
}

func normalize(d, variance, eps float32) float32 { return d / sqrt32(variance+eps) }

func affine(z, gamma, beta float32) float32 { return float32(z*gamma) + beta }

var _ = offer((*plain).layerNormGradOp)

func (p *plain) layerNormGradOp(a op.LayerNormGradArgs) error {
	dx, dgamma, dbeta := p.layerNormGrad(rowsOf(a.X), rowsOf(a.DY), norm{a.Gamma.F32, a.Beta.F32, a.Eps})
	p.give(a.DX, dx.data)
	p.give(a.DGamma, dgamma)
	p.give(a.DBeta, dbeta)
	return nil
}

func (p *plain) layerNormGrad(x, dy matrix, n norm) (dx matrix, dgamma, dbeta []float32) {
	dx, xhat := newMatrix(x.rows, x.cols), newMatrix(x.rows, x.cols)
	for i := range x.rows {
		row, hat := x.row(i), xhat.row(i)
		mean := p.mean(row)
		sigma := p.gradSigma(p.variance(row, mean), float32(n.eps))
		g := make([]float32, len(row))
		for j := range row {
			hat[j] = (row[j] - mean) / sigma
			g[j] = p.scaledGrad(dy.row(i)[j], n.gamma[j])
		}
		p.normGrad(dx.row(i), g, hat, sigma)
	}
	dgamma, dbeta = p.gammaGrad(dy, x, xhat), p.betaGrad(dy, x, xhat)
	p.storeAll(dx.data)
	p.storeAll(dgamma)
	p.storeAll(dbeta)
	return dx, dgamma, dbeta
}

// normJacobian is dx_i = (g_i - mean(g) - xhat_i mean(g xhat)) / sigma.
func (p *plain) normJacobian(dx, g, xhat []float32, sigma float32) {
	n := float32(len(g))
	mean, along := p.sum(g)/n, p.dot(g, xhat)/n
	for i := range dx {
		dx[i] = (g[i] - mean - float32(xhat[i]*along)) / sigma
	}
}

// columnDots returns the sum of the products of each column.
func (p *plain) columnDots(x, y matrix) []float32 {
	sums := make([]float32, x.cols)
	for j := range sums {
		sums[j] = p.dot(x.column(j), y.column(j))
	}
	return sums
}

var _ = plant([]bug{
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
	{"layernorm-squares-overflow", "layernorm", "LN-4", "Squares in float32, which overflow from 2e19 on.", "", func(p *plain) {
		p.reduce = func(x []float32, eps float32) ([]float32, float32) { return x, eps }
	}},
	{"layernorm-infinite-row-clamped", "layernorm", "LN-6", "Gives beta for a row whose variance is not a number.", "", func(p *plain) {
		p.normalize = func(d, variance, eps float32) float32 {
			if variance != variance {
				return 0
			}
			return normalize(d, variance, eps)
		}
	}},
})

var _ = plant([]bug{
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
})
