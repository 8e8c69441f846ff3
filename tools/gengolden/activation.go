package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("relu", reluFamily)

func reluFamily() family {
	f := family{flags: []vector.Flag{
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

var _ = register("relu.grad", reluGradFamily)

func reluGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag,
		{Name: "zero", Bug: "the gradient at 0 or -0 is 1 or 1/2"},
		{Name: "specials", Bug: "NaN of x is lost, or an infinity upstream times 0 is NaN"},
	}}
	for _, n := range []int{1, 7, 16, 33, 65} {
		x := normal(2, n)
		if n == 1 {
			x = floats([]float64{1.5}, 1)
		}
		f.cases = append(f.cases, testCase{
			name: fmt.Sprintf("n-%d", n), comment: fmt.Sprintf("%d elements.", n), clauses: "GRAD-1 GRAD-8", flags: "edges upstream",
			compare: vector.Exact,
			src:     args{"x": x, "dy": normal(1, n)},
		})
	}
	f.cases = append(f.cases, testCase{
		name: "zero", comment: "0, -0 and the smallest numbers of both signs.", clauses: "GRAD-8", flags: "zero", compare: vector.Exact,
		src: args{"x": floats([]float64{0, math.Copysign(0, -1), 0x1p-126, -0x1p-126, 1, -1}, 6),
			"dy": floats([]float64{3, -5, 0.5, 0.25, -2, 8}, 6)},
	}, testCase{
		name: "specials", comment: "NaN of x stays; NaN and infinities upstream pass where x > 0 and are 0 elsewhere.", clauses: "GRAD-8",
		flags:   "specials zero",
		compare: vector.Exact,
		src: args{"x": floats([]float64{nan, -inf, inf, -1, 0, 2, -3, 4}, 2, 4),
			"dy": floats([]float64{1, 2, 3, nan, inf, nan, -inf, inf}, 2, 4)},
	})
	return f
}

var _ = register("gelu", geluFamily)

func geluFamily() family {
	f := family{flags: []vector.Flag{
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

var _ = register("gelu.grad", geluGradFamily)

func geluGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag,
		{Name: "wrong-form", Bug: "the derivative of the other form, or of x * sigmoid(1.702 x)"},
		{Name: "second-term", Bug: "x phi(x), or what the inner derivative multiplies, is missing"},
		{Name: "wide", Bug: "x^2 or x^3 overflows: Inf * 0"},
		{Name: "specials", Bug: "NaN at an infinity, where the derivative is 0 or 1"},
	}}
	for _, form := range []struct{ name, clause string }{{"none", "GRAD-9"}, {"tanh", "GRAD-10"}} {
		a := attrs{"approximate": form.name}
		add := func(name, comment, clauses, flags string, x, dy draw) {
			f.cases = append(f.cases, testCase{name: form.name + "-" + name, comment: comment, clauses: clauses, flags: flags, attrs: a,
				src: args{"x": x, "dy": dy}})
		}
		for _, n := range []int{7, 33} {
			add(fmt.Sprintf("n-%d", n), fmt.Sprintf("%d elements.", n), "GRAD-1 "+form.clause, "edges upstream wrong-form", normal(1.5, n),
				normal(1, n))
		}
		add("grid", "From -6 to 6, where the derivative goes from 0 below 0 to above 1 and back.", form.clause, "wrong-form second-term",
			each(func(_ *source, i int) float64 { return float64(i-48) / 8 }, 97), around(0.5, 1, 97))
		add("wide", "From 1e3 to the largest number, of both signs.", form.clause+" GRAD-11", "wide",
			floats([]float64{1e3, -1e3, 1e10, -1e10, 1e20, -1e20, math.MaxFloat32, -math.MaxFloat32}, 8), uniform(0.5, 2, 8))
		add("specials", "Infinities and NaN.", "GRAD-11", "specials", floats([]float64{inf, -inf, nan, 1, -1}, 5),
			floats([]float64{3, 2, 1, -2, 4}, 5))
	}
	f.cases = append(f.cases, testCase{
		name: "default", comment: "Without the attribute, the erf form.", clauses: "GRAD-2 GRAD-9", flags: "wrong-form",
		src: args{"x": normal(1.5, 2, 9), "dy": normal(1, 2, 9)},
	})
	return f
}
