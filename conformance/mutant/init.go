package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// initParts are the decisions in which initialization goes wrong, in float64.
type initParts struct {
	fans       func(in, out int) (fanIn, fanOut float64)
	deviation  func(a op.InitAttrs, fanIn, fanOut float64) float64
	layersRoot func(layers int) float64
	draw       func(bits int64) (float64, error) // in [0, 1)
	uniform    func(u, sigma float64) float64
	normal     func(u1, u2, sigma float64) float64
	weight     func(w float64) float32
}

var _ = parts(func(p *plain) {
	p.initParts = initParts{
		fans:      func(in, out int) (float64, float64) { return float64(in), float64(out) },
		deviation: deviation, layersRoot: func(layers int) float64 { return math.Sqrt(2 * float64(layers)) }, draw: draw,
		uniform: func(u, sigma float64) float64 { return math.Sqrt(3) * sigma * (2*u - 1) }, normal: boxMuller,
		weight: func(w float64) float32 { return float32(w) },
	}
})

var _ = offer((*plain).initOp)

func (p *plain) initOp(a op.InitArgs) error {
	fanIn, fanOut := p.fans(a.W.Shape[0], a.W.Shape[1])
	sigma := a.Gain * p.deviation(a.InitAttrs, fanIn, fanOut)
	if a.Layers > 0 {
		sigma /= p.layersRoot(a.Layers)
	}
	per := a.Draws.Len() / a.W.Len()
	for i := range a.W.F32 {
		u := make([]float64, per)
		for j := range u {
			var err error
			if u[j], err = p.draw(a.Draws.I64[i*per+j]); err != nil {
				return fmt.Errorf("init: %w", err)
			}
		}
		if a.Normal() {
			a.W.F32[i] = p.store(p.weight(p.normal(u[0], u[1], sigma)))
		} else {
			a.W.F32[i] = p.store(p.weight(p.uniform(u[0], sigma)))
		}
	}
	return nil
}

// deviation is the standard deviation before gain and layers.
func deviation(a op.InitAttrs, fanIn, fanOut float64) float64 {
	switch a.Scheme {
	case "normal":
		return a.Std
	case "xavier_uniform", "xavier_normal":
		return math.Sqrt(2 / (fanIn + fanOut))
	}
	fan := fanIn
	if a.Mode == "fan_out" {
		fan = fanOut
	}
	return math.Sqrt(2/(1+a.A*a.A)) / math.Sqrt(fan)
}

// draw is the number that 32 random bits stand for: the upper 24 of them.
func draw(bits int64) (float64, error) {
	if bits < 0 || bits >= 1<<32 {
		return 0, fmt.Errorf("%w: draw %d: want 32 bits", op.ErrIndex, bits)
	}
	return float64(bits>>8) * 0x1p-24, nil
}

func boxMuller(u1, u2, sigma float64) float64 {
	return sigma * math.Sqrt(-2*math.Log(u1+0x1p-24)) * math.Cos(2*math.Pi*u2)
}

var _ = plant([]bug{
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
})
