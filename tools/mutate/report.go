package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// entry is a mutant that no test can notice.
type entry struct {
	site
	Reason string `json:"reason"`
}

func decodeEquivalent(data []byte) ([]entry, error) {
	var entries []entry
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&entries); err != nil {
		return nil, fmt.Errorf("equivalent.json: %w", err)
	}
	seen := map[site]bool{}
	for i, e := range entries {
		if e.Nth == 0 {
			entries[i].Nth = 1
		}
		if e.Reason == "" || seen[entries[i].site] {
			return nil, fmt.Errorf("equivalent.json: entry %d (%s %s): want a reason, and one entry a mutant", i, e.Func, e.Code)
		}
		seen[entries[i].site] = true
	}
	return entries, nil
}

// stale returns the entries that match no mutant.
func stale(entries []entry, mutants []mutant) []site {
	known := map[site]bool{}
	for _, m := range mutants {
		known[m.site()] = true
	}
	var out []site
	for _, e := range entries {
		if !known[e.site] {
			out = append(out, e.site)
		}
	}
	return out
}

// verdict is what became of a mutant. One that has a reason to survive must.
type verdict struct {
	mutant
	KilledBy string `json:"killed_by,omitempty"`
	Reason   string `json:"equivalent,omitempty"`
}

func (v verdict) survived() bool { return v.KilledBy == "" && v.Reason == "" }
func (v verdict) denied() bool   { return v.KilledBy != "" && v.Reason != "" }

// report is the result of a run.
type report struct {
	Total    int       `json:"total"` // mutants that there are
	Verdicts []verdict `json:"verdicts"`
	Stale    []site    `json:"stale"` // entries of equivalent.json that match nothing
}

func (r *report) good() bool {
	return len(r.Stale) == 0 && !slices.ContainsFunc(r.Verdicts, func(v verdict) bool { return v.survived() || v.denied() })
}

// print writes a table of the files and then what is wrong.
func (r *report) print(w io.Writer) error {
	type tally struct{ mutants, killed, equivalent, survived int }
	files := map[string]*tally{}
	total := new(tally)
	killers := map[string]int{}
	for _, v := range r.Verdicts {
		if files[v.File] == nil {
			files[v.File] = new(tally)
		}
		for _, t := range []*tally{files[v.File], total} {
			t.mutants++
			switch {
			case v.KilledBy != "":
				t.killed++
			case v.Reason != "":
				t.equivalent++
			default:
				t.survived++
			}
		}
		if v.KilledBy != "" {
			killers[v.KilledBy]++
		}
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "file\tmutants\tkilled\tequivalent\tsurvived\t")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t\n", name, f.mutants, f.killed, f.equivalent, f.survived)
	}
	fmt.Fprintf(t, "all\t%d\t%d\t%d\t%d\t\n", total.mutants, total.killed, total.equivalent, total.survived)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d of %d mutants judged; %d tests killed at least one\n", len(r.Verdicts), r.Total, len(killers))
	for _, v := range r.Verdicts {
		switch {
		case v.survived():
			fmt.Fprintf(w, "survived: %s\n", v.mutant)
		case v.denied():
			fmt.Fprintf(w, "listed as equivalent, but killed by %s: %s\n", v.KilledBy, v.mutant)
		}
	}
	for _, s := range r.Stale {
		fmt.Fprintf(w, "listed as equivalent, but not there: %s %s: %s: %s (%d)\n", s.File, s.Func, s.Code, s.Change, s.Nth)
	}
	return nil
}
