package sampling

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// multinomial draws the counts of n draws from probabilities.
func multinomial(src rand.Source, n int, probs []float64) []int {
	counts := make([]int, len(probs))
	left := 1.0
	for i, p := range probs {
		if n == 0 || p <= 0 {
			continue
		}
		if q := min(p/left, 1); q > 1-1e-12 {
			counts[i] = n
		} else {
			counts[i] = int(distuv.Binomial{N: float64(n), P: q, Src: src}.Rand())
		}
		n -= counts[i]
		left -= p
	}
	return counts
}

// simulate returns how many of so many checks fail a sampler that draws from the probabilities that planted makes of a row's.
func simulate(t *testing.T, checks, draws int, falseAlarm float64, planted func(d distribution) []float64) (failed int) {
	t.Helper()
	all, err := distributions()
	if err != nil {
		t.Fatal(err)
	}
	var drawn [][]float64
	for _, d := range all {
		drawn = append(drawn, planted(d))
	}
	src := rand.NewPCG(20, 26)
	for range checks {
		var rows []Row
		for i, d := range all {
			rows = append(rows, Row{Case: d.name, Probs: d.probs, Counts: multinomial(src, draws, drawn[i])})
		}
		if testAll(rows, falseAlarm).Err() != nil {
			failed++
		}
	}
	return failed
}

func correct(d distribution) []float64 { return d.probs }

// interval returns the numbers of failures between which a binomial variable lies but for one time in a thousand.
func interval(checks int, p float64) (lo, hi int) {
	b := distuv.Binomial{N: float64(checks), P: p}
	for b.CDF(float64(lo)) < 0.0005 {
		lo++
	}
	for hi = lo; b.CDF(float64(hi)) < 0.9995; hi++ {
	}
	return lo, hi
}

// The false-alarm rate is the one that is computed.
func TestFalseAlarmRate(t *testing.T) {
	const checks = 1000
	for _, rate := range []float64{0.2, 0.05, 0.01} {
		lo, hi := interval(checks, rate)
		if failed := simulate(t, checks, 20_000, rate, correct); failed < lo || failed > hi {
			t.Errorf("a correct sampler fails %d of %d checks, want %d to %d for a rate of %v", failed, checks, lo, hi, rate)
		} else {
			t.Logf("rate %v: %d of %d checks fail, want %d to %d", rate, failed, checks, lo, hi)
		}
	}
}

// distribute returns the reference's probabilities with other parameters.
func distribute(d distribution, edit func(*reference.Sampling)) []float64 {
	s := reference.Sampling(d.attrs)
	edit(&s)
	x := make([]float64, len(d.logits))
	for i, v := range d.logits {
		x[i] = float64(v)
	}
	p, err := reference.Distribution(x, s)
	if err != nil {
		panic(err)
	}
	return p
}

func heated(factor float64) func(d distribution) []float64 {
	return func(d distribution) []float64 {
		return distribute(d, func(s *reference.Sampling) { s.Temperature *= factor })
	}
}

// quantised has u of so many bits: each token has a whole number of its values.
func quantised(bits int) func(d distribution) []float64 {
	return func(d distribution) []float64 {
		q := make([]float64, len(d.probs))
		unit, sum, used := math.Ldexp(1, -bits), 0.0, 0.0
		for i, p := range d.probs {
			sum += p
			edge := min(1, math.Ceil(sum/unit-1e-9)*unit)
			q[i], used = edge-used, edge
		}
		return q
	}
}

