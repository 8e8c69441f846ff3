package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// coefficient returns the bug of coefficients of Adam that are formed wrongly.
func coefficient(f func(c *coefficients, beta1, beta2 float64, t int)) func(*plain) {
	return func(p *plain) {
		p.coefficients = func(beta1, beta2 float64, t int) coefficients {
			c := coefficientsOf(beta1, beta2, t)
			f(&c, beta1, beta2, t)
			return c
		}
	}
}

// scheduled returns the bug of a schedule that reads other attributes.
func scheduled(f func(a *op.ScheduleAttrs)) func(p *plain) {
	return func(p *plain) {
		p.warmup = func(t int64, a op.ScheduleAttrs) float64 { f(&a); return warmup(t, a) }
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { f(&a); return progress(t, a) }
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 { f(&a); return cosine(x, a) }
		p.floored = func(x float64, a op.ScheduleAttrs) float64 { f(&a); return max(a.MinLR, x) }
	}
}

var initBugs = []bug{
	{"init-fans-exchanged", "init", "INIT-2", "Reads the fans of weights stored [out, in].", "", func(p *plain) {
		p.fans = func(in, out int) (float64, float64) { return float64(out), float64(in) }
	}},
	{"init-mode-ignored", "init", "INIT-1", "Uses fan_in whatever the mode is.", "", func(p *plain) {
		p.deviation = func(a op.InitAttrs, fanIn, fanOut float64) float64 {
			a.Mode = "fan_in"
			return deviation(a, fanIn, fanOut)
		}
	}},
	{"init-xavier-one-fan", "init", "INIT-1", "Divides by the fan that goes in, not by both.", "", func(p *plain) {
		p.deviation = func(a op.InitAttrs, fanIn, fanOut float64) float64 { return deviation(a, fanIn, fanIn) }
	}},
	{"init-slope-ignored", "init", "INIT-1", "Ignores the negative slope.", "", func(p *plain) {
		p.deviation = func(a op.InitAttrs, fanIn, fanOut float64) float64 { a.A = 0; return deviation(a, fanIn, fanOut) }
	}},
	{"init-slope-not-squared", "init", "INIT-1", "Has 1 + a for 1 + a^2.", "", func(p *plain) {
		p.deviation = func(a op.InitAttrs, fanIn, fanOut float64) float64 {
			a.A = math.Sqrt(a.A)
			return deviation(a, fanIn, fanOut)
		}
	}},
	{"init-layers-ignored", "init", "INIT-3", "Does not divide by sqrt(2L).", "", func(p *plain) {
		p.layersRoot = func(int) float64 { return 1 }
	}},
	{"init-one-per-layer", "init", "INIT-3", "Divides by sqrt(L): one projection a layer.", "", func(p *plain) {
		p.layersRoot = func(layers int) float64 { return math.Sqrt(float64(layers)) }
	}},
	{"init-root-of-three-missing", "init", "INIT-4", "Takes the deviation for the limit of uniform weights.", "", func(p *plain) {
		p.uniform = func(u, sigma float64) float64 { return sigma * (2*u - 1) }
	}},
	{"init-uniform-from-zero", "init", "INIT-4", "Draws uniform weights from [0, limit).", "", func(p *plain) {
		p.uniform = func(u, sigma float64) float64 { return math.Sqrt(3) * sigma * u }
	}},
	{"init-low-bits", "init", "INIT-4", "Takes the lower 24 bits of a draw.", "math/rand/v2's Float32", func(p *plain) {
		p.draw = func(bits int64) (float64, error) {
			_, err := draw(bits)
			return float64(bits&(1<<24-1)) * 0x1p-24, err
		}
	}},
	{"init-all-bits", "init", "INIT-4", "Takes all 32 bits of a draw.", "", func(p *plain) {
		p.draw = func(bits int64) (float64, error) {
			_, err := draw(bits)
			return float64(bits) * 0x1p-32, err
		}
	}},
	{"init-sine", "init", "INIT-5", "Takes the sine of the angle.", "", func(p *plain) {
		p.normal = func(u1, u2, sigma float64) float64 {
			return sigma * math.Sqrt(-2*math.Log(u1+0x1p-24)) * math.Sin(2*math.Pi*u2)
		}
	}},
	{"init-logarithm-of-zero", "init", "INIT-5", "Takes the logarithm of a draw that may be 0.", "", func(p *plain) {
		p.normal = func(u1, u2, sigma float64) float64 { return boxMuller(u1-0x1p-24, u2, sigma) }
	}},
	{"init-draws-exchanged", "init", "INIT-5", "Exchanges the two draws of a normal weight.", "", func(p *plain) {
		p.normal = func(u1, u2, sigma float64) float64 { return boxMuller(u2, u1, sigma) }
	}},
	{"init-float32", "init", "INIT-6", "Forms weights in float32.", "", func(p *plain) {
		p.uniform = func(u, sigma float64) float64 {
			return float64(float32(math.Sqrt(3)) * float32(sigma) * (2*float32(u) - 1))
		}
		p.normal = func(u1, u2, sigma float64) float64 {
			radius := sqrt32(-2 * log32(float32(u1+0x1p-24)))
			return float64(float32(sigma) * radius * float32(math.Cos(float64(float32(2*math.Pi)*float32(u2)))))
		}
	}},
	{"init-draw-wraps", "init", "INIT-7", "Takes a draw modulo 2^32.", "", func(p *plain) {
		p.draw = func(bits int64) (float64, error) { return draw(bits & (1<<32 - 1)) }
	}},
}

