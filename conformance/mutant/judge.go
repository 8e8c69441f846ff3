package mutant

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"sync"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/vector"
)

// Outcome is what a set of vectors made of one mutant.
type Outcome struct {
	ID       string   `json:"id"`
	Op       string   `json:"op"`
	Clause   string   `json:"clause"`
	Bug      string   `json:"bug"`
	KilledBy []string `json:"killed_by"` // the cases that it fails; none: it survives
}

// Judge runs each mutant whose op matches one of the patterns, or every mutant where there are none, on the cases of its op, until ctx
// is done. progress, if not nil, is called after each mutant.
func Judge(ctx context.Context, set *vector.Set, patterns []string, progress func(done, total int)) ([]Outcome, error) {
	var mutants []Mutant
	for _, m := range Catalogue() {
		ok := len(patterns) == 0
		for _, p := range patterns {
			match, err := path.Match(p, m.Op)
			if err != nil {
				return nil, fmt.Errorf("%w: op pattern %q: %w", conformance.ErrNothingJudged, p, err)
			}
			ok = ok || match
		}
		if ok {
			mutants = append(mutants, m)
		}
	}
	if len(mutants) == 0 {
		return nil, fmt.Errorf("%w: no mutant's op matches %q", conformance.ErrNothingJudged, patterns)
	}
	outcomes, errs := make([]Outcome, len(mutants)), make([]error, len(mutants))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i, m := range mutants {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			outcomes[i], errs[i] = m.judge(ctx, set)
			mu.Lock()
			defer mu.Unlock()
			if done++; progress != nil {
				progress(done, len(mutants))
			}
		})
	}
	wg.Wait()
	return outcomes, errors.Join(errs...)
}

func (m Mutant) judge(ctx context.Context, set *vector.Set) (Outcome, error) {
	o := Outcome{ID: m.ID, Op: m.Op, Clause: m.Clause, Bug: m.Bug, KilledBy: []string{}}
	r, err := conformance.Check(m.New, append(m.Options(), conformance.Vectors(set), conformance.Ops(m.Op), conformance.Context(ctx))...)
	if err != nil {
		return o, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	for _, f := range r.Failures {
		o.KilledBy = append(o.KilledBy, f.Case)
	}
	return o, nil
}
