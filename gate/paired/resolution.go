package paired

import (
	"math"
	"math/rand/v2"
	"slices"
)

// A resolution is the percentile of this many resamples. The 95th would be right if the residuals were the noise; they are a few draws of it, which
// seldom hold its tails. With the 97th and 30 benchmarks in five minutes, a slowdown of exactly the resolution was found in 0.98 of runs
// under normal noise and 0.88 where one pair in eight was five times as wide.
const (
	resamples  = 300
	planning   = 100 // resamples suffice to plan with
	percentile = 97
)

// noise is the residuals of a row's log ratios about their center, as a distribution to draw from.
type noise struct {
	residuals []float64
	seed      uint64
}

// newNoise takes the quads of the stages that were measured, each about its own center. Residuals about a fitted center are too small by the
// factor sqrt((n-1)/n).
func newNoise(seed uint64, stages ...[]float64) noise {
	n := noise{seed: seed}
	for _, d := range stages {
		if len(d) < 2 {
			continue
		}
		x := newSample(d)
		center, inflate := x.center(), math.Sqrt(float64(len(x))/float64(len(x)-1))
		for _, v := range x {
			n.residuals = append(n.residuals, inflate*(v-center))
		}
	}
	return n
}

// draw returns a sample of n residuals with random signs: under exchangeable sides d is symmetric.
func (n noise) draw(rng *rand.Rand, count int) sample {
	x := make(sample, count)
	for i := range x {
		v := n.residuals[rng.IntN(len(n.residuals))]
		if rng.Uint64()&1 == 0 {
			v = -v
		}
		x[i] = v
	}
	slices.Sort(x)
	return x
}

// resolution returns the slowdown that screening with first quads and confirming with second quads at level would have found with 95 % power.
func (n noise) resolution(draws, first, second int, theta, level float64, t tails) float64 {
	if len(n.residuals) == 0 || first < 1 || second < 1 {
		return math.Inf(1)
	}
	screenAt, confirmAt := critical(t.of(first), slowLevel), critical(t.of(second), level)
	if screenAt > first*(first+1)/2 || confirmAt > second*(second+1)/2 {
		return math.Inf(1)
	}
	rng := rand.New(rand.NewPCG(n.seed, uint64(first)<<32|uint64(second)))
	needed := make([]float64, draws)
	for i := range needed {
		needed[i] = max(-n.draw(rng, first).walsh(screenAt), theta-n.draw(rng, second).walsh(confirmAt))
	}
	slices.Sort(needed)
	return max(0, math.Expm1(needed[draws*percentile/100]))
}
