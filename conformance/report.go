package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Report is what Check found.
type Report struct {
	Implementation string     `json:"implementation"`    // set by the caller, who knows its name
	Repeat         string     `json:"-"`                 // the command that made the report, to print with --case beside a failure; may be empty
	Profile        string     `json:"profile,omitempty"` // that was demanded
	Formats        op.Formats `json:"formats"`
	Vectors        string     `json:"vectors,omitempty"` // vector.Set's Digest, in the record of a Run
	Seed           uint64     `json:"seed"`              // of the numbers that are not the vectors': see Seed
	Cases          int        `json:"cases"`             // executed
	Of             int        `json:"of"`                // of so many selected ones of the ops of which one was executed
	Passed         int        `json:"passed"`
	Failed         int        `json:"failed"`
	Skipped        []Skip     `json:"skipped"`    // ops, or some of their cases, that the implementation does not support
	Worst          []Worst    `json:"worst"`      // per op, the largest ratio of error to bound among passed cases
	EndToEnd       []Worst    `json:"end_to_end"` // the passed cases that run a whole model on real text
	Ops            Coverage   `json:"ops"`        // the selected ops, and those of which a case was executed
	Clauses        Coverage   `json:"clauses"`
	Failures       []*Failure `json:"failures"`
	Seconds        float64    `json:"seconds"`

	buffers    []string       // the clauses of BUF that each case is held to
	narrowed   bool           // to some ops or cases, so that what they do not cover says nothing
	cases      map[string]int // selected, of each op
	allClauses []string
	covered    map[string]bool
}

// Skip says what was not judged, and why.
type Skip struct {
	Op     string `json:"op"`
	Reason string `json:"reason"`
	Cases  int    `json:"cases"`
	Of     int    `json:"of"` // cases of the op
	// NotApplicable: the cases say nothing about the declared formats. They are no gap of the implementation.
	NotApplicable bool `json:"not_applicable,omitempty"`
	// GivenUp: the kernel did not return from other cases of the op, and these were left out.
	GivenUp bool `json:"given_up,omitempty"`
	// NotListed: the implementation does not list the op. That is a gap only where a profile demands the op.
	NotListed bool `json:"not_listed,omitempty"`
}

func (s Skip) unsupported() bool { return !s.NotApplicable && !s.GivenUp }

// String says it in a line.
func (s Skip) String() string {
	kind := "UNSUPPORTED"
	switch {
	case s.NotApplicable:
		kind = "NOT JUDGED"
	case s.GivenUp:
		kind = "GIVEN UP"
	}
	return fmt.Sprintf("%s %s: %d of %d cases: %s", kind, s.Op, s.Cases, s.Of, s.Reason)
}

// Worst is the case of an op that came closest to its bound, of those that passed. Exact cases, whose bound is one ulp, and integers are
// not counted here.
type Worst struct {
	Op    string `json:"op"`
	Case  string `json:"case,omitempty"` // empty where no case with a bound passed
	Ratio Number `json:"ratio"`
	Exact bool   `json:"exact,omitempty"` // no case of the op has a bound

	cases   int // of the op, executed
	clauses []string
}

// endToEnd is the flag of the cases that run a whole model on real text.
const endToEnd = "opticks"

// Coverage counts the ops, or the clauses of SPEC.md, that at least one executed case covers.
type Coverage struct {
	Total   int      `json:"total"`
	Covered int      `json:"covered"`
	Missing []string `json:"missing"`
}

// newReport returns a report on nothing yet.
func newReport(c *config, f op.Formats, cases []opCase) *Report {
	buffers := bufferClauses
	if c.once {
		buffers = slices.DeleteFunc(slices.Clone(buffers), func(id string) bool { return id == clauseReplay || id == clauseConcurrent })
	}
	selected := map[string]int{}
	for _, o := range cases {
		selected[o.op]++
	}
	r := &Report{Profile: c.profile, Formats: f, Seed: c.seed, cases: selected, buffers: buffers, narrowed: c.narrowed(), allClauses: c.vectors.Manifest.Clauses,
		covered: map[string]bool{}, Skipped: []Skip{}, Worst: []Worst{}, EndToEnd: []Worst{}, Failures: []*Failure{}}
	r.tally()
	return r
}

