package paired

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// recorded returns the paired log ratios that assay gate --self-test --record wrote: of six kernels, the same code on both sides at other
// layouts for each pair, on two shared cores.
func recorded(t *testing.T) (names []string, pairs map[string][]float64) {
	t.Helper()
	data, err := os.ReadFile("testdata/noise.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &pairs); err != nil {
		t.Fatal(err)
	}
	for name, d := range pairs {
		if len(d) < 100 {
			t.Fatalf("%d pairs of %s: too few to draw from", len(d), name)
		}
	}
	return slices.Sorted(maps.Keys(pairs)), pairs
}

// drawn draws from pairs, each with a random sign: which side is which was arbitrary.
func drawn(pairs []float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return pairs[r.IntN(len(pairs))] * float64(2*r.IntN(2)-1) }
}

// suite is 30 benchmarks with the recorded noises in turn.
func suiteOf(names []string, pairs map[string][]float64) []bench {
	var benches []bench
	for i := range 30 {
		benches = append(benches, bench{drawn(pairs[names[i%len(names)]]), 0})
	}
	return benches
}

// measured is a run of both stages.
func measured(t *testing.T, s *simulated, d Design) *state {
	t.Helper()
	run, err := d.measure(t.Context(), s, s.items())
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// regressions are the items that are found to have become slower.
func (s *state) regressions() map[int]bool {
	found := map[int]bool{}
	rows, p, _ := s.decide(false)
	for k, at := range rows {
		if p[k] < s.Alpha {
			found[at[0]] = true
		}
	}
	return found
}

// runs of simulated suites: a thousand in CI, where ASSAY_GATE is "all". The race detector makes them ten times slower, and has fewer.
var runs = map[bool]int{true: 1000, false: 300}[os.Getenv("ASSAY_GATE") == "all"]

// budget is what a suite of 30 has of five minutes when discovery and calibration are done.
const budget = 285 * time.Second

// TestFalseAlarms holds the probability of any regression in a suite of 30 benchmarks of the same code, under recorded noise and layouts: with the
// slack that is the default, and with none, where every benchmark lies on the boundary of what is no regression.
func TestFalseAlarms(t *testing.T) {
	names, pairs := recorded(t)
	for _, slack := range []float64{0, 0.01} {
		t.Run(fmt.Sprintf("slack %v", slack), func(t *testing.T) {
			t.Parallel()
			alarms := 0
			for k := range runs {
				d := defaults(uint64(k))
				d.Slack = slack
				if len(measured(t, newSimulated(uint64(k), budget, suiteOf(names, pairs)...), d).regressions()) > 0 {
					alarms++
				}
			}
			// At a rate of 1 %, more than this happens once in ten thousand times.
			most := 0
			for b := (distuv.Binomial{N: float64(runs), P: 0.01}); b.CDF(float64(most)) < 1-1e-4; most++ {
			}
			t.Logf("%d of %d runs have a false alarm", alarms, runs)
			if alarms > most {
				t.Errorf("%d of %d runs have a false alarm, want at most %d", alarms, runs, most)
			}
		})
	}
}

// TestDetections holds how often planted slowdowns are found in a suite of 30, where the gate says, of the benchmark and in that run, that it finds 5 %.
func TestDetections(t *testing.T) {
	t.Parallel()
	names, pairs := recorded(t)
	runs := runs / 20
	sizes := []float64{0.03, 0.05, 0.1, 0.2}
	var found, of [4]int // where it says so, by size
	for i, name := range names {
		var all [4]int
		var resolutions []float64
		for k := range runs {
			s := newSimulated(uint64(k*len(names)+i), budget, suiteOf(names, pairs)...)
			for j, size := range sizes { // the four sizes on four of the five benchmarks with this noise
				s.benches[i+j*len(names)].slowdown = size
			}
			run := measured(t, s, defaults(uint64(k)))
			slower := run.regressions()
			for j := range sizes {
				at := i + j*len(names)
				r := run.result(at, 0).Resolution
				resolutions = append(resolutions, r)
				if slower[at] {
					all[j]++
				}
				if r <= 0.05 {
					of[j]++
					if slower[at] {
						found[j]++
					}
				}
			}
		}
		slices.Sort(resolutions)
		t.Logf("%s finds %.1f %%; found of 3, 5, 10, 20 %%: %d of %d", name, 100*resolutions[len(resolutions)/2], all, runs)
	}
	t.Logf("where it finds 5 %%: %d of %d", found, of)
	for j, want := range []int{0, 95, 99, 99} {
		if least := runs / 5; of[j] < least || 100*found[j] < want*of[j] {
			t.Errorf("%v %%: found %d of %d, want %d %% of at least %d", 100*sizes[j], found[j], of[j], want, least)
		}
	}
}
