package reference

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var negInf = math.Inf(-1)

func TestRankAndGreedy(t *testing.T) {
	for _, tt := range []struct {
		logits []float64
		want   []int // nil: an error
	}{
		{[]float64{1, 3, 2}, []int{1, 2, 0}},
		{[]float64{3, 1, 3, 3}, []int{0, 2, 3, 1}},
		{[]float64{negInf, -5, negInf, -5}, []int{1, 3}},
		{[]float64{0, math.Copysign(0, -1)}, []int{0, 1}}, // -0 equals 0
		{[]float64{7}, []int{0}},
		{[]float64{1, math.NaN()}, nil},
		{[]float64{math.Inf(1), 1}, nil},
		{[]float64{negInf, negInf}, nil},
	} {
		got, err := Rank(tt.logits)
		if tt.want == nil {
			if !errors.Is(err, ErrNumber) {
				t.Errorf("%v: got error %v, want ErrNumber", tt.logits, err)
			}
			continue
		}
		if !slices.Equal(got, tt.want) || must(Greedy(tt.logits)) != tt.want[0] {
			t.Errorf("%v: ranked %v, want %v", tt.logits, got, tt.want)
		}
	}
}

func TestDistributionByHand(t *testing.T) {
	logs := func(p ...float64) []float64 {
		for i := range p {
			p[i] = math.Log(p[i])
		}
		return p
	}
	all := Sampling{Temperature: 1, TopP: 1}
	with := func(edit func(*Sampling)) Sampling { s := all; edit(&s); return s }
	topK := func(k int) Sampling { return with(func(s *Sampling) { s.TopK = k }) }
	topP := func(p float64) Sampling { return with(func(s *Sampling) { s.TopP = p }) }
	heat := func(T float64) Sampling { return with(func(s *Sampling) { s.Temperature = T }) }
	for _, tt := range []struct {
		name   string
		logits []float64
		s      Sampling
		want   []float64
	}{
		{"as it is", logs(.5, .125, .375), all, []float64{.5, .125, .375}},
		{"temperature 1/2 squares", logs(.5, .25, .25), heat(.5), []float64{2. / 3, 1. / 6, 1. / 6}},
		{"a temperature that would overflow", []float64{1e300, 2e300, 2e300}, heat(1e-300), []float64{0, .5, .5}},
		{"temperature 0", []float64{1, 2, 2}, heat(0), []float64{0, 1, 0}},
		{"temperature 0 beside other parameters", []float64{1, 2, 2}, Sampling{TopK: 3, TopP: .999}, []float64{0, 1, 0}},
		{"top-k", logs(.1, .4, .2, .3), topK(2), []float64{0, 4. / 7, 0, 3. / 7}},
		{"top-k keeps exactly k of equal ones, the first", []float64{1, 2, 1, 1}, topK(2), []float64{1 / (1 + math.E), math.E / (1 + math.E), 0, 0}},
		{"top-k 0 is off", logs(.5, .5), topK(0), []float64{.5, .5}},
		{"top-k above the vocabulary", logs(.5, .5), topK(9), []float64{.5, .5}},
		{"top-k does not keep -Inf", []float64{negInf, 0, negInf, 0}, topK(3), []float64{0, .5, 0, .5}},
		{"top-p keeps the token that crosses", logs(.5, .3, .1, .1), topP(.6), []float64{.625, .375, 0, 0}},
		{"top-p of equal ones: first sum >= p", []float64{0, 0, 0, 0}, topP(.5), []float64{.5, .5, 0, 0}},
		{"top-p keeps one", logs(.1, .9), topP(.2), []float64{0, 1}},
		{"top-p 0 keeps one", logs(.1, .9), topP(0), []float64{0, 1}},
		{"top-p 1 is off", []float64{0, -50, -60}, all, []float64{1, math.Exp(-50), math.Exp(-60)}},
		{"top-p just below 1", []float64{0, -50, -60}, topP(math.Nextafter(1, 0)), []float64{1, 0, 0}},
		// top-k leaves .4 and .3 of a whole of .7: the first alone has .571 >= .55. Over the whole vocabulary .4 < .55.
		{"top-p after top-k is renormalised", logs(.4, .3, .2, .1), Sampling{1, 2, .55}, []float64{1, 0, 0, 0}},
		// At temperature 1/2 the largest has .533: more than p. At 1 it has .4.
		{"temperature comes before top-p", logs(.4, .3, .2, .1), Sampling{.5, 0, .5}, []float64{1, 0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) { within(t, must(Distribution(tt.logits, tt.s)), tt.want, 8) })
	}
}