var adamBugs = []bug{
	{"adam-eps-under-root", "adam", "OPT-2", "Adds eps under the root.", "", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			return lr * (m / c.correction1) / sqrt32(v/c.correction2+eps)
		}
	}},
	{"adam-eps-before-correction", "adam", "OPT-2", "Adds eps to the root of v before its bias is corrected.", "pytorch #22628", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			return lr * sqrt32(c.correction2) / c.correction1 * m / (sqrt32(v) + eps)
		}
	}},
	{"adam-no-correction", "adam", "OPT-1", "Does not correct the bias of the moments.", "", coefficient(func(c *coefficients, _, _ float64, _ int) {
		c.correction1, c.correction2 = 1, 1
	})},
	{"adam-second-correction-missing", "adam", "OPT-1", "Does not correct the bias of v.", "", coefficient(func(c *coefficients, _, _ float64, _ int) {
		c.correction2 = 1
	})},
	{"adam-step-from-zero", "adam", "OPT-1", "Counts steps from 0 in the corrections, which are then those of the step before.", "", func(p *plain) {
		p.firstStep = func(step, runs int) int { return max(1, step+runs-1) }
	}},
	{"adam-gradient-not-squared", "adam", "OPT-1", "Has |g| for g^2 in v.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			m, _ = moments(m, v, g, c)
			return m, c.beta2*v + c.rest2*max(g, -g)
		}
	}},
	{"adam-betas-exchanged", "adam", "OPT-1", "Exchanges beta1 and beta2.", "", func(p *plain) {
		p.coefficients = func(beta1, beta2 float64, t int) coefficients { return coefficientsOf(beta2, beta1, t) }
	}},
	{"adam-old-moment", "adam", "OPT-1", "Moves the parameter by the first moment of the step before.", "", func(p *plain) {
		var old float32
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			old = m
			return moments(m, v, g, c)
		}
		p.adamMove = func(_, v, lr, eps float32, c coefficients) float32 { return adamMove(old, v, lr, eps, c) }
	}},
	{"adam-float32-coefficients", "adam", "OPT-3", "Forms 1 - beta2 in float32.", "", coefficient(func(c *coefficients, _, beta2 float64, _ int) {
		c.rest2 = 1 - float32(beta2)
	})},
	{"adam-float32-corrections", "adam", "OPT-3", "Forms 1 - beta2^t in float32.", "", coefficient(func(c *coefficients, _, beta2 float64, t int) {
		power := float32(1)
		for range t {
			power *= float32(beta2)
		}
		c.correction2 = 1 - power
	})},
	{"adam-decoupled-for-coupled", "adam", "OPT-4", "Decouples weight decay always.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.decoupled = true; return decay(a) }
	}},
	{"adam-decay-in-first-moment", "adam", "OPT-4", "Has coupled decay in the first moment only.", "", func(p *plain) {
		var added float32
		p.decay = func(a decayed) (float32, float32) {
			g, shrink := decay(a)
			added = g - a.grad
			return g, shrink
		}
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			m, _ = moments(m, v, g, c)
			_, v = moments(m, v, g-added, c)
			return m, v
		}
	}},
	{"adam-coupled-for-decoupled", "adam", "OPT-5", "Couples weight decay always.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.decoupled = false; return decay(a) }
	}},
	{"adam-decay-without-rate", "adam", "OPT-5", "Does not multiply decoupled decay by the rate.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.lr = 1; return decay(a) }
	}},
	{"adam-decay-sign", "adam", "OPT-5", "Adds decoupled decay to the parameter.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) {
			g, shrink := decay(a)
			return g, -shrink
		}
	}},
	{"adam-step-ignored", "adam", "OPT-6", "Ignores the steps behind the constants.", "", func(p *plain) {
		p.firstStep = func(_, runs int) int { return runs }
	}},
	{"adam-moments-restart", "adam", "OPT-6", "Begins with moments of 0 whatever it is given.", "", func(p *plain) {
		p.startMoments = func(m, v []float32) ([]float32, []float32) { return nil, nil }
	}},
	{"adam-zero-gradient-skipped", "adam", "OPT-7", "Leaves an element alone whose gradient is 0.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			if g == 0 {
				return m, v
			}
			return moments(m, v, g, c)
		}
	}},
	{"adam-zero-over-zero", "adam", "OPT-7", "Leaves eps out where v is 0.", "", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			if v == 0 {
				eps = 0
			}
			return adamMove(m, v, lr, eps, c)
		}
	}},
	{"adam-square-overflows", "adam", "OPT-8", "Squares the gradient before it multiplies by 1 - beta2.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) {
			m, _ = moments(m, v, g, c)
			return m, c.beta2*v + c.rest2*float32(g*g)
		}
	}},
	{"adam-correction-overflows", "adam", "OPT-8", "Forms v_hat, which overflows, before its root.", "", func(p *plain) {
		p.adamMove = func(m, v, lr, eps float32, c coefficients) float32 {
			return lr * ((m / c.correction1) / (sqrt32(v/c.correction2) + eps))
		}
	}},
	{"adam-nan-skipped", "adam", "OPT-9", "Takes a NaN in the gradient for 0.", "", func(p *plain) {
		p.moments = func(m, v, g float32, c coefficients) (float32, float32) { return moments(m, v, withoutNaN(g), c) }
	}},
}

