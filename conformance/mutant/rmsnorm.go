package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// rmsNormParts are the decisions in which root mean square normalization goes wrong.
type rmsNormParts struct {
	rootMeanSquare func(x []float32, eps float32) float32
	rmsScale       func(z, gamma float32) float32

	rmsGrad      func(dx, g, z []float32, r float32)
	rmsGammaGrad func(dy, x, z matrix) []float32
}

var _ = parts(func(p *plain) {
	p.rmsNormParts = rmsNormParts{
		rootMeanSquare: p.rms,
		rmsScale:       func(z, gamma float32) float32 { return z * gamma },
		rmsGrad:        p.rmsJacobian,
		rmsGammaGrad:   func(dy, _, z matrix) []float32 { return p.columnDots(dy, z) },
	}
})

var _ = offer((*plain).rmsNormOp)

func (p *plain) rmsNormOp(a op.RMSNormArgs) error {
	x, gamma := rowsOf(a.X), a.Gamma.F32
	y := newMatrix(x.rows, x.cols)
	for i := range x.rows {
		r := p.rootMeanSquare(x.row(i), float32(a.Eps))
		for j, v := range x.row(i) {
			y.row(i)[j] = p.store(p.rmsScale(v/r, gamma[j]))
		}
	}
	copy(a.Y.F32, y.data)
	return nil
}

func (p *plain) rms(x []float32, eps float32) float32 {
	return sqrt32(p.dot(x, x)/float32(len(x)) + eps)
}

var _ = offer((*plain).rmsNormGradOp)

func (p *plain) rmsNormGradOp(a op.RMSNormGradArgs) error {
	x, dy := rowsOf(a.X), rowsOf(a.DY)
	dx, z := newMatrix(x.rows, x.cols), newMatrix(x.rows, x.cols)
	for i := range x.rows {
		r := p.rootMeanSquare(x.row(i), float32(a.Eps))
		g := make([]float32, x.cols)
		for j, v := range x.row(i) {
			z.row(i)[j] = v / r
			g[j] = p.rmsScale(dy.row(i)[j], a.Gamma.F32[j])
		}
		p.rmsGrad(dx.row(i), g, z.row(i), r)
	}
	p.give(a.DX, dx.data)
	p.give(a.DGamma, p.rmsGammaGrad(dy, x, z))
	return nil
}

// rmsJacobian is dx_i = (g_i - z_i mean(g z)) / r.
func (p *plain) rmsJacobian(dx, g, z []float32, r float32) {
	along := p.dot(g, z) / float32(len(g))
	for i := range dx {
		dx[i] = (g[i] - float32(z[i]*along)) / r
	}
}

var _ = plant([]bug{
	{"rmsnorm-mean-subtracted", "rmsnorm", "RMS-1", "Takes the variance for the mean square.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, eps float32) float32 {
			return sqrt32(p.meanSquare(x, p.sum(x)/float32(len(x))) + eps)
		}
	}},
	{"rmsnorm-gamma-plus-one", "rmsnorm", "RMS-1", "Multiplies by 1 + gamma.", "", func(p *plain) {
		p.rmsScale = func(z, gamma float32) float32 { return z * (1 + gamma) }
	}},
	{"rmsnorm-eps-outside-root", "rmsnorm", "RMS-2", "Adds eps to the root.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, eps float32) float32 { return p.rms(x, 0) + eps }
	}},
	{"rmsnorm-eps-fixed", "rmsnorm", "RMS-2", "Ignores the attribute and uses 1e-5.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, _ float32) float32 { return p.rms(x, 1e-5) }
	}},
	{"rmsnorm-unbiased", "rmsnorm", "RMS-3", "Divides the sum of squares by d - 1.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, eps float32) float32 {
			return sqrt32(p.dot(x, x)/float32(max(1, len(x)-1)) + eps)
		}
	}},
	{"rmsnorm-norm", "rmsnorm", "RMS-3", "Divides by the Euclidean norm: the sum of squares is not divided.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, eps float32) float32 { return sqrt32(p.dot(x, x) + eps) }
	}},
	{"rmsnorm-zeros", "rmsnorm", "RMS-4", "Gives NaN for a row of zeros: eps is lost.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, eps float32) float32 {
			if p.dot(x, x) == 0 {
				eps = 0
			}
			return p.rms(x, eps)
		}
	}},
	{"rmsnorm-infinite-row-clamped", "rmsnorm", "RMS-5", "Clamps the mean square to the largest float32, so that an infinity stays one.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, eps float32) float32 { return min(p.rms(x, eps), sqrt32(math.MaxFloat32)) }
	}},
})