// add counts a case that was executed, or was to be: its largest ratio of error to bound, and what it ended with.
func (r *Report) add(c opCase, worst float64, err error) {
	if errors.Is(err, op.ErrUnsupported) || errors.Is(err, errNotApplicable) || errors.Is(err, errGivenUp) {
		r.skip(c.op, err)
		return
	}
	r.Cases++
	var f *Failure
	switch {
	case err == nil:
		r.Passed++
	default:
		if !errors.As(err, &f) {
			f = &Failure{Case: c.ID, Clauses: c.Clauses, Detail: err.Error()}
		}
		r.Failed++
		r.Failures = append(r.Failures, f)
	}
	i := slices.IndexFunc(r.Worst, func(w Worst) bool { return w.Op == c.op })
	if i < 0 {
		i = len(r.Worst)
		r.Worst = append(r.Worst, Worst{Op: c.op, Exact: true})
	}
	w := &r.Worst[i]
	w.cases++
	if bounded(c.Case) {
		if w.Exact = false; err == nil && (w.Case == "" || worst > float64(w.Ratio)) {
			w.Case, w.Ratio = c.ID, Number(worst)
		}
	}
	if err == nil && slices.Contains(c.Flags, endToEnd) {
		r.EndToEnd = append(r.EndToEnd, Worst{Op: c.op, Case: c.ID, Ratio: Number(worst)})
	}
	for _, clause := range append(slices.Clone(c.Clauses), r.buffers...) {
		if !slices.Contains(w.clauses, clause) && !slices.Contains(bufferClauses, clause) {
			w.clauses = append(w.clauses, clause)
		}
		r.covered[clause] = true
	}
	r.tally()
}

// tally counts what the executed cases cover.
func (r *Report) tally() {
	executed := func(name string) bool {
		return slices.ContainsFunc(r.Worst, func(w Worst) bool { return w.Op == name })
	}
	r.Ops = coverage(slices.Sorted(maps.Keys(r.cases)), executed)
	r.Clauses = coverage(r.allClauses, func(clause string) bool { return r.covered[clause] })
	r.Of = 0
	for _, w := range r.Worst {
		r.Of += r.cases[w.Op]
	}
}

// coverage counts which of all are covered.
func coverage(all []string, covered func(string) bool) Coverage {
	missing := slices.DeleteFunc(slices.Clone(all), covered)
	return Coverage{Total: len(all), Covered: len(all) - len(missing), Missing: append([]string{}, missing...)}
}

// bounded reports whether results of the case are judged by a bound.
func bounded(c *vector.Case) bool {
	return c.Compare == vector.Bound && slices.ContainsFunc(c.Steps, func(s vector.Step) bool {
		return slices.ContainsFunc(s.Dst, func(e vector.Expect) bool { return !e.Integers() && len(e.Want) > 0 })
	})
}

func (r *Report) skip(name string, err error) {
	reason := strings.TrimPrefix(err.Error(), name+": ")
	reason = strings.TrimPrefix(reason, op.ErrUnsupported.Error()+": ")
	for i := range r.Skipped {
		if r.Skipped[i].Op == name && r.Skipped[i].Reason == reason {
			r.Skipped[i].Cases++
			return
		}
	}
	r.Skipped = append(r.Skipped, Skip{Op: name, Reason: reason, Cases: 1, Of: r.cases[name], NotApplicable: errors.Is(err, errNotApplicable),
		GivenUp: errors.Is(err, errGivenUp), NotListed: errors.Is(err, errNotListed)})
}

// Unsupported returns how many selected cases the implementation does not support.
func (r *Report) Unsupported() int {
	n := 0
	for _, s := range r.Skipped {
		if s.unsupported() {
			n += s.Cases
		}
	}
	return n
}

// Err returns nil where every executed case passed, and an error that names the failures otherwise.
func (r *Report) Err() error {
	var errs []error
	for _, f := range r.Failures {
		errs = append(errs, f)
	}
	if r.Failed > 0 && len(errs) == 0 {
		return fmt.Errorf("%d cases failed", r.Failed)
	}
	return errors.Join(errs...)
}

// Verdict says in a line how the implementation came out, and of how much that was judged.
func (r *Report) Verdict() string {
	verdict := "PASS"
	switch {
	case r.Failed > 0:
		verdict = "FAIL"
	case slices.ContainsFunc(r.Skipped, func(s Skip) bool { return s.unsupported() && (r.Profile != "" || !s.NotListed) }):
		verdict = "INCOMPLETE"
	}
	return fmt.Sprintf("%s %s (%s, accumulating %s): %d of %d cases judged, %d failed; %d of %d ops, %d of %d clauses; %.1f s", verdict, r.Implementation,
		r.Formats.Storage, r.Formats.Accumulate, r.Cases, r.Of, r.Failed, r.Ops.Covered, r.Ops.Total, r.Clauses.Covered, r.Clauses.Total, r.Seconds)
}

// summary is the verdict, and a line for each reason why cases of the ops that the implementation lists were not judged.
func (r *Report) summary() string {
	lines := []string{r.Verdict()}
	for _, s := range r.Skipped {
		if !s.NotListed {
			lines = append(lines, s.String())
		}
	}
	return strings.Join(lines, "\n")
}
