package main

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
	"github.com/assaykit/assay/reference"
)

// answer is an implementation that computes nothing.
type answer func(dst, src []op.Tensor)

func (a answer) Open(op.Spec) (op.Kernel, error) { return a, nil }

func (a answer) Run(dst, src []op.Tensor) error {
	a(dst, src)
	return nil
}

// set gives every element of every destination the value of f.
func set(dst []op.Tensor, f func(i int) float64) {
	for _, t := range dst {
		for i := range t.F32 {
			t.F32[i] = float32(f(i))
		}
		for i := range t.F64 {
			t.F64[i] = f(i)
		}
		for i := range t.I64 {
			t.I64[i] = int64(f(i)) // of a NaN, whatever it is
		}
	}
}

// trivial are the answers that no flag may let through.
var trivial = map[string]conformance.Factory{
	"zeros": func() op.Implementation {
		return answer(func(dst, _ []op.Tensor) { set(dst, func(int) float64 { return 0 }) })
	},
	"NaN": func() op.Implementation {
		return answer(func(dst, _ []op.Tensor) { set(dst, func(int) float64 { return math.NaN() }) })
	},
	"a copy of the first source": func() op.Implementation {
		return answer(func(dst, src []op.Tensor) {
			set(dst, func(i int) float64 { return src[0].At(i % max(1, src[0].Len())) })
		})
	},
	"a copy of the last source": func() op.Implementation { // of a gradient, the upstream one
		return answer(func(dst, src []op.Tensor) {
			last := src[len(src)-1]
			set(dst, func(i int) float64 { return last.At(i % max(1, last.Len())) })
		})
	},
}

// Each flag must be carried by cases that, together, no trivial answer passes: then they can fail.
func TestEveryFlagFailsTrivialAnswers(t *testing.T) {
	survivors(t, trivial, "*")
}

func TestFlagsOfAttentionFailUniformAttention(t *testing.T) {
	uniform := reference.Exact
	unbiased := func(mask reference.Mask) reference.Mask {
		mask.Bias = slices.Clone(mask.Bias)
		for i, b := range mask.Bias {
			if !math.IsInf(b, -1) {
				mask.Bias[i] = 0
			}
		}
		return mask
	}
	zeros := func(m reference.Matrix) reference.Matrix { return reference.NewMatrix(m.Rows, m.Cols) }
	uniform.Attention = func(q, k, v reference.Matrix, _ float64, mask reference.Mask) reference.Matrix {
		return reference.Attention(zeros(q), zeros(k), v, 1, unbiased(mask))
	}
	uniform.AttentionGrad = func(q, k, v, do reference.Matrix, _ float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
		return reference.AttentionGrad(zeros(q), zeros(k), v, do, 1, unbiased(mask))
	}
	uniform.AttentionScores = func(q, k reference.Matrix, _ float64, mask reference.Mask, stage reference.Stage) reference.Matrix {
		return reference.AttentionScores(zeros(q), zeros(k), 1, unbiased(mask), stage)
	}
	impl := map[string]conformance.Factory{"uniform attention": func() op.Implementation { return refimpl.With(uniform) }}
	survivors(t, impl, "attention*")
}

// survivors reports the flags, of the ops that match, all of whose cases an implementation passes.
func survivors(t *testing.T, impls map[string]conformance.Factory, pattern string) {
	t.Helper()
	vectors, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, factory := range impls {
		report, err := conformance.Check(factory, conformance.Ops(pattern))
		if err != nil {
			t.Fatal(err)
		}
		failed := map[string]bool{}
		for _, f := range report.Failures {
			failed[f.Case] = true
		}
		for _, f := range vectors.Files {
			if !strings.HasPrefix(f.Op, strings.TrimSuffix(pattern, "*")) {
				continue
			}
			for _, flag := range f.Flags {
				if !slices.ContainsFunc(f.Cases, func(c *vector.Case) bool {
					return slices.Contains(c.Flags, flag.Name) && failed[c.ID]
				}) {
					t.Errorf("%s: flag %s: %s passes every case", f.Op, flag.Name, name)
				}
			}
		}
	}
}
