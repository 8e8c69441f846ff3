package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// match returns a trial for each row that both sources have, and fills in r.Added and r.Removed.
func (in *input) match(r *Report) ([]*trial, error) {
	switch {
	case len(in.order) > 0:
	case in.opt.Bench != nil:
		return nil, refuse("no benchmark of %s or %s matches %q: widen the pattern", in.names[0], in.names[1], in.opt.Bench)
	default:
		return nil, refuse("%s and %s have no units but %s, which are left out: nothing is left to judge", in.names[0], in.names[1], strings.Join(in.opt.SkipUnits, ", "))
	}
	var common []*cell
	var lone [2][]*cell
	for _, c := range in.order {
		switch {
		case len(c.runs[0]) == 0:
			lone[1] = append(lone[1], c)
			r.Added = append(r.Added, c.String())
		case len(c.runs[1]) == 0:
			lone[0] = append(lone[0], c)
			r.Removed = append(r.Removed, c.String())
		default:
			common = append(common, c)
		}
	}
	if err := in.sameMachine(lone); err != nil {
		return nil, err
	}
	if len(common) == 0 {
		return nil, refuse("%s and %s have no benchmark in common: one has %s, the other %s: names must agree, with the -GOMAXPROCS at their end",
			in.names[0], in.names[1], example(r.Removed), example(r.Added))
	}
	if len(r.Removed) > 0 && !in.opt.AllowRemoved {
		return nil, refuse("%s has %d rows that %s lacks: %s: run them, or allow removed benchmarks",
			in.names[0], len(r.Removed), in.names[1], example(r.Removed))
	}
	common = slices.DeleteFunc(common, in.follows)
	tables := map[string]int{}
	rank := func(c *cell) int {
		table := strings.Join(c.values, "\n") + "\n" + c.unit
		if _, ok := tables[table]; !ok {
			tables[table] = len(tables)
		}
		return tables[table]
	}
	for _, c := range common {
		rank(c)
	}
	slices.SortStableFunc(common, func(a, b *cell) int { return cmp.Compare(rank(a), rank(b)) })
	var trials []*trial
	for _, c := range common {
		t, err := in.trial(c)
		if err != nil {
			return nil, err
		}
		trials = append(trials, t)
	}
	return trials, in.distinct(trials, common)
}

// follows tells whether a row that both sources have says the same as the benchmark's time, which they have too, and takes note of it.
func (in *input) follows(c *cell) bool {
	key := c.cellKey
	key.unit = "sec/op"
	time := in.cells[key]
	var runs []map[string]float64
	for s := range c.runs {
		if time == nil || len(time.runs[s]) != len(c.runs[s]) {
			return false
		}
		for i, x := range c.runs[s] {
			runs = append(runs, map[string]float64{"sec/op": time.runs[s][i], c.unit: x})
		}
	}
	if !Follows(c.unit, Worse(c.unit, in.format.Units()), runs) {
		return false
	}
	if !slices.Contains(in.derived, c.written) {
		in.derived = append(in.derived, c.written)
	}
	return true
}

// sameMachine refuses a row that both sources have, but from different machines.
func (in *input) sameMachine(lone [2][]*cell) error {
	removed := map[[3]string]*cell{}
	for _, c := range lone[0] {
		removed[c.identity()] = c
	}
	for _, c := range lone[1] {
		old := removed[c.identity()]
		if old == nil {
			continue
		}
		for i, key := range configKeys {
			if old.values[i] != c.values[i] {
				return refuse("%s: %s is %q in %s and %q in %s: measure both on one machine", c, key, old.values[i], in.names[0], c.values[i], in.names[1])
			}
		}
	}
	return nil
}

// trial declares how a row is judged: its direction, and whether exactly.
func (in *input) trial(c *cell) (*trial, error) {
	units := in.format.Units()
	t := &trial{runs: c.runs, assume: units.GetAssumption(c.unit), worse: Worse(c.unit, units)}
	t.row = Row{Name: c.name, Unit: c.unit, Config: map[string]string{}, Better: "lower"}
	switch t.worse {
	case 0:
		return nil, refuse("%s: the unit has no direction: add the line \"Unit %s better=higher\" (or better=lower) to %s or %s, or leave the unit out with --skip-unit %s",
			c, c.written, in.names[0], in.names[1], c.written)
	case -1:
		t.row.Better = "higher"
	}
	for i, key := range configKeys {
		if c.values[i] != "" {
			t.row.Config[key] = c.values[i]
		}
	}
	if c.unusable != "" {
		t.row.Verdict, t.row.Reason = Inconclusive, c.unusable
		return t, nil
	}
	assume := units.Get(c.unit, "assume")
	return t, t.exactness(assume != nil && assume.Value == "exact")
}

// distinct refuses one set of measurements given as both sources: the gate could not have fired. Rows that do not vary prove nothing.
func (in *input) distinct(trials []*trial, cells []*cell) error {
	varies := false
	for i, c := range cells {
		if trials[i].row.Exact || c.unusable != "" {
			continue
		}
		if !slices.Equal(c.runs[0], c.runs[1]) || !slices.Equal(c.iters[0], c.iters[1]) {
			return nil
		}
		varies = varies || !isConstant(c.runs[0])
	}
	if varies {
		return refuse("%s and %s hold the same measurements: one is a copy of the other: measure again", in.names[0], in.names[1])
	}
	return nil
}

// notes says what was left out, and names the traces of a file that was cut off between two lines.
func (in *input) notes() []string {
	notes := UnitNotes(in.opt.SkipUnits, in.derived, in.format.Units())
	for s, name := range in.names {
		if pkgs := in.framing[s].unended; len(pkgs) > 0 { // a filtered file has no PASS either
			notes = append(notes, fmt.Sprintf("%s: the output of %s has no PASS: was the file cut off?", name, pkgs[len(pkgs)-1]))
		}
		if in.framing[s].headless {
			notes = append(notes, name+": results before PASS have no line that begins with pkg: was the file cut off at its start?")
		}
	}
	return append(notes, in.uneven()...)
}

// uneven notes that not all rows have as many runs.
func (in *input) uneven() []string {
	var notes []string
	for s, name := range in.names {
		var present []*cell
		for _, c := range in.order {
			if len(c.runs[s]) > 0 {
				present = append(present, c)
			}
		}
		byRuns := func(a, b *cell) int { return cmp.Compare(len(a.runs[s]), len(b.runs[s])) }
		few, many := slices.MinFunc(present, byRuns), slices.MaxFunc(present, byRuns)
		if n, m := len(few.runs[s]), len(many.runs[s]); n < m {
			notes = append(notes, fmt.Sprintf("%s: %s has %d runs, %s has %d: was the file cut off?", name, few, n, many, m))
		}
	}
	for _, c := range in.order {
		if n, m := len(c.runs[0]), len(c.runs[1]); len(notes) == 0 && n*m > 0 && n != m {
			notes = append(notes, fmt.Sprintf("%s has %d runs in %s, %d in %s", c, n, in.names[0], m, in.names[1]))
		}
	}
	return notes
}

func isConstant(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return v != x[0] })
}

// example lists the first few of names.
func example(names []string) string {
	const few = 5
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > few:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