var _ = plant([]bug{
	{"rmsnorm-grad-root-constant", "rmsnorm.grad", "RMS-6", "Takes the root for a constant.", "", func(p *plain) {
		p.rmsGrad = func(dx, g, _ []float32, r float32) {
			for i := range dx {
				dx[i] = g[i] / r
			}
		}
	}},
	{"rmsnorm-grad-sum", "rmsnorm.grad", "RMS-6", "Takes the sum of g z for its mean.", "", func(p *plain) {
		p.rmsGrad = func(dx, g, z []float32, r float32) {
			along := p.dot(g, z)
			for i := range dx {
				dx[i] = (g[i] - z[i]*along) / r
			}
		}
	}},
	{"rmsnorm-grad-layernorm", "rmsnorm.grad", "RMS-6", "Subtracts the mean of g too, as in the gradient of layer normalization.", "", func(p *plain) {
		p.rmsGrad = p.normJacobian
	}},
	{"rmsnorm-grad-gamma-missing", "rmsnorm.grad", "RMS-6", "Does not multiply dy by gamma.", "", func(p *plain) {
		p.rmsScale = func(dy, _ float32) float32 { return dy }
	}},
	{"rmsnorm-grad-eps-missing", "rmsnorm.grad", "RMS-8", "Leaves eps out of the root.", "", func(p *plain) {
		p.rootMeanSquare = func(x []float32, _ float32) float32 { return p.rms(x, 0) }
	}},
	{"rmsnorm-grad-gamma-of-input", "rmsnorm.grad", "RMS-7", "Multiplies dy by x, which is not normalised, in dgamma.", "", func(p *plain) {
		p.rmsGammaGrad = func(dy, x, _ matrix) []float32 { return p.columnDots(dy, x) }
	}},
	{"rmsnorm-grad-gamma-first-row", "rmsnorm.grad", "RMS-7", "Takes dgamma of the first row only.", "", func(p *plain) {
		p.rmsGammaGrad = func(dy, _, z matrix) []float32 { return p.columnDots(firstRow(dy), firstRow(z)) }
	}},
	{"rmsnorm-grad-gamma-mean", "rmsnorm.grad", "RMS-7", "Takes the mean over the rows for dgamma.", "", func(p *plain) {
		p.rmsGammaGrad = func(dy, _, z matrix) []float32 {
			sums := p.columnDots(dy, z)
			p.divide(sums, float32(dy.rows))
			return sums
		}
	}},
	{"rmsnorm-grad-nan-row-skipped", "rmsnorm.grad", "RMS-8", "Leaves what is NaN out of dgamma.", "", func(p *plain) {
		p.rmsGammaGrad = func(dy, _, z matrix) []float32 {
			clean := z.clone()
			for i := range clean.data {
				clean.data[i] = withoutNaN(clean.data[i])
			}
			return p.columnDots(dy, clean)
		}
	}},
	{"rmsnorm-grad-infinite-row-finite", "rmsnorm.grad", "RMS-8", "Gives 0 for the gradient of a row that holds an infinity.", "", func(p *plain) {
		p.rmsGrad = func(dx, g, z []float32, r float32) {
			if r > math.MaxFloat32 {
				clear(dx)
				return
			}
			p.rmsJacobian(dx, g, z, r)
		}
	}},
})
