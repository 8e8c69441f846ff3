package live

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

type unit struct {
	name     string
	better   string
	worse    float64 // +1 if lower is better, -1 if higher is
	declared bool    // assume=exact
}

// units sorts the units that a benchmark reports into those judged by pairs, those judged otherwise, and those that follow from the time.
func (s *comparison) units(b *benchmark, seen []map[string]float64) error {
	names := slices.Sorted(maps.Keys(seen[len(seen)-1]))
	for _, values := range seen[1:] { // the first, of one iteration, may lack some
		names = slices.DeleteFunc(names, func(name string) bool { _, ok := values[name]; return !ok })
	}
	slices.SortStableFunc(names, func(x, y string) int { return rank(x) - rank(y) })
	declared := s.runner.format.Units()
	for _, name := range names {
		if follows(name, seen) {
			continue
		}
		u := unit{name: name, better: "lower", worse: -float64(declared.GetBetter(name))}
		switch u.worse {
		case 0:
			return fmt.Errorf("%s: the unit %s has no direction: let the benchmark print a line \"Unit %s better=higher\" (or better=lower) before it runs",
				b.name, name, name)
		case -1:
			u.better = "higher"
		}
		assume := declared.Get(name, "assume")
		u.declared = assume != nil && assume.Value == "exact"
		if u.declared || name == "B/op" || name == "allocs/op" {
			b.other = append(b.other, u)
		} else {
			b.timed = append(b.timed, u)
		}
	}
	return nil
}

// rank puts the time first.
func rank(unit string) int {
	if unit == "sec/op" {
		return 0
	}
	return 1
}

// follows tells whether a unit is the time times or over a constant, to the digits that are printed.
func follows(name string, seen []map[string]float64) bool {
	if name == "sec/op" {
		return false
	}
	for _, power := range []float64{1, -1} {
		lo, hi := math.Inf(1), math.Inf(-1)
		shortest, longest := math.Inf(1), 0.0
		tolerance := 0.002
		for _, values := range seen {
			x, ok := values[name]
			if !ok {
				continue
			}
			sec := values["sec/op"]
			if !(x > 0 && sec > 0) {
				return false
			}
			if name == "B/s" { // printed in MB/s with two decimals
				tolerance = max(tolerance, 2*0.005e6/x)
			}
			k := x * math.Pow(sec, power)
			lo, hi = min(lo, k), max(hi, k)
			shortest, longest = min(shortest, sec), max(longest, sec)
		}
		if hi/lo-1 <= tolerance && longest/shortest-1 > 2*tolerance {
			return true
		}
	}
	return false
}
