package paired

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSignedRankTail compares with all 2^n choices of signs.
func TestSignedRankTail(t *testing.T) {
	for n := 1; n <= 12; n++ {
		top := n * (n + 1) / 2
		count := make([]float64, top+2)
		for signs := range 1 << n {
			w := 0
			for rank := 1; rank <= n; rank++ {
				if signs>>(rank-1)&1 == 1 {
					w += rank
				}
			}
			for u := range w + 1 {
				count[u]++
			}
		}
		for w, got := range signedRankTail(n) {
			if want := count[w] / float64(int(1)<<n); math.Abs(got-want) > 1e-14 {
				t.Errorf("n = %d: P(W >= %d) = %v, want %v", n, w, got, want)
			}
		}
	}
	if got := signedRankTail(64)[64*65/2]; math.Abs(got*0x1p64-1) > 1e-9 {
		t.Errorf("n = 64: P(all ranks) = %v, want 2^-64", got)
	}
}

// TestWalsh compares counts, order statistics and the center with the list of all Walsh averages, with ties.
func TestWalsh(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 9; n++ {
		d := make([]float64, n)
		for i := range d {
			d[i] = float64(rng.IntN(7)) - 3
		}
		x := newSample(d)
		var all []float64
		for i := range x {
			for j := i; j < n; j++ {
				all = append(all, (x[i]+x[j])/2)
			}
		}
		slices.Sort(all)
		m := len(all)
		for k := 1; k <= m; k++ {
			if got, want := x.walsh(k), all[m-k]; math.Abs(got-want) > 1e-9 {
				t.Errorf("%v: Walsh average %d from the top is %v, want %v", x, k, got, want)
			}
		}
		for _, at := range []float64{-4, -1, -0.5, 0, 1.25, 4} {
			want := 0
			for _, v := range all {
				if v > at {
					want++
				}
			}
			if got := x.above(at); got != want {
				t.Errorf("%v: %d averages above %v, want %d", x, got, at, want)
			}
		}
		if got, want := x.center(), (all[(m-1)/2]+all[m/2])/2; math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: center %v, want %v", x, got, want)
		}
	}
}

// TestSignedRank holds a p-value by hand: of 1, 2, 3 and -4, the positive ones have the ranks 1, 2 and 3, and 7 of 16 choices of signs have a sum of 6 or
// more.
func TestSignedRank(t *testing.T) {
	slow, fast := newSample([]float64{1, 2, 3, -4}).test(0, tails{})
	if slow != 7./16 || fast != 11./16 { // 4 or more
		t.Errorf("p = %v, %v, want 7/16, 11/16", slow, fast)
	}
	if slow, fast := newSample([]float64{0, 0, 0}).test(0, tails{}); slow != 1 || fast != 1 {
		t.Errorf("p of zeros = %v, %v, want 1", slow, fast)
	}
}

// TestBounds holds that the bounds invert the test: just inside of one the test does not reject, just outside it does.
func TestBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	known := tails{}
	for range 20 {
		d := make([]float64, 12+rng.IntN(20))
		for i := range d {
			d[i] = rng.NormFloat64()
		}
		x, level := newSample(d), 0.02
		lo, hi := x.bounds(level, level, known)
		const step = 1e-6
		for _, test := range []struct {
			at, want float64
			fast     bool
		}{{lo - step, -1, false}, {lo + step, 1, false}, {-hi - step, -1, true}, {-hi + step, 1, true}} {
			slow, fast := x.test(test.at, known)
			p := slow
			if test.fast {
				p = fast
			}
			if (p < level) != (test.want < 0) {
				t.Errorf("n = %d: p = %v beside the bound, level %v", len(d), p, level)
			}
		}
	}
	if lo, hi := newSample([]float64{1, 2}).bounds(0.01, 0.01, known); !math.IsInf(lo, -1) || !math.IsInf(hi, 1) {
		t.Errorf("two values have bounds %v, %v", lo, hi)
	}
}

// TestResolution compares with the shift that a normal sample needs in theory.
func TestResolution(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const sigma, n = 0.02, 32
	d := make([]float64, 2000)
	for i := range d {
		d[i] = sigma * rng.NormFloat64()
	}
	got := newNoise(1, d).resolution(resamples, n, n, math.Log1p(0.01), 0.01, tails{})
	// The second stage decides: z at 1 %, plus z at the power, over the root of the signed rank test's efficiency 3/pi times n.
	want := math.Expm1(math.Log1p(0.01) + (2.326+1.881)*sigma/math.Sqrt(3/math.Pi*n))
	if math.Abs(got/want-1) > 0.15 {
		t.Errorf("resolution %.4f, want about %.4f", got, want)
	}
	for _, quads := range [][2]int{{0, 16}, {16, 0}, {16, 3}} {
		if r := newNoise(1, d).resolution(resamples, quads[0], quads[1], 0, 0.01, tails{}); !math.IsInf(r, 1) {
			t.Errorf("%v quads: resolution %v, want +Inf: no data could be significant", quads, r)
		}
	}
}
