package gate

import "golang.org/x/perf/benchmath"

// Runs are the measurements of one row that does not rest on time, from independent processes of both sides: allocations, and units declared
// assume=exact.
type Runs struct {
	Row           // Name, Unit, Config, Better and place
	Declared bool // the unit is declared assume=exact
	Old, New []float64
}

// JudgeRuns judges rows as Compare does, in a family of their own: exactly where every run of a side agrees, else by test.
func JudgeRuns(rows []Runs, opt Options) ([]Row, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	var trials []*trial
	for _, r := range rows {
		t := &trial{row: r.Row, runs: [2][]float64{r.Old, r.New}, worse: 1, assume: benchmath.AssumeNothing}
		if r.Declared {
			t.assume = benchmath.AssumeExact
		}
		if r.Better == "higher" {
			t.worse = -1
		}
		if err := t.exactness(r.Declared); err != nil {
			return nil, err
		}
		trials = append(trials, t)
	}
	if err := decide(trials, opt); err != nil {
		return nil, err
	}
	judged := make([]Row, len(trials))
	for i, t := range trials {
		judged[i] = t.row
	}
	return judged, nil
}
