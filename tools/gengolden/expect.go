package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/vector"
)

// finish computes the results of a case and their gauges, and admits it or says why it cannot be judged.
func (t *testCase) finish(opName string) (*vector.Case, error) {
	if t.prepare != nil {
		if err := t.prepare(t); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", opName, t.name, err)
		}
	}
	c, err := t.build(opName)
	if err != nil {
		return nil, err
	}
	for i := range t.results {
		c.Steps[i].Dst = t.results[i]
	}
	if t.results == nil {
		if err := t.evaluate(c, opName); err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	if err := t.alternatives(c, opName); err != nil {
		return nil, fmt.Errorf("%s: alternative %w", c.ID, err)
	}
	if !t.settled {
		if err := decidable(c, opName); err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	for i, s := range c.Steps {
		for _, e := range slices.Concat(s.Results()...) {
			if err := admit(c, &e); err != nil {
				return nil, fmt.Errorf("%s: step %d: %s: %w", c.ID, i, e.Name, err)
			}
		}
	}
	return c, nil
}

// alternatives adds the results that the changes of the case give. One that gives those of another is a mistake.
func (t *testCase) alternatives(c *vector.Case, opName string) error {
	for n, change := range t.or {
		other := *t
		other.or, other.settled, other.attrs = nil, true, attrs{}
		maps.Copy(other.attrs, t.attrs)
		maps.Copy(other.attrs, change.attrs)
		if change.src != nil {
			other.src = maps.Clone(t.src)
			maps.Copy(other.src, change.src)
		}
		oc, err := other.finish(opName)
		if err != nil {
			return fmt.Errorf("%d: %w", n, err)
		}
		for i := range c.Steps {
			for _, list := range c.Steps[i].Results() {
				if reflect.DeepEqual(list, oc.Steps[i].Dst) {
					return fmt.Errorf("%d, step %d: has the results of another", n, i)
				}
			}
			c.Steps[i].Or = append(c.Steps[i].Or, oc.Steps[i].Dst)
		}
	}
	return nil
}

func (t *testCase) evaluate(c *vector.Case, opName string) error {
	results, gauges, err := wanted(c, opName)
	if err != nil {
		return err
	}
	names, err := op.Arguments(opName)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(a op.Argument) bool { return a.Role != op.Dst })
	n := 0
	for i, step := range results {
		for j, result := range step {
			var g oracle.Gauges
			if gauges != nil {
				g = gauges[n]
			}
			samples := t.samples
			if result.Len() <= cmp.Or(t.whole, fullBelow) {
				samples = nil
			}
			e, err := expectation(names[j].Name, result, g, samples)
			if err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			c.Steps[i].Dst = append(c.Steps[i].Dst, e)
			n++
		}
		if err := vanish(c, c.Steps[i].Dst); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// wanted returns the results of each step, and the gauges of all of them in order: nil where the case is not judged by them.
func wanted(c *vector.Case, opName string) (results [][]op.Tensor, gauges []oracle.Gauges, err error) {
	if c.Compare != vector.Bound {
		results, err = exactly(c, opName)
		return results, nil, err
	}
	model := oracle.Random
	if slices.Contains(c.Flags, biasedSum) {
		model = oracle.Biased
	}
	results, gauges, err = model.Measured(use(c, opName), seed(c.ID))
	for _, g := range gauges {
		for j := range g.Acc {
			g.Acc[j] *= unit(c)
		}
	}
	return results, gauges, err
}

// unit is how many roundoffs of the format that a case prescribes make one of float32, in which package gauge counts; 1 where it
// prescribes none.
func unit(c *vector.Case) float64 {
	return op.Float32Format.UnitRoundoff() / judged(c).Accumulate.UnitRoundoff()
}

// judged returns the formats in which a case is admitted.
func judged(c *vector.Case) op.Formats {
	return c.Formats(op.Formats{Storage: op.Float32Format, Accumulate: op.Float32Format})
}

// expectation joins a result with its gauges, reduced to the sampled positions where there are samples. Results that are not finite are
// judged by their kind, so they have no gauge.
func expectation(name string, result op.Tensor, g oracle.Gauges, samples func(shape []int) []int64) (vector.Expect, error) {
	e := vector.Expect{Name: name, Shape: result.Shape}
	if !result.Present() {
		return e, nil
	}
	if e.Shape == nil {
		e.Shape = []int{}
	}
	at := make([]int64, result.Len())
	for i := range at {
		at[i] = int64(i)
	}
	if samples != nil {
		at = samples(result.Shape)
		e.Sampled, e.Index = true, at
	}
	if result.DType == op.I64 {
		e.Type, e.Ints = result.DType.String(), make([]int64, len(at))
		for i, from := range at {
			e.Ints[i] = result.I64[from]
		}
		return e, nil
	}
	e.Want, e.Acc, e.In = make([]float64, len(at)), make([]float64, len(at)), make([]float64, len(at))
	for i, from := range at {
		e.Want[i] = result.F64[from]
		if g.Acc == nil || math.IsNaN(e.Want[i]) || math.IsInf(e.Want[i], 0) {
			continue
		}
		// Gauges are stored in float32. Where one is beyond it, so is the result, and an infinity is accepted.
		e.Acc[i], e.In[i], e.Eta = min(g.Acc[from], math.MaxFloat32), min(g.In[from], math.MaxFloat32), max(e.Eta, roundUp(g.Eta[from]))
		if sum := e.Acc[i] + e.In[i] + g.Eta[from]; math.IsNaN(sum) || math.IsInf(sum, 0) {
			return e, fmt.Errorf("%s[%d] = %v: its gauges are %v, %v and %v", name, from, e.Want[i], e.Acc[i], e.In[i], e.Eta)
		}
	}
	return e, nil
}

// roundUp returns the next number with eight significant bits: eta is part of the text of a case, which must be the same on platforms
// whose elementary functions differ in the last place.
func roundUp(x float64) float64 {
	fraction, exponent := math.Frexp(x)
	return math.Ldexp(math.Ceil(fraction*256), exponent-8)
}

// admission is the largest bound, beside the root mean square of the row, that a case may have: beyond it a bound would accept trivial
// answers.
const admission = 0.1

// admit reports why a result cannot be judged by its bounds in float32. Rows along the last axis stand for themselves; a row whose finite
// elements are all 0 is one that no rounding reaches (a query without visible keys), and is admitted.
func admit(c *vector.Case, e *vector.Expect) error {
	if c.Compare != vector.Bound {
		return nil
	}
	cols := int64(1)
	if n := len(e.Shape); n > 0 {
		cols = int64(e.Shape[n-1])
	}
	row := func(i int) int64 {
		if e.Sampled {
			return e.Index[i] / cols
		}
		return int64(i) / cols
	}
	for lo := 0; lo < len(e.Want); {
		hi := lo
		for hi < len(e.Want) && row(hi) == row(lo) {
			hi++
		}
		if err := admitRow(e, judged(c), lo, hi); err != nil {
			return fmt.Errorf("row %d: %w", row(lo), err)
		}
		lo = hi
	}
	return nil
}

func admitRow(e *vector.Expect, formats op.Formats, lo, hi int) error {
	rms := rootMeanSquare(e.Want[lo:hi])
	if rms == 0 {
		return nil
	}
	for i := lo; i < hi; i++ {
		if w, b := e.Want[i], bound(e, formats, i); !math.IsNaN(w) && !math.IsInf(w, 0) && b > admission*rms {
			return fmt.Errorf("element %d: the bound %.3g is more than %v of the row's root mean square %.3g: change the inputs, or compare finite",
				i, b, admission, rms)
		}
	}
	return nil
}

// bound is that of stored element i.
func bound(e *vector.Expect, formats op.Formats, i int) float64 {
	return formats.Bound(e.Want[i], op.Gauge{Acc: e.Acc[i], Eta: e.Eta}, op.Stored)
}

// rootMeanSquare is that of the finite elements of x; 0 where there is none.
func rootMeanSquare(x []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range x {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum += v * v
			n++
		}
	}
	return math.Sqrt(sum / float64(max(n, 1)))
}
