package benchmarks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

// expectation is what the results of one call must be.
type expectation []expected

// expected is what some elements of one result must be, and how far rounding may carry them. Of a result that is absent there are none.
type expected struct {
	index []int // flat
	want  estimate
	ints  []int64 // in place of want: all elements of a result of integers
}

// expect evaluates an op in float64 at a sample of its result's elements: all where there are few, otherwise a few rows, first and last
// among them, by some dozens of columns. context is nil or what filled the cache. The evaluation goes through the equations of package
// reference, and through no kernel.
func expect(spec op.Spec, context, src []op.Tensor, seed uint64) (expectation, error) {
	dst, err := op.Shapes(spec, src, op.F32)
	if err != nil {
		return nil, err
	}
	o := &oracle{context: context, wants: make([]estimate, len(dst)), ints: make([][]int64, len(dst))}
	for _, t := range dst {
		o.samples = append(o.samples, newSample(t.Shape, seed))
	}
	o.sample = o.samples[0]
	kernel, err := o.implementation().Open(spec)
	if err != nil {
		return nil, err
	}
	if err := kernel.Run(dst, src); err != nil {
		return nil, err
	}
	x := make(expectation, len(dst))
	for i, t := range dst {
		if !t.Present() {
			continue
		}
		x[i] = expected{want: o.wants[i], ints: o.ints[i]}
		for _, r := range o.samples[i].rows {
			for _, c := range o.samples[i].cols {
				x[i].index = append(x[i].index, r*o.samples[i].width+c)
			}
		}
		if len(x[i].want.Data) != len(x[i].index) && len(x[i].ints) != t.Len() {
			return nil, fmt.Errorf("%s: nothing is known of result %d", spec.Op, i)
		}
	}
	return x, nil
}

// lambda is the factor on a gauge, as in the conformance suite.
const lambda = 2

// check holds the results to the expectation:
//
//	|got - want| <= lambda (u + 2^-53) E
//
// where u is the roundoff of the formats that the implementation declares, and 2^-53 that of the expectation itself. Inputs of workloads
// are of the order of 1, so nothing underflows, and every element of a result must be finite, sampled or not. Integers must be equal.
func (x expectation) check(got []op.Tensor, f op.Formats) error {
	for i := range x {
		if err := x[i].check(got[i], f); err != nil {
			return fmt.Errorf("result %d: %w", i, err)
		}
	}
	return nil
}

func (x expected) check(got op.Tensor, f op.Formats) error {
	for i, want := range x.ints {
		if got.I64[i] != want {
			return fmt.Errorf("%w: element %d of %v: got %d, want %d", ErrWrong, i, got.Shape, got.I64[i], want)
		}
	}
	if x.ints != nil {
		return nil
	}
	u := max(f.Storage.UnitRoundoff(), f.Accumulate.UnitRoundoff())
	for i := range got.Len() {
		if v := got.At(i); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: element %d of %v is %v", ErrWrong, i, got.Shape, v)
		}
	}
	for n, i := range x.index {
		bound := lambda * (u + 0x1p-53) * x.want.e[n]
		if v, want := got.At(i), x.want.Data[n]; !(math.Abs(v-want) <= bound) {
			return fmt.Errorf("%w: element %d of %v: got %.9g, want %.9g, bound %.3g, ratio %.3g",
				ErrWrong, i, got.Shape, v, want, bound, math.Abs(v-want)/bound)
		}
	}
	return nil
}

// sample is a grid of elements: rows are vectors along the last axis, which has width elements.
type sample struct {
	rows, cols []int
	width      int
}

// The size of a sample. Where a result has at most sampleAll elements, they all are in it.
const (
	sampleAll  = 1024
	sampleRows = 6
	sampleCols = 48
)