// sampling draws parameters, at times none.
func drawSampling(t *rapid.T, vocab int) Sampling {
	return Sampling{
		Temperature: rapid.SampledFrom([]float64{0, 0.01, 0.5, 1, 1.7, 100}).Draw(t, "temperature"),
		TopK:        rapid.IntRange(0, vocab+2).Draw(t, "top_k"),
		TopP:        rapid.SampledFrom([]float64{0, 0.2, 0.5, 0.9, 1}).Draw(t, "top_p"),
	}
}

// logits draws a row in which numbers repeat and some are -Inf.
func drawLogits(t *rapid.T, vocab int) []float64 {
	x := make([]float64, vocab)
	for i := range x {
		x[i] = rapid.SampledFrom([]float64{-3, -1, -0.25, 0, 0.5, 1, 1, 2.5, negInf}).Draw(t, "logit")
	}
	x[rapid.IntRange(0, vocab-1).Draw(t, "finite")] = 0.75
	return x
}

func TestDistributionProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vocab := rapid.IntRange(1, 9).Draw(t, "vocab")
		x, s := drawLogits(t, vocab), drawSampling(t, vocab)
		p := must(Distribution(x, s))
		ranked := must(Rank(x))
		sum, left := 0.0, 0
		for i, v := range p {
			sum += v
			if v > 0 {
				left++
			}
			if math.IsInf(x[i], -1) && v != 0 {
				t.Fatalf("token %d has logit -Inf and probability %v", i, v)
			}
		}
		if math.Abs(sum-1) > 1e-15*float64(vocab) {
			t.Fatalf("probabilities sum to %v", sum)
		}
		if s.TopK > 0 && left > s.TopK {
			t.Fatalf("%d tokens are left, top_k = %d", left, s.TopK)
		}
		for n, i := range ranked[:left] { // what is left is the beginning of the ranking
			if p[i] == 0 || n > 0 && p[i] > p[ranked[n-1]] {
				t.Fatalf("token %d, ranked %d, has %v", i, n, p[i])
			}
		}
		greedy := must(Greedy(x))
		for _, g := range []Sampling{{0, s.TopK, s.TopP}, {1, 1, s.TopP}, {1, s.TopK, 0}} {
			if q := must(Distribution(x, g)); q[greedy] != 1 {
				t.Fatalf("%+v: the greedy token has %v", g, q[greedy])
			}
		}
		// The nucleus reaches p, and without its last token does not.
		if open := (Sampling{s.Temperature, s.TopK, 1}); s.Temperature > 0 && s.TopP < 1 {
			q, mass := must(Distribution(x, open)), 0.0
			for _, i := range ranked[:left-1] {
				mass += q[i]
			}
			if mass >= s.TopP && left > 1 || mass+q[ranked[left-1]] < s.TopP-1e-15 {
				t.Fatalf("%d tokens with %v before the last of %v, top_p = %v", left, mass, q[ranked[left-1]], s.TopP)
			}
		}
	})
}

// Integrated over all 2^24 values of u, sampling gives the distribution: each token has the u from one edge to the next.
func TestSampleIntegratesToTheDistribution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vocab := rapid.IntRange(1, 6).Draw(t, "vocab")
		x, s := drawLogits(t, vocab), drawSampling(t, vocab)
		p := must(Distribution(x, s))
		token := func(u int) int { return must(Sample(x, s, u<<8|0xa5)) } // the low bits do not count
		counts := make([]int, vocab)
		for u := 0; u < 1<<24; {
			lo, hi := u, 1<<24 // the token of u ends in (lo, hi]
			for hi-lo > 1 {
				if mid := (lo + hi) / 2; token(mid) == token(u) {
					lo = mid
				} else {
					hi = mid
				}
			}
			counts[token(u)] += hi - u
			u = hi
		}
		for i, n := range counts {
			if math.Abs(float64(n)*0x1p-24-p[i]) > 0x1p-24+1e-15 || p[i] == 0 && n != 0 {
				t.Fatalf("token %d has %d of 2^24 draws and probability %v", i, n, p[i])
			}
		}
	})
}

