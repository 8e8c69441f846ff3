package paired

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bench is a simulated benchmark: its quads are drawn from noise and moved by the log of its slowdown.
type bench struct {
	noise    func(*rand.Rand) float64
	slowdown float64
}

// simulated is a Source with a clock that only its own work moves.
type simulated struct {
	rng      *rand.Rand
	benches  []bench
	clock    time.Duration
	cost     time.Duration
	costs    map[int]time.Duration // item: where it is another
	prepared map[int]bool
	used     map[[2]int]bool // item, seed
	stages   map[int]int     // seed: stage
	fail     error
	ends     int           // the quad that the time ends in, if it does
	later    time.Duration // that a quad of the second stage takes in addition
}

func newSimulated(seed uint64, budget time.Duration, benches ...bench) *simulated {
	return &simulated{rng: rand.New(rand.NewPCG(seed, 99)), benches: benches, clock: budget, cost: 300 * time.Millisecond,
		used: map[[2]int]bool{}, stages: map[int]int{}}
}

func (s *simulated) Left() time.Duration      { return s.clock }
func (s *simulated) Link([]int) time.Duration { return 500 * time.Millisecond }

func (s *simulated) Prepare(_ context.Context, seeds, items []int) error {
	if s.clock < s.Link(items)+s.price(items[0]) {
		return errors.New("there is no time for a quad")
	}
	s.clock -= time.Duration(len(seeds)) * s.Link(items)
	s.prepared = map[int]bool{}
	for _, seed := range seeds {
		s.prepared[seed] = true
	}
	return nil
}

func (s *simulated) Quad(_ context.Context, stage, item, seed int, _ bool) ([]float64, error) {
	at := [2]int{item, seed}
	if other, ok := s.stages[seed]; s.fail != nil {
		return nil, s.fail
	} else if !s.prepared[seed] || s.used[at] || ok && other != stage {
		return nil, errors.New("a seed is used twice, in both stages, or was not prepared")
	}
	s.used[at], s.stages[seed] = true, stage
	if len(s.used) == s.ends {
		s.clock = 0
		return nil, fmt.Errorf("killed: %w", ErrEnded)
	}
	s.clock -= s.price(item) + time.Duration(stage)*s.later
	b := s.benches[item]
	return []float64{math.Log1p(b.slowdown) + b.noise(s.rng)}, nil
}

func (s *simulated) items() []Item {
	items := make([]Item, len(s.benches))
	for i := range items {
		items[i] = Item{Rows: 1, Cost: s.price(i)}
	}
	return items
}

func (s *simulated) price(item int) time.Duration {
	if c, ok := s.costs[item]; ok {
		return c
	}
	return s.cost
}

// The noises: a paired log ratio of a quiet and of a busy machine, and of layouts that cost one side or the other 10 %.
func normal(sigma float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return sigma * r.NormFloat64() }
}

func heavy(sigma float64) func(*rand.Rand) float64 { // one in eight is five times as wide
	return func(r *rand.Rand) float64 {
		if r.IntN(8) == 0 {
			return 5 * sigma * r.NormFloat64()
		}
		return sigma * r.NormFloat64()
	}
}

func layouts(step float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return step*float64(r.IntN(2)-r.IntN(2)) + 0.01*r.NormFloat64() }
}

func run(t *testing.T, s *simulated, d Design) [][]Result {
	t.Helper()
	results, err := d.Run(t.Context(), s, s.items())
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func defaults(seed uint64) Design { return Design{Alpha: 0.01, Slack: 0.01, Limit: 0.05, Seed: seed} }

// TestFit holds that what does not fit into the time is left out, and that the rest is judged as if it were alone.
func TestFit(t *testing.T) {
	quiet := bench{normal(0.01), 0}
	s := newSimulated(1, 210*time.Second, quiet, quiet, bench{normal(0.01), 0.05}, quiet)
	s.costs = map[int]time.Duration{1: 80 * time.Second}
	for i, r := range run(t, s, defaults(1)) {
		want := []Verdict{Pass, Inconclusive, Regression, Pass}[i]
		if r[0].Verdict != want || (i == 1) != strings.Contains(r[0].Reason, "not measured") {
			t.Errorf("item %d: %+v, want %s", i, r[0], want)
		}
	}
	if s.clock < 0 {
		t.Errorf("the budget is exceeded by %v", -s.clock)
	}
}

// TestTime holds that a budget is used where it does not suffice, and kept, and that what was measured before it ended counts.
func TestTime(t *testing.T) {
	const round = 800 * time.Millisecond // of one item
	slow := bench{normal(0.01), 0.5}
	for _, test := range []struct {
		name   string
		budget time.Duration
		ends   int           // the quad that the time ends in, if it does
		later  time.Duration // that a quad of the second stage takes in addition
		quads  [2]int
		reason string
	}{
		{"none", 0, 0, 0, [2]int{}, "the budget ended after 0 of 8 quads"},
		{"for some quads", 5*round + 1, 0, 0, [2]int{5, 0}, "the budget ended after 5 of 8 quads"},
		{"for the first stage", 11*round + 1, 0, 0, [2]int{11, 0}, "no room to measure it again: raise the budget, by 15s at least"},
		{"for both", 40*round + 1, 0, 0, [2]int{13, 24}, ""},
		{"ended in the first stage", 40 * round, 6, 0, [2]int{5, 0}, "the budget ended after 5 of 8 quads"},
		{"ended in the second stage", 40 * round, 30, 0, [2]int{13, 16}, ""},
		{"quads that come to take longer", 40 * round, 0, 1700 * time.Millisecond, [2]int{13, 9}, ""},
	} {
		s := newSimulated(1, test.budget, slow)
		s.ends, s.later = test.ends, test.later
		r := run(t, s, defaults(1))[0][0]
		require.Equal(t, test.quads, r.Quads, test.name)
		require.Equal(t, test.reason == "", r.Verdict == Regression, test.name)
		require.Contains(t, r.Reason, test.reason, test.name)
		require.GreaterOrEqual(t, s.clock, -test.later, test.name)
	}
}

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name   string
		bench  bench
		budget time.Duration
		want   Verdict
		reason string
	}{
		{"the same", bench{normal(0.01), 0}, time.Minute, Pass, ""},
		{"slower within the slack", bench{normal(0.01), 0.009}, time.Minute, Pass, ""},
		{"slower", bench{normal(0.01), 0.05}, time.Minute, Regression, ""},
		{"slower by half", bench{heavy(0.02), 0.5}, time.Minute, Regression, ""},
		{"slower, layouts", bench{layouts(0.03), 0.15}, time.Minute, Regression, ""},
		{"faster", bench{normal(0.01), -0.05}, time.Minute, Improved, ""},
		{"too noisy", bench{normal(0.2), 0}, time.Minute, Inconclusive, "too noisy"},
		{"no time", bench{normal(0.01), 0}, 5 * time.Second, Inconclusive, "raise the budget"},
		{"no time to measure again", bench{normal(0.01), 0.05}, 11 * time.Second, Inconclusive, "raise the budget"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := run(t, newSimulated(3, test.budget, test.bench), defaults(1))[0][0]
			if r.Verdict != test.want || !strings.Contains(r.Reason, test.reason) || (r.Reason == "") != (r.Verdict != Inconclusive) {
				t.Errorf("%+v, want %s %q", r, test.want, test.reason)
			}
		})
	}
}
