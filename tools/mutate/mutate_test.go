package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

const toy = "testdata/toy"

// toyMutants are all mutants of the toy. Its tests do not notice those that begin with a dash.
const toyMutants = `
  var start: 3 - offset: times 1.001
  Sum: len(xs) == 0: == to !=
  Sum: 0: 0 to 1
  Sum: start: negated
  Sum: len(xs): one round fewer
  Sum: !(xs[i] > 0 && xs[i] <= limit): ! removed
  Sum: xs[i] > 0 && xs[i] <= limit: && to ||
- Sum: xs[i] > 0: > to >=
  Sum: xs[i] > 0: > to <=
  Sum: 0: 0 to 1
  Sum: xs[i] <= limit: <= to <
  Sum: xs[i] <= limit: <= to >
  Sum: continue: removed
  Sum: total += xs[i] * 2: += to -=
  Sum: xs[i] * 2: * to /
  Sum: 2: times 1.001
  Sum: -total: - removed
- Count: 1: 1 more
  Count: 1: 1 to 0
  Count: x%2 != 0 || x == -7: || to &&
  Count: x%2 != 0: != to ==
  Count: x%2: % to /
  Count: 2: 1 more
  Count: 0: 0 to 1
  Count: x == -7: == to !=
- Count: -7: 1 more
  Count: n[0]++: ++ to --
  Count: 0: 0 to 1
  Count: min(n[0], 3): min to max
  Count: 0: 0 to 1
- Count: 3: 1 more
  Angle: math.Sin(x) * [...]float64{0: 2}[0]: negated
  Angle: math.Sin(x) * [...]float64{0: 2}[0]: * to /
  Angle: math.Sin(x): math.Sin to math.Cos
  Angle: 2: times 1.001
  Angle: 0: 0 to 1
`

func TestToy(t *testing.T) {
	mutants, files, err := find(toy)
	if err != nil {
		t.Fatal(err)
	}
	units, err := prepare("../..", files, []string{"tools/mutate/" + toy}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r := tally(mutants, units, nil, io.Discard)
	var got strings.Builder
	for _, v := range r.Verdicts {
		mark := " "
		if v.survived() {
			mark = "-"
		}
		fmt.Fprintf(&got, "%s %s: %s: %s\n", mark, v.Func, v.Code, v.Change)
	}
	if want := toyMutants[1:]; got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if r.good() {
		t.Error("a run with survivors counts as good")
	}

	// With every survivor listed the run is good, until one more entry is killed, or matches nothing.
	var entries []entry
	for _, v := range r.Verdicts {
		if v.survived() {
			entries = append(entries, entry{v.site(), "the toy's tests are few"})
		}
	}
	survivors := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool {
		return !slices.ContainsFunc(entries, func(e entry) bool { return e.site == m.site() })
	})
	if r = tally(survivors, units, entries, io.Discard); !r.good() {
		t.Error("a run whose survivors are listed counts as bad")
	}
	killed := entry{mutants[0].site(), "wrong"}
	if r = tally(mutants[:1], units, []entry{killed}, io.Discard); r.good() {
		t.Error("an entry that is killed counts as good")
	}
	killed.Code = "no such code"
	r.Verdicts = nil
	if r.Stale = stale([]entry{killed}, mutants); r.good() {
		t.Error("an entry that matches nothing counts as good")
	}
	var text bytes.Buffer
	if err := r.print(&text); err != nil || !strings.Contains(text.String(), "no such code") {
		t.Errorf("the report does not name the stale entry (error %v):\n%s", err, text.String())
	}
}

func TestEquivalentJSON(t *testing.T) {
	if _, err := decodeEquivalent(equivalentJSON); err != nil {
		t.Error(err)
	}
	for name, data := range map[string]string{
		"no reason":  `[{"file":"a.go","func":"F","code":"0","change":"0 to 1"}]`,
		"twice":      `[{"file":"a.go","func":"F","code":"0","change":"0 to 1","reason":"r"},{"file":"a.go","func":"F","code":"0","change":"0 to 1","nth":1,"reason":"r"}]`,
		"misspelled": `[{"file":"a.go","function":"F","code":"0","change":"0 to 1","reason":"r"}]`,
	} {
		if _, err := decodeEquivalent([]byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestChooseIsSeeded(t *testing.T) {
	var all []mutant
	for i := range 100 {
		all = append(all, mutant{ID: i})
	}
	a, b, other := choose(all, 10, 1), choose(all, 10, 1), choose(all, 10, 2)
	if len(a) != 10 || !slices.Equal(a, b) || slices.Equal(a, other) {
		t.Errorf("got %v, %v and, with another seed, %v", a, b, other)
	}
	if len(choose(all, 0, 1)) != 100 || len(choose(all, 200, 1)) != 100 {
		t.Error("all are not all")
	}
}
