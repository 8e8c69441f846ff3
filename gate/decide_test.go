package gate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assaykit/assay/gate/paired"
)

// simulate returns rows of n runs of OLD and m of NEW with lognormal noise; row 0 of NEW is slower by the factor slowdown.
func simulate(rng *rand.Rand, rows, n, m int, sigma, slowdown float64) []*trial {
	draw := func(n int, factor float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = factor * math.Exp(sigma*rng.NormFloat64())
		}
		return x
	}
	trials := make([]*trial, rows)
	for i := range trials {
		trials[i] = &trial{assume: benchmath.AssumeNothing, worse: 1, runs: [2][]float64{draw(n, 1), draw(m, slowdown)}}
		slowdown = 1
	}
	return trials
}

// TestFamilyError measures the probability of any false regression in a suite against its exact value: rows are independent, so with a the
// attained level of a row it is 1 - (1 - a)^rows, just below alpha. Both tails are bounded, so a gate that never fires fails too.
func TestFamilyError(t *testing.T) {
	const suites = 4000
	for _, test := range []struct {
		rows, n, m      int
		alpha, slowdown float64 // slowdown of every row, equal to the slack: the worst case that must not fire
	}{
		{1, 10, 10, 0.05, 0}, {5, 10, 10, 0.05, 0}, {5, 8, 12, 0.05, 0}, {20, 8, 8, 0.05, 0}, {5, 10, 10, 0.01, 0}, {5, 10, 10, 0.05, 0.02},
	} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			tail := uTail(test.n, test.m)
			attained := tail[critical(tail, test.alpha/float64(test.rows))]
			want := 1 - math.Pow(1-attained, float64(test.rows))
			if want > test.alpha || want < test.alpha/2 {
				t.Fatalf("family error %v at alpha %v", want, test.alpha)
			}
			rng := rand.New(rand.NewPCG(uint64(test.rows), uint64(test.n)))
			alarms := 0
			for range suites {
				var p []float64
				for _, tr := range simulate(rng, test.rows, test.n, test.m, 0.02, 1) {
					for i := range tr.runs[1] {
						tr.runs[1][i] *= 1 + test.slowdown
					}
					tr.tail = tail
					tr.test(math.Log1p(test.slowdown))
					p = append(p, tr.slow)
				}
				if corrected, _ := paired.Holm(p, test.alpha); slices.Min(corrected) < test.alpha {
					alarms++
				}
			}
			alarm := distuv.Binomial{N: suites, P: want}
			if below, above := alarm.CDF(float64(alarms)), 1-alarm.CDF(float64(alarms-1)); min(below, above) < 1e-4 {
				t.Errorf("%d of %d suites alarmed, want %v: tail probability %v", alarms, suites, want, min(below, above))
			}
		})
	}
}

// TestPlanted holds that a slowdown of 10 % at 1 % noise, ten runs a side, is found among 20 rows at least 99 times in 100, that no other row is
// called, and that interval and verdict agree.
func TestPlanted(t *testing.T) {
	const suites = 100
	rng := rand.New(rand.NewPCG(3, 4))
	opt := Defaults()
	found, wrong, pass := 0, 0, 0
	for range suites {
		trials := simulate(rng, 20, 10, 10, 0.01, 1.1)
		if err := decide(trials, opt); err != nil {
			t.Fatal(err)
		}
		for i, tr := range trials {
			r := tr.row
			regressed := r.Verdict == Regression
			switch {
			case i == 0 && regressed:
				found++
			case regressed:
				wrong++
			case r.Verdict == Pass:
				pass++
			}
			if beyond := r.Ratio.Lo > 1+opt.Slack; beyond != regressed {
				t.Fatalf("verdict %s with the interval %+v", r.Verdict, r.Ratio)
			}
			if r.Verdict == Pass && (r.Resolution > opt.Resolution || r.Ratio.Hi > 1+opt.Resolution) {
				t.Fatalf("pass with resolution %v and the interval %+v", r.Resolution, r.Ratio)
			}
		}
	}
	if found < suites*99/100 || wrong > 1 {
		t.Errorf("found %d of %d, and %d false", found, suites, wrong)
	}
	if others := suites * 19; pass < others*9/10 {
		t.Errorf("%d of %d unchanged rows pass at 1 %% noise", pass, others)
	}
}

// TestResolution measures the power at the stated resolution. The bounds are those of the package comment's table, less four standard errors.
func TestResolution(t *testing.T) {
	const trials = 300
	noises := map[string]func(*rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
		"outliers": func(r *rand.Rand) float64 {
			if r.Float64() < 0.1 {
				return 5 * math.Abs(r.NormFloat64())
			}
			return r.NormFloat64()
		},
		"two modes": func(r *rand.Rand) float64 {
			if r.Float64() < 0.3 {
				return 4 + r.NormFloat64()/2
			}
			return r.NormFloat64() / 2
		},
	}
	const n, level = 10, 0.01
	theta, tail := math.Log1p(0.01), uTail(n, n)
	for name, noise := range noises {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			sample := func(slowdown float64) *trial {
				tr := &trial{assume: benchmath.AssumeNothing, worse: 1, tail: tail}
				for range n {
					tr.runs[0] = append(tr.runs[0], math.Exp(0.01*noise(rng)))
					tr.runs[1] = append(tr.runs[1], (1+slowdown)*math.Exp(0.01*noise(rng)))
				}
				return tr
			}
			found := 0
			for range trials {
				slowed := sample(sample(0).resolution(theta, level))
				slowed.test(theta)
				if slowed.slow < level {
					found++
				}
			}
			if power := float64(found) / trials; power < 0.85 || power > 0.99 {
				t.Errorf("power %v at the stated resolution, want about 0.92", power)
			}
		})
	}
}

