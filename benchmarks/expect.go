package benchmarks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
)

// probesFor returns how many vectors of errors estimate the bound of a composite that costs so many operations: as many as usual, but few of
// a large one, whose elements are many and whose bound is at least half of its row's median.
func probesFor(flops float64) int { return int(min(max(1e10/flops, 4), oracle.Probes)) }

// expectation is what the results of one call must be: a sample of each.
type expectation []oracle.Sample

// expect evaluates an op in float64 at a sample of its results' elements: all where there are few, otherwise a few rows, first and last
// among them, by some dozens of columns. context is nil or what filled the cache. The evaluation goes through the equations of package
// reference, and through no kernel.
func expect(spec op.Spec, context, src []op.Tensor, seed uint64, probes int) (expectation, error) {
	dst, err := op.Shapes(spec, src, op.F32)
	if err != nil {
		return nil, err
	}
	wanted := make([][]int, len(dst))
	for i, t := range dst {
		if t.Present() {
			wanted[i] = sample(t.Shape, seed)
		}
	}
	use := oracle.Once(spec, src)
	if context != nil {
		use.Steps = append([]oracle.Step{{Src: context}}, use.Steps...)
	}
	return oracle.Random.Sample(use, wanted, probes, oracle.Acc)
}

// check holds the results to the expectation, within the bound of the formats that the implementation declares. What is wanted has been
// rounded in float64. Every element of a result of floats must be finite, sampled or not. Integers must be equal.
func (x expectation) check(got []op.Tensor, f op.Formats) error {
	from := op.Origin{Inputs: op.Float32Format, Roundoff: op.Float64Format.UnitRoundoff()}
	for i, s := range x {
		for n, want := range s.Ints {
			if v := got[i].I64[s.Index[n]]; v != want {
				return fmt.Errorf("%w: result %d, element %d of %v: got %d, want %d", ErrWrong, i, s.Index[n], got[i].Shape, v, want)
			}
		}
		for j := range got[i].Len() {
			if v := got[i].At(j); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%w: result %d, element %d of %v is %v", ErrWrong, i, j, got[i].Shape, v)
			}
		}
		for n, want := range s.Want {
			bound := f.Bound(want, op.Gauge{Acc: s.Gauges.Acc[n]}, from)
			if v := got[i].At(s.Index[n]); !(math.Abs(v-want) <= bound) {
				return fmt.Errorf("%w: result %d, element %d of %v: got %.9g, want %.9g, bound %.3g, ratio %.3g",
					ErrWrong, i, s.Index[n], got[i].Shape, v, want, bound, math.Abs(v-want)/bound)
			}
		}
	}
	return nil
}

// The size of a sample. Where a result has at most sampleAll elements, they all are in it.
const (
	sampleAll  = 1024
	sampleRows = 6
	sampleCols = 48
)

// sample returns the flat positions of a sample of a result: rows along its last axis, by columns.
func sample(shape []int, seed uint64) []int {
	n, _ := op.Elements(shape)
	width := 1
	if len(shape) > 0 {
		width = shape[len(shape)-1]
	}
	rows, cols := n/width, width
	if n > sampleAll {
		rows, cols = sampleRows, sampleCols
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	chosen, columns := choose(rng, n/width, rows), choose(rng, width, cols)
	var at []int
	for _, r := range chosen {
		for _, c := range columns {
			at = append(at, r*width+c)
		}
	}
	return at
}

// choose returns count numbers below n, ascending, the first and the last among them.
func choose(rng *rand.Rand, n, count int) []int {
	if n <= count {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	chosen := []int{0, n - 1}
	for len(chosen) < count {
		if i := rng.IntN(n); !slices.Contains(chosen, i) {
			chosen = append(chosen, i)
		}
	}
	slices.Sort(chosen)
	return chosen
}
