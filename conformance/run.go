package conformance

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Run judges the implementations that factory makes: one subtest an op, one a case. Ops that the implementation does not support are
// skipped tests with the reason, and failed ones under Profile. Run fails where not a single case was executed. It ends with a line that says
// how many cases were judged, of how many, and why others were not; go test shows it with -v, and where the test fails.
//
// Where the environment variable ASSAY_RECORD names a file, Run appends its record: see RecordVariable.
func Run(t *testing.T, factory Factory, opts ...Option) {
	t.Helper()
	c := configure(opts)
	cases, r, err := c.ready(factory)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r.Implementation = t.Name()
	j, err := openJournal(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, cases := range byOp(cases) {
		t.Run(cases[0].op, func(t *testing.T) { runOp(t, c.trial(factory, r, cases[0].op), cases, j) })
	}
	r.Seconds = time.Since(start).Seconds()
	switch {
	case r.Cases == 0 && len(r.Skipped) == 0:
		t.Errorf("%v: -run selects no case", ErrNothingJudged)
	case r.Cases == 0:
		t.Errorf("%v: the implementation supports none of the selected cases", ErrNothingJudged)
	case c.profile != "" && r.Unsupported() > 0:
		t.Errorf("profile %s is not complete: %d cases are unsupported\n%s", c.profile, r.Unsupported(), r.summary())
	default:
		t.Log(r.summary())
	}
	if err := j.end(c.vectors, r); err != nil {
		t.Error(err)
	}
}

func runOp(t *testing.T, trial *trial, cases []opCase, j *journal) {
	if !trial.offered {
		for _, s := range cases {
			_ = trial.judge(s)
		}
		trial.end()
		skipUnsupported(t, trial.config, errNotListed)
		return
	}
	for _, s := range cases {
		t.Run(strings.TrimPrefix(s.ID, s.op+"/"), func(t *testing.T) {
			j.enter(s.ID)
			switch err := trial.judge(s); {
			case errors.Is(err, errNotApplicable) || errors.Is(err, errGivenUp):
				t.Skip(err)
			case errors.Is(err, op.ErrUnsupported):
				skipUnsupported(t, trial.config, err)
			case err != nil:
				t.Error(err)
			}
		})
	}
	for _, late := range trial.end() {
		t.Error(late)
	}
}

// skipUnsupported skips the test, or fails it where a profile demands the op.
func skipUnsupported(t *testing.T, c *config, err error) {
	t.Helper()
	if c.profile != "" {
		t.Fatalf("profile %s: %v", c.profile, err)
	}
	t.Skip(err)
}

// Check judges the implementations that factory makes and returns what it found. The error is not nil where nothing was judged: the
// vectors are corrupt, no case was selected, or none of the selected could be executed. A failed case is in the report, not an error:
// see Report.Err.
func Check(factory Factory, opts ...Option) (*Report, error) {
	c := configure(opts)
	cases, r, err := c.ready(factory)
	if err != nil {
		return nil, err
	}
	start, done := time.Now(), 0
	for _, ofOp := range byOp(cases) {
		trial := c.trial(factory, r, ofOp[0].op)
		for _, s := range ofOp {
			if c.ctx.Err() != nil {
				return nil, fmt.Errorf("%w: stopped after %d of %d cases: %w", ErrNothingJudged, done, len(cases), c.ctx.Err())
			}
			err := trial.judge(s)
			if errors.Is(err, vector.ErrCorrupt) {
				return nil, fmt.Errorf("%w: %w", ErrNothingJudged, err)
			}
			if errors.Is(err, ErrNothingJudged) {
				return nil, err
			}
			if done++; c.progress != nil {
				c.progress(done, len(cases))
			}
		}
		trial.end()
	}
	r.Seconds = time.Since(start).Seconds()
	if r.Cases == 0 {
		return nil, fmt.Errorf("%w: the implementation supports none of the %d selected cases: %s", ErrNothingJudged, len(cases), r.Skipped[0].Reason)
	}
	return r, nil
}

// byOp splits cases where the op changes.
func byOp(cases []opCase) (groups [][]opCase) {
	for len(cases) > 0 {
		n := 1
		for n < len(cases) && cases[n].op == cases[0].op {
			n++
		}
		groups, cases = append(groups, cases[:n]), cases[n:]
	}
	return groups
}

// ready returns the cases to judge, and the report to count them in.
func (c *config) ready(factory Factory) ([]opCase, *Report, error) {
	cases, err := c.cases()
	if err != nil {
		return nil, nil, err
	}
	formats, err := formatsOf(factory)
	if err != nil {
		return nil, nil, err
	}
	return cases, newReport(c, formats, cases), nil
}

// formatsOf returns the formats that the implementations declare.
func formatsOf(factory Factory) (op.Formats, error) {
	f := op.FormatsOf(factory())
	if err := errors.Join(f.Storage.Valid(), f.Accumulate.Valid()); err != nil {
		return f, fmt.Errorf("%w: declared formats: %w", ErrNothingJudged, err)
	}
	return f, nil
}
