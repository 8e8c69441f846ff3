package main

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
)

// choice is what -op and -case admit: everything, where neither is given.
type choice struct {
	ops   list // patterns of path.Match, as `assay check --op` has them
	cases list // ids
}

// list is a flag that may be repeated, and whose values may be separated by commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		if part == "" {
			return errors.New("want a name")
		}
		*l = append(*l, part)
	}
	return nil
}

func (c *choice) everything() bool { return len(c.ops)+len(c.cases) == 0 }

// of returns the families that are chosen: those whose op matches a pattern, and which have a case with one of the ids. A pattern or an id
// that chooses nothing is a mistake.
func (c *choice) of(all []family) ([]family, error) {
	fams, err := c.matching(all)
	if err != nil || len(c.cases) == 0 {
		return fams, err
	}
	var ids []string
	var chosen []family
	for _, f := range fams {
		has := false
		for _, t := range f.cases {
			id := f.op + "/" + t.name
			ids = append(ids, id)
			has = has || slices.Contains(c.cases, id)
		}
		if has {
			chosen = append(chosen, f)
		}
	}
	for _, id := range c.cases {
		if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("-case %s: no such case among the chosen ops: the nearest is %s", id, nearest(id, ids))
		}
	}
	return chosen, nil
}

// matching returns the families whose op matches one of the patterns.
func (c *choice) matching(all []family) ([]family, error) {
	names := make([]string, len(all))
	chosen := make([]bool, len(all))
	for i, f := range all {
		names[i], chosen[i] = f.op, len(c.ops) == 0
	}
	for _, pattern := range c.ops {
		matches := false
		for i, name := range names {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("-op %s: %w", pattern, err)
			}
			matches, chosen[i] = matches || ok, chosen[i] || ok
		}
		if !matches {
			return nil, fmt.Errorf("-op %s matches no op: the nearest is %s", pattern, nearest(strings.ReplaceAll(pattern, "*", ""), names))
		}
	}
	var fams []family
	for i, f := range all {
		if chosen[i] {
			fams = append(fams, f)
		}
	}
	return fams, nil
}

// nearest returns the name that takes the fewest edits to become word, the first of several.
func nearest(word string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return edits(a, word) - edits(b, word) })
}

// edits is the distance of Levenshtein: how many bytes must be put in, taken out or replaced to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // from what of a came so far to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// report says what became of cases: what is wanted of them, and the largest gauges, each over all stored elements of a result.
func report(c *vector.Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is admitted, compare %s\n", c.ID, c.Compare)
	for i, s := range c.Steps {
		if s.Error != "" {
			fmt.Fprintf(&b, "  step %d: an error about the %s\n", i, s.Error)
		}
		for n, results := range s.Results() {
			for _, e := range results {
				fmt.Fprintf(&b, "  step %d: %s\n", i, describe(&e))
			}
			if n < len(s.Or) {
				fmt.Fprintf(&b, "  step %d, or:\n", i)
			}
		}
	}
	return b.String()
}

func describe(e *vector.Expect) string {
	switch {
	case !e.Present():
		return e.Name + " is absent"
	case e.Integers():
		return fmt.Sprintf("%s %v: %d stored, wanted %d to %d", e.Name, e.Shape, len(e.Ints), slices.Min(e.Ints), slices.Max(e.Ints))
	}
	numbers := slices.DeleteFunc(slices.Clone(e.Want), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	text := fmt.Sprintf("%s %v: %d stored", e.Name, e.Shape, len(e.Want))
	if len(numbers) < len(e.Want) {
		text += fmt.Sprintf(", %d of them not finite", len(e.Want)-len(numbers))
	}
	if len(numbers) > 0 {
		text += fmt.Sprintf(", wanted %.6g to %.6g; gauges up to acc %.4g, in %.4g, eta %.4g",
			slices.Min(numbers), slices.Max(numbers), slices.Max(e.Acc), slices.Max(e.In), e.Eta)
	}
	return text
}
