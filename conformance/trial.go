package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/assaykit/assay/conformance/op"
)

// Factory makes the implementation to judge, afresh for every case.
type Factory func() op.Implementation

// trial judges the cases of one op, one after the other.
type trial struct {
	*config
	factory  Factory
	offered  bool    // the implementation lists the op
	report   *Report // of all ops
	hung     int     // cases in which a kernel did not return
	kept     keeper
	outcomes []outcome
}

// outcome is what judging a case came to: its largest ratio of error to bound, and what it ended with.
type outcome struct {
	opCase
	worst float64
	err   error
}

// mostHung is how many cases of an op a kernel may not return from before the op is given up: each costs the whole limit.
const mostHung = 2

func (c *config) trial(factory Factory, r *Report, name string) *trial {
	return &trial{config: c, factory: factory, offered: op.Offers(factory(), name), report: r}
}

// judge judges a case and returns what it ended with.
func (t *trial) judge(c opCase) error {
	worst, err := 0.0, errNotListed
	if t.offered {
		worst, err = t.attempt(c)
	}
	t.outcomes = append(t.outcomes, outcome{c, worst, err})
	return err
}

// end looks again at the buffers of the cases, and adds the cases to the report. It returns the failures of those that had passed until then.
func (t *trial) end() (late []*Failure) {
	for _, f := range t.kept.end() {
		for i := range t.outcomes {
			if o := &t.outcomes[i]; o.ID == f.Case && o.err == nil {
				o.err, late = f, append(late, f)
			}
		}
	}
	for _, o := range t.outcomes {
		t.report.add(o.opCase, o.worst, o.err)
	}
	return late
}

// attempt judges a case, where it says something about the declared formats, with a limit and until the context is done: a kernel that does
// not return fails, and its goroutine is left behind.
func (t *trial) attempt(o opCase) (worst float64, err error) {
	formats := o.Formats(t.report.Formats)
	ts, err := o.tensorsIn(formats.Storage)
	if err != nil {
		return 0, err
	}
	if err := o.applies(ts, formats); err != nil {
		return 0, err
	}
	if t.hung >= mostHung {
		return 0, fmt.Errorf("%w: in %d cases it did not return within %v", errGivenUp, t.hung, t.limit)
	}
	type verdict struct {
		worst float64
		err   error
		past  []arena
	}
	done := make(chan verdict, 1)
	var ended atomic.Bool
	defer ended.Store(true)
	go func() {
		var v verdict
		v.worst, v.err = execute(trace{opCase: o, tensors: ts, impl: t.factory(), past: &v.past, ended: &ended}, formats, t.seed, t.once)
		done <- v
	}()
	timer := time.NewTimer(t.limit)
	defer timer.Stop()
	select {
	case v := <-done:
		t.kept.keep(o, v.past)
		return v.worst, v.err
	case <-timer.C:
		t.hung++
		return 0, o.fail(0, clauseReturns, "did not return within %v (conformance.TimeLimit allows more)", t.limit)
	case <-t.ctx.Done():
		return 0, fmt.Errorf("%w: stopped in case %s: %w", ErrNothingJudged, o.ID, t.ctx.Err())
	}
}
