package paired

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// chunk is how many seeds are prepared at a time: binaries are large, and only one chunk of them is kept.
const chunk = 4

// state is a run in progress.
type state struct {
	Design
	src   Source
	items []Item
	quads [2][][][]float64 // stage, item, row: the log ratios
	spent []time.Duration  // item: on its quads of the first stage
	skip  []string         // item: why it is not judged, "" if it is
	seed  int              // the next unused
	rng   *rand.Rand
	tails tails
	pSlow []float64 // item: least uncorrected p of its rows after screening
	pFast []float64

	left     time.Duration  // that the second stage may use
	suspects []int          // carried to it
	rounds   map[int]int    // suspect: quads planned
	wishes   map[[2]int]int // of wish
}

// Run measures the items with src and returns a Result for each row of each item.
func (d Design) Run(ctx context.Context, src Source, items []Item) ([][]Result, error) {
	s, err := d.measure(ctx, src, items)
	if err != nil {
		return nil, err
	}
	return s.conclude(), nil
}

// measure is the two stages.
func (d Design) measure(ctx context.Context, src Source, items []Item) (*state, error) {
	if err := d.validate(items); err != nil {
		return nil, err
	}
	s := &state{Design: d, src: src, items: items, skip: make([]string, len(items)), spent: make([]time.Duration, len(items)), rng: rand.New(rand.NewPCG(d.Seed, 1)), tails: tails{},
		pSlow: make([]float64, len(items)), pFast: make([]float64, len(items)), wishes: map[[2]int]int{}}
	for stage := range s.quads {
		s.quads[stage] = make([][][]float64, len(items))
		for i, item := range items {
			s.quads[stage][i] = make([][]float64, item.Rows)
		}
	}
	if err := s.screen(ctx); err != nil {
		return nil, err
	}
	s.plan()
	return s, s.confirm(ctx)
}

// screen is the first stage.
func (s *state) screen(ctx context.Context) error {
	s.fit()
	var open []int
	for i := range s.items {
		if s.skip[i] == "" {
			open = append(open, i)
		}
	}
	for round := 0; round < maxScreen; {
		keep := time.Duration(0)
		switch {
		case round >= minScreen && !s.confirmable(): // then screening uses what is left
		case round >= screen:
			open = slices.DeleteFunc(open, func(i int) bool { return s.resolved(i) })
			keep = s.room(goodConfirm)
		case round >= minScreen:
			keep = s.room(fairConfirm)
		}
		n := min(chunk, maxScreen-round, s.fitting(open, s.src.Left()-keep))
		if n < 1 || len(open) == 0 {
			break
		}
		done, err := s.measure(ctx, 0, n, func(i, r int) bool { return slices.Contains(open, i) && (round+r < minScreen || s.src.Left() > keep) })
		if err != nil {
			return err
		}
		round += done
		if done < n {
			break
		}
	}
	return nil
}

// cost is what a quad of an item takes: on average in the first stage, or as expected.
func (s *state) cost(i int) time.Duration {
	if n := len(s.quads[0][i][0]); n > 0 {
		return s.spent[i] / time.Duration(n)
	}
	return s.items[i].Cost
}

// round is what a quad of each of the items takes, linked at a seed of its own.
func (s *state) round(items []int) time.Duration {
	cost := s.src.Link(items)
	for _, i := range items {
		cost += s.cost(i)
	}
	return cost
}

// fitting is how many such rounds fit into a time.
func (s *state) fitting(items []int, time time.Duration) int {
	return int(time / max(1, s.round(items)))
}

// confirmable tells whether the second stage has room for any item.
func (s *state) confirmable() bool {
	for i := range s.items {
		if s.skip[i] == "" && time.Duration(minConfirm/confirmShare*float64(s.round([]int{i}))) <= s.src.Left() {
			return true
		}
	}
	return false
}

// room is the time that the second stage takes for the present suspects, and one more of median cost, with n quads each.
func (s *state) room(n int) time.Duration {
	var suspects, others []int
	for i := range s.items {
		if slow, fast := s.suspicion(i); slow < slowLevel || fast < fastLevel {
			suspects = append(suspects, i)
		} else if s.skip[i] == "" {
			others = append(others, i)
		}
	}
	if len(others) > 0 {
		slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(s.cost(a), s.cost(b)) })
		suspects = append(suspects, others[len(others)/2])
	}
	return time.Duration(float64(n) / confirmShare * float64(s.round(suspects)))
}

