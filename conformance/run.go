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

// Factory makes the implementation to judge, afresh for every case.
type Factory func() op.Implementation

// Run judges the implementations that factory makes: one subtest an op, one a case. Ops that the implementation does not support are
// skipped tests with the reason, and failed ones under Profile. Run fails where not a single case was executed.
func Run(t *testing.T, factory Factory, opts ...Option) {
	t.Helper()
	c := configure(opts)
	cases, r, err := c.ready(factory)
	if err != nil {
		t.Fatal(err)
	}
	for len(cases) > 0 {
		n := 1
		for n < len(cases) && cases[n].op == cases[0].op {
			n++
		}
		runOp(t, c, factory, r, cases[:n])
		cases = cases[n:]
	}
	switch {
	case r.Cases == 0 && len(r.Skipped) == 0:
		t.Fatalf("%v: -run selects no case", ErrNothingJudged)
	case r.Cases == 0:
		t.Fatalf("%v: the implementation supports none of the selected cases", ErrNothingJudged)
	}
	t.Logf("%d cases, %d failed, %d unsupported; %d of %d clauses covered", r.Cases, r.Failed, r.Unsupported(), r.Clauses.Covered, r.Clauses.Total)
}

func runOp(t *testing.T, c *config, factory Factory, r *Report, cases []opCase) {
	name := cases[0].op
	t.Run(name, func(t *testing.T) {
		if !op.Offers(factory(), name) {
			err := op.Unsupported(name, "the implementation does not list it")
			for range cases {
				r.skip(name, err)
			}
			skipUnsupported(t, c, err)
			return
		}
		for _, s := range cases {
			t.Run(strings.TrimPrefix(s.ID, name+"/"), func(t *testing.T) {
				worst, err := c.judge(s, factory, r.Formats)
				if errors.Is(err, vector.ErrCorrupt) || errors.Is(err, ErrNothingJudged) {
					t.Fatal(err)
				}
				r.add(s, worst, err)
				switch {
				case errors.Is(err, errNotApplicable):
					t.Skip(err)
				case errors.Is(err, op.ErrUnsupported):
					skipUnsupported(t, c, err)
				case err != nil:
					t.Error(err)
				}
			})
		}
	})
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
	start := time.Now()
	for i, s := range cases {
		if c.ctx.Err() != nil {
			return nil, fmt.Errorf("%w: stopped after %d of %d cases: %w", ErrNothingJudged, i, len(cases), c.ctx.Err())
		}
		worst, err := c.judge(s, factory, r.Formats)
		if errors.Is(err, vector.ErrCorrupt) {
			return nil, fmt.Errorf("%w: %w", ErrNothingJudged, err)
		}
		if errors.Is(err, ErrNothingJudged) {
			return nil, err
		}
		r.add(s, worst, err)
		if c.progress != nil {
			c.progress(i+1, len(cases))
		}
	}
	r.Seconds = time.Since(start).Seconds()
	if r.Cases == 0 {
		return nil, fmt.Errorf("%w: the implementation supports none of the %d selected cases: %s", ErrNothingJudged, len(cases), r.Skipped[0].Reason)
	}
	return r, nil
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
	return cases, newReport(c, formats), nil
}

// judge judges one case, where it says something about the declared formats, with a limit and until the context is done: a kernel that does
// not return fails, and its goroutine is left behind. It returns the largest ratio of error to bound.
func (c *config) judge(o opCase, factory Factory, declared op.Formats) (worst float64, err error) {
	formats := o.Formats(declared)
	ts, err := o.tensorsIn(formats.Storage)
	if err != nil {
		return 0, err
	}
	if err := o.applies(ts, formats); err != nil {
		return 0, err
	}
	type outcome struct {
		worst float64
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		worst, err := execute(trace{opCase: o, tensors: ts, impl: factory()}, formats, c.once)
		done <- outcome{worst, err}
	}()
	timer := time.NewTimer(c.limit)
	defer timer.Stop()
	select {
	case v := <-done:
		return v.worst, v.err
	case <-timer.C:
		return 0, o.fail(0, clauseReturns, "did not return within %v (conformance.TimeLimit allows more)", c.limit)
	case <-c.ctx.Done():
		return 0, fmt.Errorf("%w: stopped in case %s: %w", ErrNothingJudged, o.ID, c.ctx.Err())
	}
}

// formatsOf returns the formats that the implementations declare.
func formatsOf(factory Factory) (op.Formats, error) {
	f := op.FormatsOf(factory())
	if err := errors.Join(f.Storage.Valid(), f.Accumulate.Valid()); err != nil {
		return f, fmt.Errorf("%w: declared formats: %w", ErrNothingJudged, err)
	}
	return f, nil
}
