package reference

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var adamDefaults = AdamConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}

// randoms returns n normal numbers with the given deviation.
func randoms(rng *rand.Rand, n int, deviation float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = deviation * rng.NormFloat64()
	}
	return x
}

// started returns parameters with moments of 0.
func started(param ...float64) AdamState {
	return AdamState{param, make([]float64, len(param)), make([]float64, len(param))}
}

// adamBig is the state of one parameter with 200 bits, evaluated from the equations as they are printed.
type adamBig struct{ p, m, v *big.Float }

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }
func mulBig(xs ...*big.Float) *big.Float {
	y := bigOf(1)
	for _, x := range xs {
		y.Mul(y, x)
	}
	return y
}
func addBig(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(200).Add(x, y) }
func subBig(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(200).Sub(x, y) }
func quoBig(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(200).Quo(x, y) }

func (s *adamBig) step(grad, lr float64, t int, c AdamConfig) {
	one, beta1, beta2, decay := bigOf(1), bigOf(c.Beta1), bigOf(c.Beta2), mulBig(bigOf(c.WeightDecay), s.p)
	power1, power2 := bigOf(1), bigOf(1)
	for range t {
		power1, power2 = mulBig(power1, beta1), mulBig(power2, beta2)
	}
	g := bigOf(grad)
	if !c.Decoupled {
		g = addBig(g, decay)
	}
	s.m = addBig(mulBig(beta1, s.m), mulBig(subBig(one, beta1), g))
	s.v = addBig(mulBig(beta2, s.v), mulBig(subBig(one, beta2), g, g))
	hat, root := quoBig(s.m, subBig(one, power1)), new(big.Float).SetPrec(200).Sqrt(quoBig(s.v, subBig(one, power2)))
	if c.Decoupled {
		s.p = subBig(s.p, mulBig(bigOf(lr), decay))
	}
	s.p = subBig(s.p, quoBig(mulBig(bigOf(lr), hat), addBig(root, bigOf(c.Eps))))
}

func TestAdamAgainstArbitraryPrecision(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []AdamConfig{
		adamDefaults,
		{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1},
		{Beta1: 0.9, Beta2: 0.95, Eps: 1e-3, WeightDecay: 0.1, Decoupled: true},
		{Beta1: 0, Beta2: 0.5, Eps: 0.1},
		{Beta1: 0.99, Beta2: 0.9999, Eps: 1e-10, WeightDecay: 2, Decoupled: true},
	} {
		s := started(randoms(rng, 5, 1)...)
		exact := make([]adamBig, 5)
		for i, p := range s.Param {
			exact[i] = adamBig{bigOf(p), bigOf(0), bigOf(0)}
		}
		for step := 1; step <= 40; step++ {
			grad, lr := randoms(rng, 5, math.Exp(4*rng.NormFloat64())), 0.01*rng.Float64()
			s = Adam(s, grad, lr, step, c)
			for i := range exact {
				exact[i].step(grad[i], lr, step, c)
			}
		}
		var p, m, v []float64
		for _, e := range exact {
			for into, x := range map[*[]float64]*big.Float{&p: e.p, &m: e.m, &v: e.v} {
				f, _ := x.Float64()
				*into = append(*into, f)
			}
		}
		within(t, s.Param, p, 16)
		within(t, s.M, m, 16)
		within(t, s.V, v, 16)
	}
}

func TestBiasCorrectionDoesNotCancel(t *testing.T) {
	for _, beta := range []float64{0.5, 0.9, 0.999, 0.9999999} {
		power := bigOf(1)
		for step := 1; step <= 3000; step++ {
			power = mulBig(power, bigOf(beta))
			want, _ := subBig(bigOf(1), power).Float64()
			within(t, []float64{BiasCorrection(beta, step)}, []float64{want}, 8)
		}
	}
}

// With one gradient for all steps the corrected moments are the gradient and its square: every step is lr, towards the other sign.
func TestAdamConstantGradient(t *testing.T) {
	c := adamDefaults
	c.Eps = 0
	grad := []float64{3, -1e-7, 1e9, -0.25}
	s := started(1, 2, -3, 0)
	for step := 1; step <= 50; step++ {
		s = Adam(s, grad, 0.125, step, c)
		n := 0.125 * float64(step)
		within(t, s.Param, []float64{1 - n, 2 + n, -3 - n, n}, 100)
	}
}

// The first step is lr g / (|g| + eps): eps outside the root, added after the correction.
func TestAdamFirstStep(t *testing.T) {
	c := adamDefaults
	c.Eps = 0.01
	grad := []float64{0.01, -0.03, 1e-5, 7}
	s := Adam(started(0, 0, 0, 0), grad, 0.5, 1, c)
	for i, g := range grad {
		within(t, s.Param[i:i+1], []float64{-0.5 * g / (math.Abs(g) + c.Eps)}, 8)
	}
}

