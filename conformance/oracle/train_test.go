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

func TestClipNormGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{1, 5, 100, 3000} {
		for order, sum := range summations {
			g := random(rng, 0, 3, 1, n).Data
			limit := 0.7 * math.Sqrt(float64(n))
			ys, norm, err := Random.ClipNorm(limit, 1e-6, g)
			if err != nil {
				t.Fatal(err)
			}
			want, wantNorm, _ := reference.ClipNorm(limit, 1e-6, g)
			squares, got := make([]float32, n), make([]float64, n)
			for i, x := range g {
				squares[i] = float32(x) * float32(x)
			}
			length := sqrt32(sum(squares))
			factor := min(1, float32(limit)/(length+1e-6))
			for i, x := range g {
				got[i] = float64(factor * float32(x))
			}
			if r := max(worst([]float64{float64(length)}, []float64{wantNorm}, norm), worst(got, want[0], ys[0])); !(r < 1) {
				t.Errorf("%d elements, summed %s: error %.3g times the bound", n, order, r)
			}
		}
	}
}

// ratio64 is the largest error in units of the bound of numbers that are computed and stored in float64, as INIT-6 and LR-7 want.
func ratio64(got, want []float64, g Gauges) float64 {
	largest := 0.0
	for i, w := range want {
		if diff := math.Abs(got[i] - w); diff > 0 {
			largest = max(largest, diff/(2*0x1p-53*(g.Acc[i]/double+math.Abs(w))))
		}
	}
	return largest
}

// Rates in the forms that they are printed in, which cancel and multiply, stay inside the bound in float64; in float32 they do not.
func TestRateGauge(t *testing.T) {
	printed := func(s reference.Schedule, t int) float64 {
		switch s.Name {
		case reference.ScheduleCosine:
			return s.MinLR + (s.LR-s.MinLR)*(1+math.Cos(math.Pi*float64(t)/float64(s.Total)))/2
		case reference.ScheduleExponential:
			y := s.LR
			for range t {
				y *= s.Gamma
			}
			return y
		}
		return s.LR * math.Sqrt(float64(s.Warmup)) * min(math.Pow(float64(t+1), -0.5), float64(t+1)*math.Pow(float64(s.Warmup), -1.5))
	}
	for _, s := range []reference.Schedule{
		{Name: reference.ScheduleCosine, LR: 0.1, MinLR: 0.003, Total: 999}, {Name: reference.ScheduleCosine, LR: 0.7, Total: 998},
		{Name: reference.ScheduleExponential, LR: 0.3, Gamma: 0.997}, {Name: reference.ScheduleInverseSqrt, LR: 0.01, Warmup: 77},
	} {
		inside, outside := 0.0, 0.0
		for step := range 999 {
			want, err := s.Rate(step)
			g, gaugeErr := Rate(s, step)
			if err != nil || gaugeErr != nil {
				t.Fatal(err, gaugeErr)
			}
			y := printed(s, step)
			inside = max(inside, ratio64([]float64{y}, []float64{want}, g))
			outside = max(outside, ratio64([]float64{float64(float32(y))}, []float64{want}, g))
		}
		t.Logf("%-12s %.2f times the bound", s.Name, inside)
		if !(inside < 1) || !(outside > 1000) {
			t.Errorf("%s: as printed %.3g times the bound, want less than 1; rounded to float32 %.3g, want much more", s.Name, inside, outside)
		}
	}
}

func TestInitGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const in, out = 30, 40
	draws := make([]int, 2*in*out)
	for i := range draws {
		draws[i] = int(rng.Uint32())
	}
	for _, c := range []reference.InitConfig{
		{Scheme: reference.XavierUniform, Gain: 1.7, Layers: 3}, {Scheme: reference.KaimingNormal, Gain: 1, A: 0.3}, {Scheme: reference.InitNormal, Gain: 1, Std: 0.02},
	} {
		n, normal := in*out, c.Scheme != reference.XavierUniform
		if normal {
			n *= 2
		}
		want, err := reference.Init(draws[:n], in, out, c)
		g, gaugeErr := Init(draws[:n], in, out, c)
		if err != nil || gaugeErr != nil {
			t.Fatal(err, gaugeErr)
		}
		got := make([]float64, in*out)
		for i := range got {
			if !normal { // from the ends of the interval
				limit := c.Gain * math.Sqrt(6/(float64(in+out)*2*float64(c.Layers)))
				u := float64(draws[i]>>8) * 0x1p-24
				got[i] = u*limit - (1-u)*limit
				continue
			}
			sigma := c.Std
			if c.Scheme == reference.KaimingNormal {
				sigma = math.Sqrt(2/(1+c.A*c.A)) / math.Sqrt(in)
			}
			u1, u2 := (float64(draws[2*i]>>8)+1)*0x1p-24, float64(draws[2*i+1]>>8)*0x1p-24
			got[i] = sigma * math.Sqrt(-2*math.Log(u1)) * math.Sin(math.Pi/2-2*math.Pi*u2)
		}
		if r := ratio64(got, want.Data, g); !(r < 1) {
			t.Errorf("%s: %.3g times the bound", c.Scheme, r)
		} else {
			t.Logf("%-16s %.2f times the bound", c.Scheme, r)
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
