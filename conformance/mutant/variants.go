package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// Variant is a correct evaluation, in float32 or in lower precision that it declares.
type Variant struct {
	ID   string
	Note string // how it differs from the obvious evaluation
	New  func() op.Implementation
}

// Variants returns the correct variants.
func Variants() []Variant {
	variant := func(id, note string, change func(*plain)) Variant {
		return Variant{id, note, func() op.Implementation {
			p := correct()
			change(p)
			return op.WithFormats(p, p.formats)
		}}
	}
	return []Variant{
		variant("forward", "sums from the first term to the last", func(*plain) {}),
		variant("reversed", "sums from the last term to the first", func(p *plain) { p.dot = reversed }),
		variant("pairwise", "sums of halves", func(p *plain) { p.dot = pairwise }),
		variant("blocked", "eight sums, as a vector register holds them", func(p *plain) { p.dot = blocked }),
		variant("fused", "fused multiply-add", func(p *plain) { p.dot = fused }),
		variant("float64", "sums in float64, rounded once: better than it declares", func(p *plain) { p.dot = wide }),
		variant("online", "attention in one pass over tiles of keys, with a running maximum", func(p *plain) { p.attend = p.online }),
		variant("rearranged", "other forms of the same formulas: exp2, reciprocals, Welford's variance, erfc, dout . out, moments that move", rearrange),
		variant("bfloat16", "inputs, weights and results in bfloat16, sums in float32", func(p *plain) {
			p.store = func(x float32) float32 { return significant(x, 8) }
			p.formats = op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format}
		}),
		variant("float16-sums", "products and sums rounded to the precision of float16, in the range of float32, and declared; longer sums stagnate", func(p *plain) {
			p.dot = narrow(11)
			p.formats.Accumulate = op.Float16Format
			p.offers = []string{"matmul", "linear"}
		}),
	}
}

// rearrange puts other forms of the same formulas in place, those that fast kernels use. Each is as accurate as the obvious one.
func rearrange(p *plain) {
	p.expDiff = func(x, m float32) float32 { return float32(math.Exp2(float64((x - m) * float32(math.Log2E)))) }
	p.divide = func(x []float32, s float32) {
		inverse := 1 / s
		for j := range x {
			x[j] *= inverse
		}
	}
	p.normalize = func(d, variance, eps float32) float32 { return d * (1 / sqrt32(variance+eps)) }
	// Welford: the mean and the sum of squared deviations in one pass.
	p.variance = func(x []float32, _ float32) float32 {
		var mean, squares float32
		for i, v := range x {
			d := v - mean
			mean += d / float32(i+1)
			squares += float32(d * (v - mean))
		}
		return squares / float32(len(x))
	}
	p.geluErf = func(x float32) float32 {
		if x == -inf {
			return 0
		}
		return 0.5 * x * float32(math.Erfc(float64(-x*float32(1/math.Sqrt2))))
	}
	// x / (1 + exp(-2u)), the same as x/2 (1 + tanh(u)).
	p.geluTanh = func(x float32) float32 {
		if x == -inf {
			return 0
		}
		u := float32(math.Sqrt(2/math.Pi)) * x * (1 + float32(0.044715*x*x))
		return x / (1 + exp32(-2*u))
	}
	p.logProb = func(x, m, s float32) float32 { return (x - m) + log32(1/s) }
	p.delta = func(_, _ []float32, doutO func() float32) float32 { return doutO() }
	p.softmaxGrad = func(dx, probs, dy []float32) {
		mean := p.dot(probs, dy)
		for i := range dx {
			dx[i] = float32(probs[i]*dy[i]) - float32(probs[i]*mean)
		}
	}
	p.normGrad = func(dx, g, xhat []float32, sigma float32) {
		inverse, mean, along := 1/sigma, p.sum(g)/float32(len(g)), p.dot(g, xhat)/float32(len(g))
		for i := range dx {
			dx[i] = (g[i] - (mean + float32(xhat[i]*along))) * inverse
		}
	}
	// Moments as they move towards the gradient, and the corrections in the rate.
	p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
		return m + float32(c.rest1*(g-m)), float32(c.beta2*v) + float32(float32(c.rest2*g)*g)
	}
	p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
		return float32(lr/c.correction1) * m / (float32(sqrt32(v)*(1/sqrt32(c.correction2))) + eps)
	}
}