// TestAgainstBenchmath checks the test against an independent implementation: without ties and slack, p is half of benchmath's two-sided p.
func TestAgainstBenchmath(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, size := range [][2]int{{1, 1}, {2, 5}, {5, 5}, {10, 10}, {12, 7}, {50, 50}} {
		for range 20 {
			tr := simulate(rng, 1, size[0], size[1], 0.02, 1.01)[0]
			tr.tail = uTail(min(size[0], size[1]), max(size[0], size[1]))
			tr.test(0)
			th := benchmath.DefaultThresholds
			want := benchmath.AssumeNothing.Compare(benchmath.NewSample(tr.runs[0], &th), benchmath.NewSample(tr.runs[1], &th)).P
			if got := min(1, 2*min(tr.slow, tr.fast)); math.Abs(got-want) > 1e-12 {
				t.Errorf("%v: p = %v, benchmath has %v", size, got, want)
			}
		}
	}
}

// TestDirection holds that reciprocal values with the other direction are the same row.
func TestDirection(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	lower := &trial{assume: benchmath.AssumeNothing, worse: 1}
	higher := &trial{assume: benchmath.AssumeNothing, worse: -1}
	for range 10 {
		for s := range lower.runs {
			x := math.Exp(0.01*rng.ExpFloat64() + 0.02*float64(s))
			lower.runs[s], higher.runs[s] = append(lower.runs[s], x), append(higher.runs[s], 1/x)
		}
	}
	if err := decide([]*trial{lower}, Defaults()); err != nil {
		t.Fatal(err)
	}
	if err := decide([]*trial{higher}, Defaults()); err != nil {
		t.Fatal(err)
	}
	a, b := lower.row, higher.row
	for _, pair := range [][2]float64{
		{a.P, b.P}, {a.Resolution, b.Resolution}, {a.Ratio.Center, 1 / b.Ratio.Center}, {a.Ratio.Lo, 1 / b.Ratio.Hi}, {a.Ratio.Hi, 1 / b.Ratio.Lo},
	} {
		if math.Abs(pair[0]/pair[1]-1) > 1e-6 {
			t.Errorf("%+v\nand %+v differ", a, b)
			break
		}
	}
	if a.Verdict != b.Verdict {
		t.Errorf("verdicts %s and %s", a.Verdict, b.Verdict)
	}
}

func TestTies(t *testing.T) {
	tr := &trial{assume: benchmath.AssumeNothing, worse: 1, tail: uTail(4, 4), runs: [2][]float64{{1, 1, 1, 1}, {1, 1, 1, 1}}}
	if tr.test(math.Log1p(0.01)); tr.slow != 1 || tr.fast != 1 {
		t.Errorf("all values equal: p = %v and %v, want 1", tr.slow, tr.fast)
	}
	if tr.test(0); tr.slow != 1 || tr.fast != 1 {
		t.Errorf("all values equal, no slack: p = %v and %v, want 1", tr.slow, tr.fast)
	}
}

func TestNormalTailIsCautious(t *testing.T) {
	for _, size := range [][2]int{{50, 50}, {20, 300}, {11, 600}} {
		exact, normal := exactTail(size[0], size[1]), normalTail(size[0], size[1])
		for u := critical(exact, 0.01); u < len(exact); u++ {
			if normal[u] < exact[u] {
				t.Fatalf("%v, u = %d: normal %v, exact %v", size, u, normal[u], exact[u])
			}
		}
	}
}

func TestExactTail(t *testing.T) {
	for u, want := range []float64{1, 5. / 6, 4. / 6, 2. / 6, 1. / 6, 0} { // the six orders of two and two
		if got := exactTail(2, 2)[u]; math.Abs(got-want) > 1e-15 {
			t.Errorf("P(U >= %d) = %v, want %v", u, got, want)
		}
	}
	if got := exactTail(10, 10)[100]; math.Abs(got*184756-1) > 1e-12 { // 1/C(20, 10)
		t.Errorf("P(U >= 100) = %v", got)
	}
}

func TestMinRuns(t *testing.T) {
	for level, want := range map[float64]int{0.4: 2, 0.05: 4, 0.01: 5, 0.001: 7, 0.00025: 8, 1e-5: 10} { // 1/C(2n, n)
		if got := minRuns(level); got != want {
			t.Errorf("minRuns(%v) = %d, want %d", level, got, want)
		}
	}
}

func TestKthDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	old, new := make([]float64, 7), make([]float64, 9)
	var d []float64
	for i := range old {
		old[i] = rng.NormFloat64()
	}
	for j := range new {
		new[j] = rng.NormFloat64()
		for _, x := range old {
			d = append(d, new[j]-x)
		}
	}
	slices.Sort(old)
	slices.Sort(new)
	slices.Sort(d)
	for k := 1; k <= len(d); k++ {
		if got, want := kthDifference(old, new, k), d[len(d)-k]; math.Abs(got-want) > 1e-7 {
			t.Errorf("k = %d: %v, want %v", k, got, want)
		}
	}
}
