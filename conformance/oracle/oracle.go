package oracle

import (
	"errors"
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// Use is one use of an op: one Open, and the Runs that follow.
type Use struct {
	Spec  op.Spec
	Steps []Step
	live  func(n int) []int // of a piece of a larger use, the queries that matter in the n-th call of attention; nil: all
}

// Step is one Run.
type Step struct {
	Src   []op.Tensor
	Fails error // the sentinel of package op that its error must wrap; nil where it must succeed
}

// Once is the use of an op that is a function.
func Once(spec op.Spec, src []op.Tensor) Use { return Use{Spec: spec, Steps: []Step{{Src: src}}} }

// Trace runs a use on an implementation in float64 and returns the results of each step, none for one that must fail. Every input passes
// through each.
func (u Use) Trace(impl op.Implementation, each func(op.Tensor) op.Tensor) ([][]op.Tensor, error) {
	through := func(ts []op.Tensor) []op.Tensor {
		out := make([]op.Tensor, len(ts))
		for i, t := range ts {
			out[i] = each(t.Convert(op.F64))
		}
		return out
	}
	spec := u.Spec
	spec.Const = through(u.Spec.Const)
	results := make([][]op.Tensor, len(u.Steps))
	kernel, err := impl.Open(spec)
	switch {
	case err != nil && len(u.Steps) > 0 && u.Steps[0].Fails != nil && errors.Is(err, u.Steps[0].Fails):
		return results, nil
	case err != nil:
		return nil, err
	}
	for i, s := range u.Steps {
		src := through(s.Src)
		dst, err := op.Shapes(spec, src, op.F64)
		if err == nil {
			err = kernel.Run(dst, src)
		}
		switch {
		case s.Fails == nil && err != nil:
			return nil, fmt.Errorf("step %d: %w", i, err)
		case s.Fails != nil && !errors.Is(err, s.Fails):
			return nil, fmt.Errorf("step %d: want an error that says %q, got %v", i, s.Fails, err)
		case s.Fails == nil:
			results[i] = dst
		}
	}
	return results, nil
}

// evaluation computes the results of all steps, one after the other, with the reference.
func (u Use) evaluation(f reference.Primitives, each func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
	steps, err := u.Trace(refimpl.With(u.thin(f)), each)
	return flat(steps), err
}

// Measured returns the results of a use, step by step, and the gauges of all of them in order, which are measured where the op is a composite:
// see MonteCarlo. Seed is that of its perturbations.
func (m Model) Measured(u Use, seed uint64) (results [][]op.Tensor, gauges []Gauges, err error) {
	row, err := op.Lookup(u.Spec.Op)
	if err != nil {
		return nil, nil, err
	}
	if !row.Composite {
		return m.derive(u)
	}
	if gauges, err = m.MonteCarlo(seed, u.evaluation); err != nil {
		return nil, nil, err
	}
	results, err = u.Trace(refimpl.New(), keep)
	return results, gauges, err
}

// Evaluate returns the results of a use, step by step, and the gauges of all of them in order, which are propagated where the op is a
// composite: see Propagate, also for the number of probes.
func (m Model) Evaluate(u Use, probes int, kinds ...Kind) (results [][]op.Tensor, gauges []Gauges, err error) {
	row, err := op.Lookup(u.Spec.Op)
	if err != nil {
		return nil, nil, err
	}
	if !row.Composite {
		return m.derive(u)
	}
	var steps [][]op.Tensor
	_, gauges, err = m.Propagate(func(f reference.Primitives, each func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		var err error
		if steps, err = u.Trace(refimpl.With(u.thin(f)), each); results == nil {
			results = steps
		}
		return flat(steps), err
	}, probes, kinds...)
	return results, gauges, err
}

func (m Model) derive(u Use) (results [][]op.Tensor, gauges []Gauges, err error) {
	all, gauges, err := m.Derive(func(f reference.Primitives, each func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		var err error
		results, err = u.Trace(refimpl.With(u.thin(f)), each)
		return flat(results), err
	})
	for i := range results {
		all = all[copy(results[i], all):]
	}
	return results, gauges, err
}

func flat(steps [][]op.Tensor) []op.Tensor {
	var all []op.Tensor
	for _, results := range steps {
		all = append(all, results...)
	}
	return all
}