func TestAdamWithoutGradient(t *testing.T) {
	c := AdamConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.25, Decoupled: true}
	s := started(8, -3)
	for step := 1; step <= 3; step++ {
		s = Adam(s, []float64{0, 0}, 0.5, step, c)
	}
	sameBits(t, s.Param, []float64{8 * 0.669921875, -3 * 0.669921875}) // (1 - lr wd)^3
	sameBits(t, s.M, []float64{0, 0})
	sameBits(t, Adam(started(8, -3), []float64{0, 0}, 0.5, 1, adamDefaults).Param, []float64{8, -3})
	sameBits(t, Adam(started(8), []float64{0}, 0.5, 1, AdamConfig{Beta1: 0.9, Beta2: 0.999}).Param, []float64{math.NaN()})

	moved := Adam(AdamState{[]float64{1}, []float64{0.5}, []float64{0.25}}, []float64{0}, 0.5, 1000, adamDefaults)
	if !(moved.Param[0] < 1 && moved.M[0] == 0.45) {
		t.Errorf("without a gradient the parameter must go on by its moments: got %v", moved)
	}
}

func TestAdamSpecials(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, grad := range []float64{nan, inf, -inf} {
		s := Adam(started(1, 2, 3), []float64{1, grad, 1}, 0.5, 1, adamDefaults)
		within(t, s.Param, []float64{0.5, nan, 2.5}, 1e8) // eps moves by 1e-8
	}
	s := Adam(started(1), []float64{1e155}, 0.5, 1, adamDefaults) // g^2 and the corrected v overflow, v does not
	within(t, s.Param, []float64{0.5}, 8)
}

// Steps do not change the state that they are given, and a run that is cut in two is the same run.
func TestAdamResumes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	begin := started(randoms(rng, 6, 1)...)
	kept := begin.Clone()
	var grads [][]float64
	for range 9 {
		grads = append(grads, randoms(rng, 6, 1))
	}
	run := func(s AdamState, from, to int) AdamState {
		for i := from; i < to; i++ {
			s = Adam(s, grads[i], 0.01, i+1, adamDefaults)
		}
		return s
	}
	whole, cut := run(begin, 0, 9), run(run(begin, 0, 4).Clone(), 4, 9)
	for _, pair := range [][2][]float64{{whole.Param, cut.Param}, {whole.M, cut.M}, {whole.V, cut.V}, {begin.Param, kept.Param}, {begin.V, kept.V}} {
		sameBits(t, pair[0], pair[1])
	}
}

// Without eps and decay Adam does not see the scale of gradients: powers of two change no bit of the parameters.
func TestAdamIsScaleFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		scale := math.Ldexp(1, rapid.IntRange(-80, 80).Draw(t, "scale"))
		c := AdamConfig{Beta1: rapid.Float64Range(0, 0.999).Draw(t, "beta1"), Beta2: rapid.Float64Range(0, 0.9999).Draw(t, "beta2")}
		a := started(randoms(rng, 4, 1)...)
		b := a.Clone()
		for step := 1; step <= 5; step++ {
			grad := randoms(rng, 4, 1)
			a = Adam(a, grad, 0.1, step, c)
			b = Adam(b, rowOf(func(g float64) float64 { return scale * g })(grad), 0.1, step, c)
		}
		sameBits(t, b.Param, a.Param)
		sameBits(t, b.M, rowOf(func(m float64) float64 { return scale * m })(a.M))
	})
}

func TestSGD(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	param := randoms(rng, 4, 1)
	var grads [][]float64
	for range 6 {
		grads = append(grads, randoms(rng, 4, 1))
	}
	// The velocity is sum_i momentum^(t-i) (1 - dampening) g_i, the first gradient undampened.
	for _, c := range []SGDConfig{{}, {Momentum: 0.9}, {Momentum: 0.5, Dampening: 0.25}, {Momentum: 0.9, Nesterov: true}, {Dampening: 0.5}} {
		s := SGDState{Param: slices.Clone(param)}
		want := slices.Clone(param)
		for n, grad := range grads {
			s = SGD(s, grad, 0.125, c)
			for i := range want {
				v := 0.0
				for k := 0; k <= n; k++ {
					weight := math.Pow(c.Momentum, float64(n-k))
					if k > 0 && c.Momentum != 0 {
						weight *= 1 - c.Dampening
					}
					v += weight * grads[k][i]
				}
				if c.Nesterov {
					v = grad[i] + c.Momentum*v
				}
				want[i] -= 0.125 * v
			}
			within(t, s.Param, want, 16)
		}
	}
	given := SGD(SGDState{[]float64{1}, []float64{4}}, []float64{2}, 0.5, SGDConfig{Momentum: 0.5, Dampening: 0.5})
	sameBits(t, append(given.Param, given.Velocity...), []float64{1 - 0.5*3, 3})
	decayed := SGD(SGDState{Param: []float64{2}}, []float64{1}, 0.5, SGDConfig{Momentum: 0.5, WeightDecay: 0.25})
	sameBits(t, append(decayed.Param, decayed.Velocity...), []float64{2 - 0.75, 1.5})
}

// AdamW finds the minimum of a mean of squares, from where and to where it does in Hugging Face's test (transformers,
// tests/optimization/test_optimization.py).
func TestAdamFindsTheMinimum(t *testing.T) {
	s, target := started(0.1, -0.2, -0.1), []float64{0.4, 0.2, -0.5}
	c := adamDefaults
	c.Decoupled = true
	for step := 1; step <= 100; step++ {
		grad := make([]float64, len(target))
		for i, w := range s.Param {
			grad[i] = 2 * (w - target[i]) / float64(len(grad))
		}
		s = Adam(s, grad, 0.2, step, c)
	}
	for i, want := range target {
		if !(math.Abs(s.Param[i]-want) <= 0.01) {
			t.Errorf("parameter %d is %v, want %v", i, s.Param[i], want)
		}
	}
}