func TestSampleAtEdges(t *testing.T) {
	all := Sampling{Temperature: 1, TopP: 1}
	for _, tt := range []struct {
		name   string
		logits []float64
		draw   int
		want   int
	}{
		{"u = 0", []float64{0, 0}, 0, 0},
		{"u = 0 behind -Inf", []float64{negInf, 0, 0}, 0, 1},
		{"the sum equals u", []float64{0, 0}, 1 << 31, 1},
		{"the sum equals u, beside a -Inf", []float64{0, negInf, 0}, 1 << 31, 2},
		{"just below", []float64{0, 0}, 1<<31 - 1, 0},
		{"the largest draw", []float64{0, 0, negInf}, 1<<32 - 1, 1},
	} {
		if got := must(Sample(tt.logits, all, tt.draw)); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := invert([]float64{0.5, 0.25, 0}, 0.875); got != 1 {
		t.Errorf("no sum reaches u: got %d, want the last that has a probability", got)
	}
	for _, draw := range []int{-1, 1 << 32} {
		if _, err := Sample([]float64{0}, all, draw); !errors.Is(err, ErrIndex) {
			t.Errorf("draw %d: got %v", draw, err)
		}
	}
	if _, err := Sample([]float64{math.NaN()}, Sampling{}, 0); !errors.Is(err, ErrNumber) {
		t.Errorf("NaN: got %v", err)
	}
}

// DEC-10: top_p = 1 drops nothing, though the first probability rounds to 1 and its sum reaches it.
func TestTopPOneDropsNothing(t *testing.T) {
	p, err := Distribution([]float64{0, -40, -41}, Sampling{Temperature: 1, TopP: 1})
	if err != nil || p[0] != 1 || !(p[1] > p[2] && p[2] > 0) {
		t.Errorf("got %v, error %v, want all positive", p, err)
	}
	if p, err = Distribution([]float64{0, -40, -41}, Sampling{Temperature: 1, TopP: math.Nextafter(1, 0)}); err != nil || p[1] != 0 || p[2] != 0 {
		t.Errorf("top_p below 1: got %v, error %v, want the first alone", p, err)
	}
}

// DEC-13: where no sum is greater than u, it is the last token that has a probability.
func TestInvertEndsAtTheLastPositive(t *testing.T) {
	for _, tt := range []struct {
		p    []float64
		u    float64
		want int
	}{
		{[]float64{0.25, 0.25, 0}, 0.75, 1}, {[]float64{0.25, 0.25, 0}, 0.5, 1}, {[]float64{0.25, 0.25, 0}, 0.25, 1},
		{[]float64{0, 0.25, 0.5}, 0, 1}, {[]float64{0, 0.25, 0.5}, 0.25, 2}, {[]float64{0, 0, 1}, 0, 2},
	} {
		if got := invert(tt.p, tt.u); got != tt.want {
			t.Errorf("invert(%v, %v) is %d, want %d", tt.p, tt.u, got, tt.want)
		}
	}
}

// Where Hugging Face's filters leave more, by the numbers of its own tests (transformers, tests/generation/test_logits_process.py): all that
// equal the k-th, and as many as min_tokens_to_keep, which SPEC.md does not have. DEC-8 leaves k, DEC-9 one at least.
func TestHuggingFaceLeavesMore(t *testing.T) {
	for _, tt := range []struct {
		name         string
		logits       []float64
		s            Sampling
		left, theirs int
	}{
		{"top-k of equal ones", filled(5, .2), Sampling{Temperature: 1, TopK: 1, TopP: 1}, 1, 5},
		{"top-k, three tokens at least", []float64{0, 1, 2, 3, 4}, Sampling{Temperature: 1, TopK: 1, TopP: 1}, 1, 3},
		{"top-p, two tokens at least", []float64{-500, -400, -300, -200, -100, 0, 100, 200, 300, 400}, Sampling{Temperature: 1, TopP: .9}, 1, 2},
		{"top-p of which three are left", []float64{-5, -4, -3, -2, -1, 0, 1, 2, 3, 4}, Sampling{Temperature: 1, TopP: .9}, 3, 3},
	} {
		left := 0
		for _, p := range must(Distribution(tt.logits, tt.s)) {
			if p > 0 {
				left++
			}
		}
		if left != tt.left {
			t.Errorf("%s: %d tokens are left, want %d; Hugging Face leaves %d", tt.name, left, tt.left, tt.theirs)
		}
	}
}
