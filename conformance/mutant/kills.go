package mutant

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/vector"
)

// Kills returns, for each case by its id, the ids of the mutants of its op that fail it, in the order of the catalogue. Ops without
// cases are left out.
func Kills(set *vector.Set) (map[string][]string, error) {
	mutants := slices.DeleteFunc(Catalogue(), func(m Mutant) bool {
		return !slices.ContainsFunc(set.Files, func(f *vector.File) bool { return f.Op == m.Op && len(f.Cases) > 0 })
	})
	reports := make([]*conformance.Report, len(mutants))
	errs := make([]error, len(mutants))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, m := range mutants {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if reports[i], errs[i] = conformance.Check(m.New, conformance.Vectors(set), conformance.Ops(m.Op)); errs[i] != nil {
				errs[i] = fmt.Errorf("mutant %s: %w", m.ID, errs[i])
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	kills := map[string][]string{}
	for i, r := range reports {
		for _, f := range r.Failures {
			kills[f.Case] = append(kills[f.Case], mutants[i].ID)
		}
	}
	return kills, nil
}
