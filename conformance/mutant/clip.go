package mutant

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// clipParts are the decisions in which clipping goes wrong.
type clipParts struct {
	norm       func(g []float32) float32
	clipFactor func(norm, maxNorm, eps float32) float32
	clipped    func(g, limit float32) float32
	acceptNorm func(norm float32) bool
}

var _ = parts(func(p *plain) {
	p.clipParts = clipParts{
		norm: p.euclidean, clipFactor: clipFactor, clipped: func(g, limit float32) float32 { return max(-limit, min(g, limit)) },
		acceptNorm: func(norm float32) bool { return norm-norm == 0 },
	}
})

var _ = offer((*plain).clipNormOp)

func (p *plain) clipNormOp(a op.ClipNormArgs) error {
	norm := p.norm(a.G.F32)
	if !p.acceptNorm(norm) {
		return fmt.Errorf("clip_norm: %w: the norm is %v", op.ErrNumber, norm)
	}
	factor := p.clipFactor(norm, float32(a.MaxNorm), float32(a.Eps))
	for i, g := range a.G.F32 {
		a.Y.F32[i] = p.store(g * factor)
	}
	a.Norm.F32[0] = p.store(norm)
	return nil
}

// euclidean is the norm, of elements divided by the largest: their squares neither overflow nor all underflow.
func (p *plain) euclidean(g []float32) float32 {
	var largest float32
	for _, x := range g {
		largest = max(largest, x, -x) // NaN where one is
	}
	if largest == 0 || largest-largest != 0 {
		return largest
	}
	scaled := make([]float32, len(g))
	for i, x := range g {
		scaled[i] = x / largest
	}
	return largest * sqrt32(p.dot(scaled, scaled))
}

func clipFactor(norm, maxNorm, eps float32) float32 { return min(1, maxNorm/(norm+eps)) }

// clipJointly multiplies all gradients by one factor.
func (p *plain) clipJointly(grads [][]float32, norm, maxNorm float32) {
	factor := p.clipFactor(norm, maxNorm, 1e-6)
	for _, g := range grads {
		for i := range g {
			g[i] = p.store(g[i] * factor)
		}
	}
}

var _ = offer((*plain).clipValueOp)

func (p *plain) clipValueOp(a op.ClipValueArgs) error {
	for i, g := range a.G.F32 {
		a.Y.F32[i] = p.store(p.clipped(g, float32(a.Limit)))
	}
	return nil
}

var _ = plant([]bug{
	{"clip-norm-sum-of-magnitudes", "clip_norm", "CLIP-1", "Has the sum of magnitudes for the norm.", "", func(p *plain) {
		p.norm = func(g []float32) float32 {
			abs := make([]float32, len(g))
			for i, x := range g {
				abs[i] = max(x, -x)
			}
			return p.sum(abs)
		}
	}},
	{"clip-norm-root-mean-square", "clip_norm", "CLIP-1", "Has the root mean square for the norm.", "", func(p *plain) {
		p.norm = func(g []float32) float32 { return p.euclidean(g) / sqrt32(float32(len(g))) }
	}},
	{"clip-norm-eps-missing", "clip_norm", "CLIP-1", "Does not add eps to the norm.", "", func(p *plain) {
		p.clipFactor = func(norm, maxNorm, _ float32) float32 { return clipFactor(norm, maxNorm, 0) }
	}},
	{"clip-norm-after-clipping", "clip_norm", "CLIP-1", "Returns the norm after clipping.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			if norm := dst[1].F32; err == nil && len(norm) == 1 {
				norm[0] = correct().euclidean(dst[0].F32)
			}
			return err
		}
	})},
	{"clip-norm-always", "clip_norm", "CLIP-2", "Scales short gradients up to the norm, too.", "", func(p *plain) {
		p.clipFactor = func(norm, maxNorm, eps float32) float32 { return maxNorm / (norm + eps) }
	}},
	{"clip-norm-zero-over-zero", "clip_norm", "CLIP-2", "Multiplies zeros by max_norm / 0.", "", func(p *plain) {
		p.clipFactor = func(norm, maxNorm, eps float32) float32 {
			if norm == 0 && eps == 0 {
				return inf
			}
			return clipFactor(norm, maxNorm, eps)
		}
	}},
	{"clip-norm-squares-overflow", "clip_norm", "CLIP-3", "Sums the squares as they are.", "", func(p *plain) {
		p.norm = func(g []float32) float32 { return sqrt32(p.dot(g, g)) }
		p.acceptNorm = func(float32) bool { return true }
	}},
	{"clip-norm-not-finite", "clip_norm", "CLIP-4", "Clips by a norm that is not finite.", "", func(p *plain) {
		p.acceptNorm = func(float32) bool { return true }
	}},
	{"clip-norm-nan-skipped", "clip_norm", "CLIP-4", "Leaves NaN out of the norm.", "", func(p *plain) {
		p.norm = func(g []float32) float32 {
			clean := make([]float32, len(g))
			for i := range g {
				clean[i] = withoutNaN(g[i])
			}
			return p.euclidean(clean)
		}
	}},
})

var _ = plant([]bug{
	{"clip-value-one-sided", "clip_value", "CLIP-5", "Clips from above only.", "", func(p *plain) {
		p.clipped = func(g, limit float32) float32 { return min(g, limit) }
	}},
	{"clip-value-zeroed", "clip_value", "CLIP-5", "Gives 0 for elements beyond the limit.", "", func(p *plain) {
		p.clipped = func(g, limit float32) float32 {
			if g > limit || g < -limit {
				return 0
			}
			return g
		}
	}},
	{"clip-value-nan-to-limit", "clip_value", "CLIP-6", "Gives the limit for NaN: g < limit ? g : limit.", "", func(p *plain) {
		p.clipped = func(g, limit float32) float32 {
			if g < limit {
				return max(-limit, g)
			}
			return limit
		}
	}},
})