// suspicion is the least uncorrected p of an item's rows in the first stage, in each direction.
func (s *state) suspicion(i int) (slow, fast float64) {
	slow, fast = 1, 1
	for _, d := range s.quads[0][i] {
		if s.skip[i] == "" && len(d) > 0 {
			up, down := newSample(d).test(0, s.tails)
			slow, fast = min(slow, up), min(fast, down)
		}
	}
	return slow, fast
}

// fit leaves out the most expensive items until the least number of rounds, and a second stage, fit into the time. If none is left, it is enough that the
// rounds do, or that it is the last: then nothing can be judged, but the time is used, and shows how things stand.
func (s *state) fit() {
	order := make([]int, len(s.items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.items[b].Cost, s.items[a].Cost) })
	for _, confirmed := range []bool{true, false} {
		clear(s.skip)
		for k, i := range order {
			rest, left := order[k:], s.src.Left()
			if confirmed {
				left -= s.room(minConfirm)
			}
			if s.fitting(rest, left) >= minScreen || !confirmed && len(rest) == 1 {
				return
			}
			s.skip[i] = fmt.Sprintf("not measured: the budget has no room for %d quads of %v beside the rest, and for linking at as many seeds, %v each: raise the budget, or "+
				"select fewer benchmarks or packages", minScreen, s.items[i].Cost.Round(10*time.Millisecond), s.src.Link(rest).Round(10*time.Millisecond))
		}
	}
}

// measure runs up to n rounds of a stage at fresh seeds, each item for which want(item, round) once a round, in random order. It returns how
// many rounds were begun, fewer where the time ended.
func (s *state) measure(ctx context.Context, stage, n int, want func(item, round int) bool) (int, error) {
	var seeds, items []int
	for r := range n {
		seeds = append(seeds, s.seed+r)
	}
	s.seed += n
	for i := range s.items {
		for r := range n {
			if want(i, r) {
				items = append(items, i)
				break
			}
		}
	}
	if len(items) == 0 {
		return 0, nil
	}
	if err := s.src.Prepare(ctx, seeds, items); err != nil {
		return 0, unlessEnded(err)
	}
	for r := range n {
		s.rng.Shuffle(len(items), func(a, b int) { items[a], items[b] = items[b], items[a] })
		measured := false
		for _, i := range items {
			if !want(i, r) {
				continue
			}
			before := s.src.Left()
			d, err := s.src.Quad(ctx, stage, i, seeds[r], s.rng.Uint64()&1 == 0)
			if stage == 0 {
				s.spent[i] += before - s.src.Left()
			}
			if err != nil {
				return r, unlessEnded(err)
			}
			measured = true
			for row, v := range d {
				s.quads[stage][i][row] = append(s.quads[stage][i][row], v)
			}
		}
		if !measured {
			return r, nil
		}
	}
	return n, nil
}

func unlessEnded(err error) error {
	if errors.Is(err, ErrEnded) {
		return nil
	}
	return err
}

// resolved tells whether an item needs no more screening: it is clearly slower, or slowdowns well within the limit make it a suspect. What screening
// needs for 95 % power is estimated from the distance between the center and the bound at Alpha, of which it is a constant part under normal noise.
func (s *state) resolved(i int) bool {
	z := distuv.UnitNormal.Quantile
	part := (z(0.95) + z(1-slowLevel)) / z(1-s.Alpha)
	for _, d := range s.quads[0][i] {
		x := newSample(d)
		lo, hi := x.bounds(s.Alpha, s.Alpha, s.tails)
		if lo > s.theta() {
			return true
		}
		if part*(hi-lo)/2 > wellWithin*s.Limit {
			return false
		}
	}
	return true
}

// wellWithin is the part of the limit that screening may need.
const wellWithin = 0.8

