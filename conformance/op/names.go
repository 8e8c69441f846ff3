package op

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Suggest returns what an error about an unknown name ends with: the names most like it, or, where none is, all that there are, of many how
// many they are.
func Suggest(name string, known []string) string {
	const many = 80
	if near := nearest(name, known); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	if len(known) == 0 {
		return "there is none"
	}
	if len(known) > many {
		return fmt.Sprintf("there are %d", len(known))
	}
	return "want one of " + strings.Join(known, ", ")
}

// nearest returns up to three of the known names that are like a name, closest first: no more than a third of it would have to change, or it
// is a part of them.
func nearest(name string, known []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= third(name) || len(name) >= 4 && strings.Contains(k, name) {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range near[:min(3, len(near))] {
		names = append(names, c.name)
	}
	return names
}

// third is a third of a name's length: of five letters two, so that two of them may change places.
func third(name string) int { return (len(name) + 1) / 3 }

// distance is Levenshtein's: how many bytes must be inserted, deleted or replaced to make b of a. Lengths that differ by more than a third
// are as far apart as they differ, which spares the work.
func distance(a, b string) int {
	if d := max(len(a)-len(b), len(b)-len(a)); d > third(a) {
		return d
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
