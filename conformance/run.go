package conformance

import (
	"errors"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Run judges the implementations that factory makes: one subtest an op, one a case. Ops that the implementation does not support are
// skipped tests with the reason, and failed ones under Profile. Run fails where not a single case was executed.
func Run(t *testing.T, factory Factory, opts ...Option) {
	t.Helper()
	c, err := configure(opts)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := c.selection()
	if err != nil {
		t.Fatal(err)
	}
	formats, err := formatsOf(factory)
	if err != nil {
		t.Fatal(err)
	}
	r := newReport(c, formats)
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

func runOp(t *testing.T, c *config, factory Factory, r *Report, cases []selected) {
	name := cases[0].op
	t.Run(name, func(t *testing.T) {
		if !op.Offers(factory(), name) {
			err := op.Unsupported(name, "the implementation does not list it")
			for range cases {
				r.skip(name, err)
			}
			unsupported(t, c, err)
			return
		}
		for _, s := range cases {
			t.Run(strings.TrimPrefix(s.ID, name+"/"), func(t *testing.T) {
				worst, err := s.judge(c, factory, r.Formats)
				if errors.Is(err, vector.ErrCorrupt) || errors.Is(err, ErrNothingJudged) {
					t.Fatal(err)
				}
				r.add(s, worst, err)
				switch {
				case errors.Is(err, errNotApplicable):
					t.Skip(err)
				case errors.Is(err, op.ErrUnsupported):
					unsupported(t, c, err)
				case err != nil:
					t.Error(err)
				}
			})
		}
	})
}

// unsupported skips the test, or fails it where a profile demands the op.
func unsupported(t *testing.T, c *config, err error) {
	t.Helper()
	if c.profile != "" {
		t.Fatalf("profile %s: %v", c.profile, err)
	}
	t.Skip(err)
}