// plan chooses the suspects and how often each is measured again.
func (s *state) plan() {
	for i := range s.items {
		s.pSlow[i], s.pFast[i] = s.suspicion(i)
	}
	var slow, fast []int
	for i := range s.items {
		switch {
		case s.pSlow[i] < slowLevel:
			slow = append(slow, i)
		case s.pFast[i] < fastLevel:
			fast = append(fast, i)
		}
	}
	slices.SortStableFunc(slow, func(a, b int) int { return cmp.Compare(s.pSlow[a], s.pSlow[b]) })
	slices.SortStableFunc(fast, func(a, b int) int { return cmp.Compare(s.pFast[a], s.pFast[b]) })
	s.left = time.Duration(confirmShare * float64(s.src.Left()))
	s.suspects = append(slow, fast...)
	for len(s.suspects) > 0 && s.rounds == nil {
		if s.rounds = s.allocate(s.suspects); s.rounds == nil {
			s.suspects = s.suspects[:len(s.suspects)-1] // the weakest
		}
	}
}

// allocate returns how many quads each of the items gets in the second stage, or nil if the time does not suffice.
func (s *state) allocate(items []int) map[int]int {
	rows := 0
	for _, i := range items {
		rows += s.items[i].Rows
	}
	for most := maxConfirm; most >= minConfirm; most -= 8 {
		rounds, longest, cost := map[int]int{}, 0, time.Duration(0)
		for _, i := range items {
			n := min(s.wish(i, rows), most)
			rounds[i], longest = n, max(longest, n)
			cost += time.Duration(n) * s.cost(i)
		}
		if cost+time.Duration(longest)*s.src.Link(items) <= s.left {
			return rounds
		}
	}
	return nil
}

// wish returns how many quads confirm an item well, one of rows: they bring the resolution well below the limit, or to the least slowdown that
// screening leaves possible, if that many can be had. The resolution beyond the slack shrinks with the root of their number.
func (s *state) wish(i, rows int) int {
	key := [2]int{i, rows}
	if s.wishes[key] == 0 {
		excess := 0.0
		for _, d := range s.quads[0][i] {
			worst := newNoise(s.Seed, d).resolution(planning, len(d), minConfirm, s.theta(), s.Alpha/float64(rows), s.tails)
			least, _ := newSample(d).bounds(s.Alpha, s.Alpha, s.tails)
			excess = max(excess, (worst-s.Slack)/max(wishedFor*(s.Limit-s.Slack), math.Expm1(least)-s.Slack))
		}
		s.wishes[key] = maxConfirm
		if n := 8 * math.Ceil(minConfirm/8*excess*excess); n < maxConfirm {
			s.wishes[key] = max(fairConfirm, int(n))
		}
	}
	return s.wishes[key]
}

// confirm is the second stage.
func (s *state) confirm(ctx context.Context) error {
	longest := 0
	for _, n := range s.rounds {
		longest = max(longest, n)
	}
	for round := 0; round < longest; {
		open := slices.DeleteFunc(slices.Clone(s.suspects), func(i int) bool { return s.rounds[i] <= round })
		n := min(chunk, longest-round, s.fitting(open, s.src.Left()))
		if n < 1 {
			return nil
		}
		done, err := s.measure(ctx, 1, n, func(i, r int) bool { return round+r < s.rounds[i] && s.src.Left() > 0 })
		if err != nil || done < n {
			return err
		}
		round += n
	}
	return nil
}

// carried returns the rows that are judged by the second stage, in one direction.
func (s *state) carried(fast bool) (rows [][2]int) {
	for i := range s.items {
		if s.rounds[i] == 0 || fast != (s.pSlow[i] >= slowLevel) {
			continue
		}
		for row := range s.items[i].Rows {
			rows = append(rows, [2]int{i, row})
		}
	}
	return rows
}

// decide returns the rows that the second stage judges in one direction, with their corrected p-values and the levels of their tests.
func (s *state) decide(fast bool) (rows [][2]int, corrected, level []float64) {
	rows = s.carried(fast)
	var p []float64
	for _, at := range rows {
		slower, faster := 1.0, 1.0
		if d := s.quads[1][at[0]][at[1]]; len(d) > 0 {
			slower, faster = newSample(d).test(s.theta(), s.tails)
		}
		if fast {
			slower = faster
		}
		p = append(p, slower)
	}
	corrected, level = Holm(p, s.Alpha)
	return rows, corrected, level
}

// conclude gives each row its result.
func (s *state) conclude() [][]Result {
	results := make([][]Result, len(s.items))
	for i, item := range s.items {
		for row := range item.Rows {
			results[i] = append(results[i], s.result(i, row))
		}
	}
	return results
}

