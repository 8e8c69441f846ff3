package reference

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestGradientNorm(t *testing.T) {
	for _, tt := range []struct {
		g    []float64
		want float64
	}{
		{nil, 0}, {[]float64{0, 0}, 0}, {[]float64{3, 0, -4}, 5}, {[]float64{-2}, 2},
		{[]float64{3e200, 4e200}, 5e200}, {[]float64{3e-200, 4e-200}, 5e-200},
		{[]float64{3 * 0x1p-1074, 4 * 0x1p-1074}, 5 * 0x1p-1074}, {[]float64{0x1p1023, 0x1p1023}, math.Sqrt2 * 0x1p1023},
		{[]float64{1e308, 1e308, 1e308, 1e308}, math.Inf(1)}, // beyond float64
		{[]float64{1, math.NaN()}, math.NaN()}, {[]float64{1, math.Inf(-1)}, math.Inf(1)},
	} {
		within(t, []float64{GradientNorm(tt.g)}, []float64{tt.want}, 2)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	x, y := randoms(rng, 700, 1), randoms(rng, 300, 10)
	sum := bigOf(0)
	for _, v := range append(append([]float64(nil), x...), y...) {
		sum = addBig(sum, mulBig(bigOf(v), bigOf(v)))
	}
	want, _ := new(big.Float).SetPrec(200).Sqrt(sum).Float64()
	within(t, []float64{GradientNorm(x, y)}, []float64{want}, 16)
}

func TestClipNormErrors(t *testing.T) {
	for _, g := range [][]float64{{1, math.NaN()}, {math.Inf(1)}, {math.Inf(-1), math.NaN()}, {1e308, 1e308, 1e308, 1e308}} {
		if _, _, err := ClipNorm(1, 1e-6, []float64{1}, g); !errors.Is(err, ErrNumber) {
			t.Errorf("%v: got error %v, want ErrNumber", g, err)
		}
	}
}

func TestClipNormExact(t *testing.T) {
	ys, norm, _ := ClipNorm(5, 0, []float64{3, 0}, []float64{-4}) // at the limit
	sameBits(t, append(append(ys[0], ys[1]...), norm), []float64{3, 0, -4, 5})
	ys, norm, _ = ClipNorm(2.5, 0, []float64{3, 0}, []float64{-4}) // one factor for both
	sameBits(t, append(append(ys[0], ys[1]...), norm), []float64{1.5, 0, -2, 5})
	ys, norm, _ = ClipNorm(1, 0, []float64{0, 0}) // 1/0 is no factor
	sameBits(t, append(ys[0], norm), []float64{0, 0, 0})
}

func TestClippingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		size := math.Exp(rapid.Float64Range(-200, 200).Draw(t, "log size"))
		limit := size * math.Exp(rapid.Float64Range(-5, 5).Draw(t, "log limit"))
		eps := rapid.SampledFrom([]float64{0, 1e-6, size}).Draw(t, "eps")
		g := randoms(rng, rapid.IntRange(1, 20).Draw(t, "n"), size)
		ys, norm, err := ClipNorm(limit, eps, g)
		if err != nil {
			t.Fatalf("%v", err)
		}
		y, after := ys[0], GradientNorm(ys...)
		if const1 := 1 + 0x1p-48; after > norm*const1 || after > limit*const1 {
			t.Fatalf("the norm is %v after clipping, before %v, the limit %v", after, norm, limit)
		}
		for i := range g {
			if math.Signbit(y[i]) != math.Signbit(g[i]) || math.Abs(y[i]*norm-g[i]*after) > 0x1p-45*norm*after {
				t.Fatalf("clipping turned the direction: %v became %v", g, y)
			}
		}
		if eps == 0 { // clipping twice is clipping once
			again, _, _ := ClipNorm(limit, 0, y)
			within(t, again[0], y, 8)
		}
		if norm+eps <= limit {
			sameBits(t, y, g)
		}
	})
}

func TestClipValue(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	sameBits(t, ClipValue([]float64{-2, -1, -0.5, 0, 0.5, 1, 2, inf, -inf, nan}, 1), []float64{-1, -1, -0.5, 0, 0.5, 1, 1, 1, -1, nan})
}

// CLIP-3: the norm is accurate whatever the order of elements whose squares overflow and underflow.
func TestGradientNormOfExtremes(t *testing.T) {
	for _, tt := range []struct {
		g    []float64
		want float64
	}{
		{[]float64{3e200, -4e200, 1e-200}, 5e200}, {[]float64{1e-200, 3e200, -4e200}, 5e200}, {[]float64{3e-200, 4e-200}, 5e-200},
		{[]float64{3e-320, 4e-320}, 5e-320}, {[]float64{0, 0}, 0}, {[]float64{math.MaxFloat64, 1}, math.MaxFloat64},
		{[]float64{1, math.Inf(-1)}, math.Inf(1)}, {[]float64{math.Inf(1), math.NaN()}, math.NaN()}, {nil, 0},
	} {
		got := GradientNorm(tt.g)
		if math.Abs(got-tt.want) > 1e-15*tt.want && !(got == tt.want) || math.IsNaN(got) != math.IsNaN(tt.want) {
			t.Errorf("GradientNorm(%v) is %v, want %v", tt.g, got, tt.want)
		}
		if whole, parts := GradientNorm(tt.g), GradientNorm(tt.g[:len(tt.g)/2], tt.g[len(tt.g)/2:]); whole != parts && !math.IsNaN(whole) {
			t.Errorf("GradientNorm(%v) is %v, in two parts %v", tt.g, whole, parts)
		}
	}
}