func newSample(shape []int, seed uint64) sample {
	n, _ := op.Elements(shape)
	width := 1
	if len(shape) > 0 {
		width = shape[len(shape)-1]
	}
	s := sample{width: width}
	if n <= sampleAll {
		s.rows, s.cols = span(0, n/width), span(0, width)
		return s
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	s.rows, s.cols = choose(rng, n/width, sampleRows), choose(rng, width, sampleCols)
	return s
}

// choose returns count numbers below n, ascending, the first and the last among them.
func choose(rng *rand.Rand, n, count int) []int {
	if n <= count {
		return span(0, n)
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

// oracle is an implementation that evaluates the sample of a result in float64. It offers what workloads use, and refuses the rest.
type oracle struct {
	context []op.Tensor
	samples []sample // of each result
	sample  sample   // of the first
	wants   []estimate
	ints    [][]int64
}

func (o *oracle) implementation() op.Implementation {
	each := func(x op.Tensor, f func(estimate) estimate) error {
		return o.set(f(exact(x).gather(o.sample.rows, span(0, o.sample.width))))
	}
	return op.Set(slices.Concat([]op.Implementation{
		op.MatMul(func(a op.MatMulArgs) error {
			if a.TransposeA || a.TransposeB || len(a.C.Shape) != 2 {
				return op.Unsupported("matmul", "workloads multiply two matrices as they are")
			}
			return o.linear(a.A, a.B, op.Tensor{})
		}),
		op.Linear(func(a op.LinearArgs) error { return o.linear(a.X, a.W, a.B) }),
		op.Softmax(func(a op.SoftmaxArgs) error { return each(a.X, softmax) }),
		op.GELU(func(a op.GELUArgs) error {
			act := map[string]reference.Activation{"none": reference.ActGELU, "tanh": reference.ActGELUTanh}[a.Approximate]
			return each(a.X, func(x estimate) estimate { return x.activate(act) })
		}),
		op.LayerNorm(func(a op.LayerNormArgs) error {
			return each(a.X, func(x estimate) estimate { return x.layerNorm(floats(a.Gamma), floats(a.Beta), a.Eps) })
		}),
		op.Attention(o.attention),
		op.AttentionScores(o.attentionScores),
		op.AttentionCached(func(op.AttentionCachedArgs) (op.Runner[op.AttentionCachedArgs], error) {
			return runner[op.AttentionCachedArgs](o.attentionCached), nil
		}),
		op.MHA(o.mha),
		op.FFN(func(a op.FFNArgs) error {
			return o.set(feedForward(exact(a.X).gather(o.sample.rows, span(0, a.W1.Shape[0])), a.FFNInputs, o.sample.cols))
		}),
		op.Block(o.block),
		op.GPT(o.gpt),
		op.GPTLoss(o.gptLoss),
		op.GPTCached(func(op.GPTCachedArgs) (op.Runner[op.GPTCachedArgs], error) {
			return runner[op.GPTCachedArgs](o.gptCached), nil
		}),
		op.CrossEntropy(func(a op.CrossEntropyArgs) error { return o.loss(exact(a.Logits), a.Targets, a.CrossEntropyAttrs) }),
	}, o.gradients(), o.training(), o.decoding())...)
}

// set takes the first result: the sampled rows, with the sampled columns or all of them.
func (o *oracle) set(y estimate) error { return o.setResult(0, y) }

// setResult is set for any result.
func (o *oracle) setResult(i int, y estimate) error {
	if y.Cols == o.samples[i].width {
		y = y.gather(span(0, y.Rows), o.samples[i].cols)
	}
	o.wants[i] = y
	return nil
}

func floats(t op.Tensor) []float64 { return t.Convert(op.F64).F64 }

func (o *oracle) linear(x, w, b op.Tensor) error {
	return o.set(exact(x).gather(o.sample.rows, span(0, w.Shape[0])).linear(w, b, o.sample.cols))
}

func softmax(x estimate) estimate {
	y := newEstimate(x.Rows, x.Cols)
	var acc []float64
	for i := range x.Rows {
		copy(y.Row(i), reference.Softmax(x.Row(i)))
		acc = append(acc, gauge.Random.Softmax(x.Row(i)).Acc...)
	}
	return y.finish(acc)
}

func (o *oracle) loss(logits estimate, targets op.Tensor, a op.CrossEntropyAttrs) error {
	if a.Reduction != "mean" || slices.Contains(targets.I64, int64(a.IgnoreIndex)) {
		return op.Unsupported("cross_entropy", "workloads take the mean and ignore no target")
	}
	return o.set(logits.meanLoss(targets.I64))
}

// meanLoss returns the mean of the rows' cross-entropies.
func (x estimate) meanLoss(targets []int64) estimate {
	const ignoreNone = -1
	n := float64(x.Rows)
	losses, ts := make([]float64, x.Rows), make([]int, x.Rows)
	own, incoming := 0.0, 0.0
	for i := range ts {
		ts[i] = int(targets[i])
		row := x.Row(i)
		losses[i] = reference.CrossEntropy(row, ts[i])
		own += (gauge.Random.CrossEntropy(row, ts[i], nil).Acc[0] + math.Abs(losses[i])) / n // of one sign in all rows, at worst
		for j, p := range reference.Softmax(row) {                                           // dloss/dx_j = p_j - 1_jt
			if j == ts[i] {
				p--
			}
			e := p * x.e[i*x.Cols+j] / n
			incoming += e * e
		}
	}
	mean := newEstimate(1, 1)
	copy(mean.Data, reference.Reduce(losses, ts, ignoreNone, reference.ReduceMean))
	mean.e[0] = own*own + incoming
	return mean.finish(gauge.Random.Reduce(losses, ts, ignoreNone, reference.ReduceMean).Acc)
}
