package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/reference"
)

// An adamForm is a step of Adam in float32 as somebody writes it, every intermediate result rounded.
type adamForm func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (param, m1, v1 float32)

func corrections(t int, c reference.AdamConfig) (first, second float32) {
	return float32(reference.BiasCorrection(c.Beta1, t)), float32(reference.BiasCorrection(c.Beta2, t))
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// The forms that must be inside the bound: as SPEC.md prints it; as PyTorch computes it; with interpolated moments.
var adamForms = map[string]adamForm{
	"printed": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		first, second := corrections(t, c)
		decay := float32(c.WeightDecay) * p
		if !c.Decoupled {
			g += decay
		}
		m = float32(float32(c.Beta1)*m) + float32(float32(1-c.Beta1)*g)
		v = float32(float32(c.Beta2)*v) + float32(float32(1-c.Beta2)*float32(g*g))
		step := lr * (m / first) / (sqrt32(v/second) + float32(c.Eps))
		if c.Decoupled {
			p -= float32(lr * decay)
		}
		return p - step, m, v
	},
	"PyTorch": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		first, second := corrections(t, c)
		if c.Decoupled {
			p *= float32(1 - float64(lr)*c.WeightDecay)
		} else {
			g += float32(c.WeightDecay) * p
		}
		m = float32(m*float32(c.Beta1)) + float32(g*float32(1-c.Beta1))
		v = float32(v*float32(c.Beta2)) + float32(float32(float32(1-c.Beta2)*g)*g)
		return p - float32(lr/first)*float32(m/float32(sqrt32(v)/sqrt32(second)+float32(c.Eps))), m, v
	},
	"interpolated": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		first, second := corrections(t, c)
		decay := float32(c.WeightDecay) * p
		if !c.Decoupled {
			g += decay
			decay = 0
		}
		m += float32(float32(1-c.Beta1) * float32(g-m))
		v += float32(float32(1-c.Beta2) * float32(float32(g*g)-v))
		return p - float32(lr*float32(float32(m/first)/float32(sqrt32(v/second)+float32(c.Eps))+decay)), m, v
	},
}

// The forms that must be outside it, in some element of some step.
var wrongAdams = map[string]adamForm{
	"1 - beta2 in float32": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		c.Beta2 = 1 - float64(1-float32(c.Beta2))
		return adamForms["printed"](p, m, v, g, lr, t, c)
	},
	"eps under the root": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		eps := c.Eps
		c.Eps = 0
		first, second := corrections(t, c)
		before := p
		_, m, v = adamForms["printed"](p, m, v, g, lr, t, c)
		if c.Decoupled {
			before -= float32(lr * float32(c.WeightDecay) * before)
		}
		return before - lr*(m/first)/sqrt32(v/second+float32(eps)), m, v
	},
	"no correction": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		return adamForms["printed"](p, m, v, g, lr, t+100000, c)
	},
	"the other decay": func(p, m, v, g, lr float32, t int, c reference.AdamConfig) (float32, float32, float32) {
		c.Decoupled = !c.Decoupled
		return adamForms["printed"](p, m, v, g, lr, t, c)
	},
}

// ratio takes one step of a form from numbers of float32 and returns its largest error in units of the bound.
func (f adamForm) ratio(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) float64 {
	want := reference.Adam(s, grad, lr, t, c)
	param, m, v := Adam(s, grad, lr, t, c)
	got := s.Clone()
	for i, g := range grad {
		p1, m1, v1 := f(float32(s.Param[i]), float32(s.M[i]), float32(s.V[i]), float32(g), float32(lr), t, c)
		got.Param[i], got.M[i], got.V[i] = float64(p1), float64(m1), float64(v1)
	}
	return max(worst(got.Param, want.Param, param), worst(got.M, want.M, m), worst(got.V, want.V, v))
}

func TestAdamGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const n = 50
	ratios, wrong := map[string]float64{}, map[string]float64{}
	for _, c := range []reference.AdamConfig{
		{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, Decoupled: true}, {Beta1: 0.9, Beta2: 0.999, Eps: 1e-3, WeightDecay: 0.5},
		{Beta1: 0.5, Beta2: 0.95, Eps: 0.1, WeightDecay: 1}, {Beta1: 0, Beta2: 0, Eps: 1e-6},
	} {
		for _, size := range []float64{1e-4, 1, 1e4} {
			for _, steps := range []int{1, 2, 30, 5000} {
				s := reference.AdamState{Param: random(rng, 0, 1, 1, n).Data, M: make([]float64, n), V: make([]float64, n)}
				if steps > 1 {
					s.M = random(rng, 0, size/2, 1, n).Data
					for i := range s.V {
						s.V[i] = float64(float32(size * size * rng.Float64()))
					}
				}
				grad, lr := random(rng, 0, size, 1, n).Data, float64(float32(0.05))
				for name, form := range adamForms {
					r := form.ratio(s, grad, lr, steps, c)
					if !(r < 1) {
						t.Errorf("%s, step %d of %+v, gradients of %v: error %.3g times the bound", name, steps, c, size, r)
					}
					ratios[name] = max(ratios[name], r)
				}
				for name, form := range wrongAdams {
					wrong[name] = max(wrong[name], form.ratio(s, grad, lr, steps, c))
				}
			}
		}
	}
	for name, r := range ratios {
		t.Logf("%-12s at most %.2f times the bound", name, r)
		if r < 0.1 {
			t.Errorf("%s: the bound is %.0f times the worst error: it means little", name, 1/r)
		}
	}
	for name, r := range wrong {
		t.Logf("%-20s %.3g times the bound", name, r)
		if !(r > 3) {
			t.Errorf("%s is at most %.3g times the bound: want it clearly outside", name, r)
		}
	}
}

// Steps of SGD in float32 are inside the bound, and a velocity that holds the rate, or a step that is not Nesterov's, is outside.
func TestSGDGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	const n = 60
	for _, c := range []reference.SGDConfig{{}, {Momentum: 0.9}, {Momentum: 0.9, Dampening: 0.3, WeightDecay: 0.2}, {Momentum: 0.8, Nesterov: true, WeightDecay: 0.2}} {
		s := reference.SGDState{Param: random(rng, 0, 1, 1, n).Data, Velocity: random(rng, 0, 2, 1, n).Data}
		grad, lr := random(rng, 0, 1, 1, n).Data, float64(float32(0.05))
		want := reference.SGD(s, grad, lr, c)
		param, velocity := SGD(s, grad, lr, c)
		form := func(nesterov bool) (p1, v1 []float64) {
			for i, g64 := range grad {
				p, g := float32(s.Param[i]), float32(g64)
				g += float32(float32(c.WeightDecay) * p)
				v := g
				if c.Momentum != 0 {
					v = float32(float32(c.Momentum)*float32(s.Velocity[i])) + float32(float32(1-c.Dampening)*g)
				}
				step := v
				if nesterov {
					step = g + float32(float32(c.Momentum)*v)
				}
				p1, v1 = append(p1, float64(p-float32(float32(lr)*step))), append(v1, float64(v))
			}
			return p1, v1
		}
		p, v := form(c.Nesterov)
		if r := max(worst(p, want.Param, param), worst(v, want.Velocity, velocity)); !(r < 1) {
			t.Errorf("%+v: %.3g times the bound", c, r)
		}
		if p, _ := form(!c.Nesterov); c.Momentum != 0 && !(worst(p, want.Param, param) > 1000) {
			t.Errorf("%+v: a step along the other vector is only %.3g times the bound", c, worst(p, want.Param, param))
		}
	}
}
