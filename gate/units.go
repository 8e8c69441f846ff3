package gate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

// What package testing prints has a direction of its own, +1 where lower is better, which no declaration changes: a line that turns it would turn
// regressions into improvements. Units are tidied, as benchunit does: sec/op is ns/op, B/s is MB/s.
var testingUnits = map[string]float64{"sec/op": 1, "B/op": 1, "allocs/op": 1, "B/s": -1}

// smallestAllocation is the floor of the units that count allocations where runs differ: averages below one allocation an operation are
// remainders of a cost paid now and then (0, 0, 3, 0 B/op), which have no ratio.
var smallestAllocation = map[string]float64{"B/op": 8, "allocs/op": 1}

// Worse returns the direction of a tidied unit: +1 where lower is better, -1 where higher is, 0 where neither package testing nor a declaration tells.
func Worse(unit string, declared benchfmt.UnitMetadataMap) float64 {
	if worse, ok := testingUnits[unit]; ok {
		return worse
	}
	return -float64(declared.GetBetter(unit))
}

// UnitNotes says which units were left out, as the user asked or because they follow from the time, and which declarations are ignored: those that turn
// the direction of what package testing prints.
func UnitNotes(skipped, derived []string, declared benchfmt.UnitMetadataMap) []string {
	notes := []string{}
	if len(skipped) > 0 {
		notes = append(notes, "left out, as asked: "+strings.Join(skipped, ", "))
	}
	if len(derived) > 0 {
		notes = append(notes, strings.Join(derived, ", ")+": not judged, because it follows from the time")
	}
	for _, unit := range slices.Sorted(maps.Keys(testingUnits)) {
		if u := declared.Get(unit, "better"); u != nil && -float64(declared.GetBetter(unit)) != testingUnits[unit] {
			notes = append(notes, fmt.Sprintf("\"Unit %s better=%s\" is ignored: the direction of what package testing prints is fixed", u.OrigUnit, u.Value))
		}
	}
	return notes
}

// shortest is the smallest time that package testing prints, 1e-7 ns, less what rounding takes.
const shortest = 0.9e-16

// Unusable says why a value, as it is written, is no measurement that can be compared, with the remedy, or returns "".
func Unusable(x float64, written string) string {
	why := ""
	switch tidied, unit := benchunit.Tidy(x, written); {
	case unit == "sec/op" && tidied < shortest && tidied > -shortest:
		return fmt.Sprintf("%v %s is no time: let the benchmark do its work while its timer runs", x, written)
	case math.IsNaN(x) || math.IsInf(x, 0):
		why = "is not finite"
	case x < 0:
		why = "is negative, and has no ratio"
	default:
		return ""
	}
	return fmt.Sprintf("%v %s %s: report another figure, or leave the unit out with --skip-unit %s", x, written, why, written)
}

// Follows tells whether a tidied unit is the time times a constant, or a constant over the time where higher is better, in all runs, to the digits that
// are printed. If so it says the same as sec/op, once more. Each run has the values of one result line; worse is the unit's direction.
func Follows(unit string, worse float64, runs []map[string]float64) bool {
	if unit == "sec/op" {
		return false
	}
	for _, power := range []float64{1, -1} {
		if worse == power { // what rises with the time, and is better higher, says the contrary
			continue
		}
		lo, hi := math.Inf(1), math.Inf(-1)
		least, most := math.Inf(1), 0.0 // of the times
		tolerance := 0.002
		for _, values := range runs {
			x, ok := values[unit]
			if !ok {
				continue
			}
			sec := values["sec/op"]
			if !(x > 0 && sec > 0) {
				return false
			}
			if unit == "B/s" { // printed in MB/s with two decimals
				tolerance = max(tolerance, 2*0.005e6/x)
			}
			k := x * math.Pow(sec, power)
			lo, hi = min(lo, k), max(hi, k)
			least, most = min(least, sec), max(most, sec)
		}
		// Equal times show nothing, but of a unit that package testing makes of them.
		if hi/lo-1 <= tolerance && (unit == "B/s" && power == 1 || most/least-1 > 2*tolerance) {
			return true
		}
	}
	return false
}

// Tidied returns the set of units, each as it is written or tidied.
func Tidied(units []string) map[string]bool {
	set := map[string]bool{}
	for _, unit := range units {
		_, tidy := benchunit.Tidy(1, unit)
		set[tidy] = true
	}
	return set
}