// result is that of a row, by the stage that judges it.
func (s *state) result(i, row int) (r Result) {
	family := len(s.carried(false)) // rows that are judged as slower
	if s.rounds[i] == 0 {
		r = s.first(i, row, family)
	} else {
		fast := s.pSlow[i] >= slowLevel
		rows, p, level := s.decide(fast)
		k := slices.Index(rows, [2]int{i, row})
		r = s.second(i, row, fast, p[k], level[k], family)
	}
	r.Pairs = slices.Concat(s.quads[0][i][row], s.quads[1][i][row])
	return r
}

// second is the result of a row that was measured again.
func (s *state) second(i, row int, fast bool, p, level float64, family int) Result {
	d := s.quads[1][i][row]
	r := Result{Verdict: Inconclusive, Quads: [2]int{len(s.quads[0][i][row]), len(d)}, P: p, Lo: math.Inf(-1), Hi: math.Inf(1), Resolution: math.Inf(1)}
	if len(d) == 0 {
		r.Reason = "a suspect, and the budget ended before it was measured again: raise the budget"
		return r
	}
	x := newSample(d)
	r.Center = x.center()
	// The other direction is judged as if it were alone.
	r.Lo, r.Hi = x.bounds(level, s.Alpha, s.tails)
	if fast { // had it become slower, it would have been one more of the other family
		r.Lo, r.Hi = x.bounds(s.Alpha, level, s.tails)
		family += s.items[i].Rows
	}
	r.Resolution = newNoise(s.Seed, s.quads[0][i][row], d).resolution(resamples, r.Quads[0], len(d), s.theta(), s.Alpha/float64(family), s.tails)
	switch {
	case p < s.Alpha && fast:
		r.Verdict = Improved
	case p < s.Alpha:
		r.Verdict = Regression
	default:
		s.passes(i, &r)
	}
	return r
}

// first is the result of a row that was not.
func (s *state) first(i, row, family int) Result {
	d := s.quads[0][i][row]
	r := Result{Verdict: Inconclusive, Quads: [2]int{len(d), 0}, P: 1, Lo: math.Inf(-1), Hi: math.Inf(1), Resolution: math.Inf(1), Reason: s.skip[i]}
	if r.Reason == "" && len(d) < minScreen {
		r.Reason = fmt.Sprintf("the budget ended after %d of %d quads: raise the budget", len(d), minScreen)
	}
	if len(d) == 0 {
		return r
	}
	x := newSample(d)
	slow, fast := x.test(0, s.tails)
	r.Center, r.P = x.center(), slow
	if r.Center < 0 {
		r.P = fast
	}
	r.Lo, r.Hi = x.bounds(s.Alpha, s.Alpha, s.tails)
	if r.Reason != "" {
		return r
	}
	// Had it been a suspect, it would have been one more.
	again := s.allocate(append(slices.Clone(s.suspects), i))[i]
	r.Resolution = newNoise(s.Seed, d).resolution(resamples, len(d), again, s.theta(), s.Alpha/float64(family+s.items[i].Rows), s.tails)
	if s.pSlow[i] < slowLevel {
		r.Reason = "a suspect, and the budget has no room to measure it again: " + s.raise(i)
		return r
	}
	s.passes(i, &r)
	return r
}

// raise is the remedy for an item that the second stage has no room for.
func (s *state) raise(i int) string {
	if missing := time.Duration(float64(minConfirm*s.round([]int{i})-s.left) / confirmShare); missing > 0 {
		return fmt.Sprintf("raise the budget, by %v at least", missing.Truncate(time.Second)+time.Second)
	}
	return "raise the budget"
}

// passes gives the verdict of a row of an item that did not change significantly.
func (s *state) passes(i int, r *Result) {
	switch limit := math.Log1p(s.Limit); {
	case math.IsInf(r.Resolution, 1):
		r.Reason = "the budget has no room to measure it again, had it been a suspect: " + s.raise(i)
	case r.Resolution > s.Limit:
		r.Reason = "too noisy: a slowdown by the limit might not have been found"
	case r.Hi > limit:
		r.Reason = "a slowdown by the limit is not excluded"
	default:
		r.Verdict = Pass
	}
}
