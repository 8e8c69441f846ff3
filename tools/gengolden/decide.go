package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/conformance/vector"
)

// The stability of decisions: a case is evaluated this often, with errors of this many bands (SPEC.md, A.11).
const (
	decisionRuns  = 32
	decisionBands = 10
)

// decidable reports a case in which rounding could decide: one whose tokens are not in all perturbed evaluations those of one of its lists
// of results; and one with a list that no evaluation gives. Exact cases are exempt, as are those without decisions between floats.
func decidable(c *vector.Case, opName string) error {
	if c.Compare == vector.Exact || !decides(c, opName) || c.Steps[0].Error == "attributes" {
		return nil
	}
	met := make([][]bool, len(c.Steps))
	for i := range c.Steps {
		met[i] = make([]bool, len(c.Steps[i].Or)+1)
	}
	const size = decisionBands * 2 * 0x1p-24
	for run := range decisionRuns {
		runSeed := seed(fmt.Sprintf("%s/decision/%d", c.ID, run))
		jitter, err := jitterLogits(c, opName, runSeed, size)
		if err != nil {
			return err
		}
		results, err := use(c, opName).Trace(refimpl.With(oracle.Random.Perturbed(runSeed, size)), jitter)
		if err != nil {
			return fmt.Errorf("perturbed evaluation: %w", err)
		}
		for i, result := range results {
			list := slices.IndexFunc(c.Steps[i].Results(), func(list []vector.Expect) bool { return sameDecisions(list, result) })
			if list < 0 && c.Steps[i].Error == "" {
				return fmt.Errorf("step %d: errors of %d bands change the tokens: move the inputs, or list the alternatives", i, decisionBands)
			}
			if list >= 0 {
				met[i][list] = true
			}
		}
	}
	for i, lists := range met {
		if n := slices.Index(lists, false); n >= 0 && len(lists) > 1 {
			return fmt.Errorf("step %d: no perturbed evaluation gives list %d of results: it is no alternative", i, n)
		}
	}
	return nil
}

// decides reports whether the case has results that floats decide.
func decides(c *vector.Case, opName string) bool {
	if opName == "distribution" {
		return true
	}
	floats := func(ins []vector.Input) bool {
		return slices.ContainsFunc(ins, func(in vector.Input) bool { return in.DType == op.F32 })
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		if slices.ContainsFunc(s.Dst, func(e vector.Expect) bool { return e.Integers() }) && (floats(c.Const) || floats(s.Src)) {
			return true
		}
	}
	return false
}

// sameDecisions reports whether results have the integers of a list, and the zeros of its floats.
func sameDecisions(list []vector.Expect, results []op.Tensor) bool {
	for j, e := range list {
		at := func(i int) int {
			if e.Sampled {
				return int(e.Index[i])
			}
			return i
		}
		for i, want := range e.Ints {
			if results[j].I64[at(i)] != want {
				return false
			}
		}
		for i, want := range e.Want {
			if (results[j].F64[at(i)] == 0) != (want == 0) {
				return false
			}
		}
	}
	return len(results) == len(list)
}

// jitterLogits returns what puts into the logits of the ops that choose from rows the errors that a distribution's probabilities have:
// size T (3 |x - m| / T + eps + c(V) + 3), A.11. Other ops have theirs from their perturbed functions.
func jitterLogits(c *vector.Case, opName string, runSeed uint64, size float64) (func(op.Tensor) op.Tensor, error) {
	if opName != "distribution" && opName != "sample" {
		return func(t op.Tensor) op.Tensor { return t }, nil
	}
	a := op.SamplingAttrs{Temperature: 1, TopP: 1}
	if err := json.Unmarshal(c.Attrs, &a); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(runSeed, 1))
	return func(t op.Tensor) op.Tensor {
		if t.DType != op.F64 {
			return t
		}
		out := op.New(op.F64, t.Shape...)
		vocab := t.Shape[1]
		for i, x := range t.F64 {
			m := slices.Max(t.F64[i/vocab*vocab : (i/vocab+1)*vocab])
			out.F64[i] = x
			if e := size * (3*(m-x) + a.Temperature*oracle.Random.Elementary(vocab)) * rng.NormFloat64(); !math.IsNaN(e) && !math.IsInf(e, 0) {
				out.F64[i] += e
			}
		}
		return out
	}, nil
}
