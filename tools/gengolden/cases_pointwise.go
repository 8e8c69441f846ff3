package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

func logSoftmaxFamily() family {
	f := family{op: "log_softmax", flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: rows one shorter than, as long as and one longer than a block"},
		{Name: "rows", Bug: "the maximum or the sum is taken over the whole tensor, or over the wrong axis"},
		{Name: "no-max", Bug: "the maximum is not subtracted before anything is added: log S + m absorbs what distinguishes the elements"},
		{Name: "wide", Bug: "the logarithm of softmax: -Inf or noise where the weight underflows"},
		{Name: "denominator", Bug: "a constant is added to the sum"},
		{Name: "specials", Bug: "-Inf, +Inf and NaN: sentinels in their place, a maximum that skips NaN, a clamped logarithm"},
		{Name: biasedSum, Bug: "a sum over many terms drifts more than its length explains"},
	}}
	f.cases = append(distributionCases("SM-6", "SM-6", "SM-7", "SM-7"), []testCase{
		{
			name: "single", comment: "One element gives exactly 0, whatever it is.", clauses: "SM-6", flags: "denominator", compare: vector.Exact,
			src: args{"x": floats([]float64{0, -3, 1e4, -1e30, 1e-40}, 5, 1)},
		},
		{
			name: "dominant", comment: "One element is ahead by more than 110: 0 for it, the difference for the others, all integers.",
			clauses: "SM-6", flags: "denominator wide",
			compare: vector.Exact, src: args{"x": whole(-20, 20, 3, 7).set(160, 0, 10, 20)},
		},
	}...)
	return f
}

func reluFamily() family {
	f := family{op: "relu", flags: []vector.Flag{
		{Name: "specials", Bug: "NaN becomes 0: a comparison in place of the maximum", See: "x > 0 ? x : 0"},
		{Name: "edges", Bug: "a kernel's remainder loop"},
		{Name: "sign", Bug: "the identity, the absolute value, or a leak for negative elements"},
	}}
	for _, n := range []int{1, 7, 16, 33, 65} {
		f.cases = append(f.cases, testCase{
			name: fmt.Sprintf("n-%d", n), comment: fmt.Sprintf("%d elements of both signs.", n), clauses: "ACT-1", flags: "edges sign",
			compare: vector.Exact, src: args{"x": normal(2, n)},
		})
	}
	f.cases = append(f.cases, testCase{
		name: "axes", comment: "Three axes.", clauses: "ACT-1", flags: "sign", compare: vector.Exact, src: args{"x": normal(1, 2, 3, 5)},
	}, testCase{
		name: "specials", comment: "NaN stays, -Inf and -0 give 0, +Inf stays.", clauses: "ACT-1", flags: "specials", compare: vector.Exact,
		src: args{"x": floats([]float64{nan, -inf, inf, math.Copysign(0, -1), 0, 1, -1, nan}, 8)},
	}, testCase{
		name: "range", comment: "The largest numbers and subnormals of both signs.", clauses: "ACT-1", flags: "sign", compare: vector.Exact,
		src: args{"x": floats([]float64{math.MaxFloat32, -math.MaxFloat32, 0x1p-126, -0x1p-126, 1e30, -1e30, 0x1p-100}, 7)},
	})
	return f
}

func geluFamily() family {
	f := family{op: "gelu", flags: []vector.Flag{
		{Name: "wrong-form", Bug: "the tanh approximation for the erf form, the erf form for the tanh approximation, or x * sigmoid(1.702 x) for either"},
		{Name: "tails", Bug: "far from 0 the function does not go over into 0 and x, or x^3 overflows"},
		{Name: "near-zero", Bug: "small elements lose their relative accuracy"},
		{Name: "specials", Bug: "-Inf gives NaN, -Inf * 0", See: "x * 0.5 * (1 + erf(x / sqrt 2))"},
		{Name: "edges", Bug: "a kernel's remainder loop"},
	}}
	for _, form := range []struct{ approximate, clause, other string }{{"none", "ACT-2", "tanh"}, {"tanh", "ACT-3", "erf"}} {
		add := func(name, comment, flags string, x draw) {
			a := attrs{"approximate": form.approximate}
			if name == "default" {
				a = nil
			}
			f.cases = append(f.cases, testCase{
				name: form.approximate + "-" + name, comment: comment, clauses: form.clause + " ACT-4", flags: flags, attrs: a,
				src: args{"x": x},
			})
		}
		for _, n := range []int{1, 9, 17, 64} {
			x := uniform(-3, 3, n)
			if n == 1 {
				x = floats([]float64{-0.75}, 1)
			}
			add(fmt.Sprintf("n-%d", n), fmt.Sprintf("%d elements.", n), "edges wrong-form", x)
		}
		add("grid", "From -4 to 4, where the two forms differ most.", "wrong-form",
			each(func(_ *source, i int) float64 { return float64(i-32) / 8 }, 65))
		add("axes", "Three axes.", "wrong-form", normal(1.5, 2, 3, 5))
		add("negative-tail", "From -6 down to -12, beside elements of size 1.", "tails", each(func(_ *source, i int) float64 {
			return []float64{-6, -7.5, -9, -12, -1, 1}[i]
		}, 6))
		add("positive-tail", "From 4 to 1e4: the identity, nearly.", "tails",
			each(func(_ *source, i int) float64 { return []float64{4, 5.5, 8, 20, 300, 1e4}[i] }, 6))
		add("huge", "Elements whose cube overflows float32.", "tails", floats([]float64{1e13, -1e13, 1e30, -1e30, 3e38, -3e38}, 3, 2))
		add("small", "Elements from 1e-2 to 1e-30, one scale a row.", "near-zero", normal(1, 5, 4).mapped(func(i int, x float64) float64 {
			return math.Ldexp(x, []int{-7, -17, -33, -66, -99}[i/4])
		}))
		add("specials", "-Inf, +Inf, NaN and zeros.", "specials", floats([]float64{-inf, inf, nan, 0, math.Copysign(0, -1), 1, -1}, 7))
		if form.approximate == "none" {
			add("default", "Without the attribute, the erf form.", "wrong-form", uniform(-3, 3, 12))
		}
	}
	return f
}