var sgdBugs = []bug{
	{"sgd-decay-ignored", "sgd", "OPT-10", "Ignores weight decay.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { return a.grad, 0 }
	}},
	{"sgd-dampening-of-velocity", "sgd", "OPT-10", "Dampens the velocity, not the gradient.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			if a.Momentum == 0 || first {
				return g
			}
			return float32(a.Momentum)*float32(1-a.Dampening)*v + g
		}
	}},
	{"sgd-average", "sgd", "OPT-10", "Averages: multiplies the gradient by 1 - momentum.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			a.Dampening = a.Momentum
			return velocity(v, g, first, a)
		}
	}},
	{"sgd-first-step-dampened", "sgd", "OPT-11", "Dampens the first step, too.", "", func(p *plain) {
		p.velocity = func(v, g float32, _ bool, a op.SGDAttrs) float32 { return velocity(v, g, false, a) }
	}},
	{"sgd-first-step-always", "sgd", "OPT-11", "Begins with v = g although v is given.", "", func(p *plain) {
		p.startVelocity = func([]float32) []float32 { return nil }
	}},
	{"sgd-nesterov-ignored", "sgd", "OPT-12", "Ignores nesterov.", "", func(p *plain) {
		p.sgdMove = func(v, _ float32, _ op.SGDAttrs) float32 { return v }
	}},
	{"sgd-nesterov-velocity-only", "sgd", "OPT-12", "Moves by momentum v, without g, under nesterov.", "", func(p *plain) {
		p.sgdMove = func(v, g float32, a op.SGDAttrs) float32 {
			if a.Nesterov {
				return float32(a.Momentum) * v
			}
			return v
		}
	}},
	{"sgd-dampened-without-momentum", "sgd", "OPT-13", "Dampens the gradient where there is no momentum.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			if a.Momentum == 0 && !first {
				return float32(1-a.Dampening) * g
			}
			return velocity(v, g, first, a)
		}
	}},
	{"sgd-velocity-zero", "sgd", "OPT-13", "Keeps a velocity of 0 where there is no momentum.", "", func(p *plain) {
		p.velocity = func(v, g float32, first bool, a op.SGDAttrs) float32 {
			if a.Momentum == 0 {
				return 0
			}
			return velocity(v, g, first, a)
		}
		p.sgdMove = func(v, g float32, a op.SGDAttrs) float32 {
			if a.Momentum == 0 {
				return g
			}
			return sgdMove(v, g, a)
		}
	}},
}

var clipNormBugs = []bug{
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
}

var clipValueBugs = []bug{
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
}
