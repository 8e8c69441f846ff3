package mutant_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/mutant"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// answer is an implementation that computes nothing.
type answer struct {
	name    string
	ops     string // the ops that it is an answer to, separated by spaces; "" for all
	applies func(c *vector.Case) bool
	run     func(spec op.Spec) func(dst, src []op.Tensor) error
}

func (a answer) Open(spec op.Spec) (op.Kernel, error) { return kernel(a.run(spec)), nil }

type kernel func(dst, src []op.Tensor) error

func (k kernel) Run(dst, src []op.Tensor) error { return k(dst, src) }

// filled answers with f(i) at each position i of every result.
func filled(f func(src []op.Tensor, i int) float32) func(op.Spec) func(dst, src []op.Tensor) error {
	return func(op.Spec) func(dst, src []op.Tensor) error {
		return func(dst, src []op.Tensor) error {
			for _, t := range dst {
				for i := range t.F32 {
					t.F32[i] = f(src, i)
				}
				for i := range t.I64 {
					t.I64[i] = int64(f(src, i)) // of a NaN, whatever it is
				}
			}
			return nil
		}
	}
}

// valid reports whether the case has a step that must succeed.
func valid(c *vector.Case) bool {
	return slices.ContainsFunc(c.Steps, func(s vector.Step) bool { return s.Error == "" })
}

var answers = []answer{
	{"zeros", "", nil, filled(func([]op.Tensor, int) float32 { return 0 })},
	{"NaN", "", nil, filled(func([]op.Tensor, int) float32 { return float32(math.NaN()) })},
	{"the first input", "", nil, filled(func(src []op.Tensor, i int) float32 { return float32(src[0].At(i % max(1, src[0].Len()))) })},
	{"the last input", "", nil, filled(func(src []op.Tensor, i int) float32 {
		last := src[len(src)-1]
		return float32(last.At(i % max(1, last.Len())))
	})},
	{"the first constant", "linear layernorm rmsnorm embedding learned_positions mha ffn swiglu block gpt gpt.loss gpt.cached " +
		"linear.grad layernorm.grad rmsnorm.grad embedding.grad mha.grad ffn.grad swiglu.grad block.grad gpt.loss.grad", nil,
		func(spec op.Spec) func(dst, src []op.Tensor) error {
			return filled(func(_ []op.Tensor, i int) float32 { return spec.Const[0].F32[i%spec.Const[0].Len()] })(spec)
		}},
	{"an error", "", valid, func(op.Spec) func(dst, src []op.Tensor) error {
		return func(_, _ []op.Tensor) error { return errors.New("no") }
	}},
	{"uniform attention", "attention attention.cached", nil, func(op.Spec) func(dst, src []op.Tensor) error { return meanOfValues }},
	{"the previous step", "attention.cached gpt.cached", func(c *vector.Case) bool { return len(c.Steps) > 1 }, previousStep},
}

// meanOfValues answers each query with the mean of the values of its head.
func meanOfValues(dst, src []op.Tensor) error {
	out, v := dst[0], src[2]
	heads, kvHeads, seqK, valueDim := out.Shape[1], v.Shape[1], v.Shape[2], v.Shape[3]
	for i := range out.F32 {
		column, head := i%valueDim, i/(valueDim*out.Shape[2])
		group := head/heads*kvHeads + head%heads*kvHeads/heads
		var sum float32
		for j := range seqK {
			sum += v.F32[(group*seqK+j)*valueDim+column]
		}
		out.F32[i] = sum / float32(seqK)
	}
	return nil
}

// previousStep answers the first step correctly and every other with the result of the one before.
func previousStep(spec op.Spec) func(dst, src []op.Tensor) error {
	k, err := mutant.Variants()[0].New().Open(spec)
	var previous []float32
	return func(dst, src []op.Tensor) error {
		if err != nil {
			return err
		}
		if runErr := k.Run(dst, src); runErr != nil {
			return runErr
		}
		out := dst[0].F32
		result := slices.Clone(out)
		for i := range out {
			if len(previous) > 0 {
				out[i] = previous[i%len(previous)]
			}
		}
		previous = result
		return nil
	}
}

// Every group of cases with one flag fails every trivial answer: a flag that a trivial answer passes traps nothing.
func TestTrivialAnswersFail(t *testing.T) {
	set := load(t)
	for _, f := range set.Files {
		t.Run(f.Op, func(t *testing.T) {
			t.Parallel()
			for _, a := range answers {
				if a.ops != "" && !slices.Contains(strings.Fields(a.ops), f.Op) {
					continue
				}
				if a.applies == nil {
					a.applies = func(*vector.Case) bool { return true }
				}
				for _, flag := range passing(t, set, f, a) {
					t.Errorf("the cases flagged %s pass %s", flag, a.name)
				}
			}
		})
	}
}

// passing returns the flags none of whose cases fails an answer. Cases of which every flag is known to fail are not run.
func passing(t *testing.T, set *vector.Set, f *vector.File, a answer) []string {
	var flags []string
	fails := map[string]bool{}
	for _, c := range f.Cases {
		if !a.applies(c) || !slices.ContainsFunc(c.Flags, func(flag string) bool { return !fails[flag] }) {
			continue
		}
		r, err := conformance.Check(func() op.Implementation { return a }, conformance.Vectors(set), conformance.Cases(c.ID), conformance.Once())
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range c.Flags {
			flags, fails[flag] = append(flags, flag), fails[flag] || r.Failed > 0
		}
	}
	slices.Sort(flags)
	return slices.DeleteFunc(slices.Compact(flags), func(flag string) bool { return fails[flag] })
}
