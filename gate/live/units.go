package live

import (
	"fmt"
	"maps"
	"slices"

	"github.com/assaykit/assay/gate"
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
		u := unit{name: name, better: "lower", worse: gate.Worse(name, declared)}
		if gate.Follows(name, u.worse, seen) {
			if !slices.Contains(s.derived, name) {
				s.derived = append(s.derived, name)
			}
			continue
		}
		switch u.worse {
		case 0:
			return fmt.Errorf("%s: the unit %s has no direction: let the benchmark print a line \"Unit %s better=higher\" (or better=lower) before it runs, "+
				"or leave the unit out with --skip-unit %s", b.name, name, name, name)
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