// How often the check, with its default draws and rate, fails samplers with a planted mistake.
func TestPower(t *testing.T) {
	const checks = 100
	for _, tt := range []struct {
		name    string
		planted func(d distribution) []float64
		lo, hi  int // failures
	}{
		{"temperature 0.2% too high", heated(1.002), 0, 5},
		{"temperature 0.5% too high", heated(1.005), 95, checks}, // it moves the edge of a nucleus
		{"temperature 1% too high", heated(1.01), checks, checks},
		{"temperature left out", func(d distribution) []float64 {
			return distribute(d, func(s *reference.Sampling) { s.Temperature = 1 })
		}, checks, checks},
		{"top-k one too many", func(d distribution) []float64 {
			return distribute(d, func(s *reference.Sampling) {
				if s.TopK > 0 {
					s.TopK++
				}
			})
		}, checks, checks},
		{"top-p without the token that crosses", withoutCrossing, checks, checks},
		{"top-p left out", func(d distribution) []float64 { return distribute(d, func(s *reference.Sampling) { s.TopP = 1 }) }, checks, checks},
		{"what is left is not renormalised: the rest is the last token's", func(d distribution) []float64 {
			q := slices.Clone(distribute(d, func(s *reference.Sampling) { s.TopK, s.TopP = 0, 1 }))
			last, sum := 0, 0.0
			for i, p := range d.probs {
				if p == 0 {
					q[i] = 0
				} else {
					last = i
				}
				sum += q[i]
			}
			q[last] += 1 - sum
			return q
		}, checks, checks},
		{"u of 8 bits", quantised(8), checks, checks},
		{"u of 16 bits", quantised(16), 0, 2},
		{">= u for > u", func(d distribution) []float64 { // a token has the u on its upper edge, and not the one on its lower
			q := slices.Clone(d.probs)
			if first := slices.IndexFunc(q, func(p float64) bool { return p > 0 }); first > 0 {
				q[0], q[first] = 0x1p-24, q[first]-0x1p-24
			}
			return q
		}, 0, 30},
	} {
		failed := simulate(t, checks, 20_000, 1e-4, tt.planted)
		if failed < tt.lo || failed > tt.hi {
			t.Errorf("%s: %d of %d checks fail, want %d to %d", tt.name, failed, checks, tt.lo, tt.hi)
		}
		t.Logf("%s: %d of %d checks fail", tt.name, failed, checks)
	}
}

// withoutCrossing drops the token ranked last of a nucleus of several.
func withoutCrossing(d distribution) []float64 {
	q := slices.Clone(d.probs)
	if d.attrs.TopP == 1 {
		return q
	}
	last, left := -1, 0
	for i, p := range q {
		if p == 0 {
			continue
		}
		left++
		if last < 0 || p <= q[last] {
			last = i
		}
	}
	if left == 1 {
		return q
	}
	rest := 1 - q[last]
	q[last] = 0
	for i := range q {
		q[i] /= rest
	}
	return q
}

// sampler is the reference with a generator of its own, and perhaps a mistake.
func sampler(planted func(d distribution) []float64) func(seed uint64) Sampler {
	return func(seed uint64) Sampler {
		rng := rand.New(rand.NewPCG(seed, 1))
		var of []float32
		var q []float64
		return func(logits []float32, a op.SamplingAttrs) (int, error) {
			if !slices.Equal(of, logits) {
				of = slices.Clone(logits)
				q = planted(distribution{attrs: a, logits: logits, probs: distribute(distribution{attrs: a, logits: logits}, func(*reference.Sampling) {})})
			}
			u, last := rng.Float64(), 0
			for i, p := range q {
				if p == 0 {
					continue
				}
				last = i
				if u -= p; u < 0 {
					break
				}
			}
			return last, nil
		}
	}
}

func TestCheck(t *testing.T) {
	r, err := Check(sampler(correct), Config{Draws: 4000, Seed: 1})
	if err != nil || r.Err() != nil {
		t.Fatalf("a correct sampler: %v, %v", err, r.Err())
	}
	if len(r.Rows) < 60 || r.Level > 1e-4/60 || r.FalseAlarm != 1e-4 {
		t.Errorf("%d rows at a level of %v", len(r.Rows), r.Level)
	}
	r, err = Check(sampler(withoutCrossing), Config{Draws: 4000, Seed: 1})
	if err != nil || r.Err() == nil || !strings.Contains(r.Err().Error(), "distribution/top-p-0.5, row 0: chi-square") {
		t.Errorf("top-p without the token that crosses: %v, %v", err, r.Err())
	}
	r, err = Check(func(uint64) Sampler { return func([]float32, op.SamplingAttrs) (int, error) { return 0, nil } }, Config{Draws: 200})
	if err != nil || r.Err() == nil || !strings.Contains(r.Err().Error(), "was drawn 200 times, and has no probability") {
		t.Errorf("always token 0: %v, %v", err, r.Err())
	}
}

func TestCheckErrors(t *testing.T) {
	bad := errors.New("out of order")
	for name, tt := range map[string]struct {
		c    Config
		f    Sampler
		says string
	}{
		"an error":      {Config{}, func([]float32, op.SamplingAttrs) (int, error) { return 0, bad }, "out of order"},
		"no such token": {Config{}, func(x []float32, _ op.SamplingAttrs) (int, error) { return len(x), nil }, "outside the vocabulary"},
		"few draws":     {Config{Draws: 10}, nil, "want 160 draws or more"},
		"a rate of 1":   {Config{FalseAlarm: 1}, nil, "a rate between 0 and 1"},
	} {
		if _, err := Check(func(uint64) Sampler { return tt.f }, tt.c); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tt.says)
		}
	}
}
