package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("softmax", softmaxFamily)

func softmaxFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: rows one shorter than, as long as and one longer than a block"},
		{Name: "rows", Bug: "the maximum or the sum is taken over the whole tensor, or over the wrong axis"},
		{Name: "no-max", Bug: "the maximum is not subtracted, or the maximum of another row is: exp overflows, or everything underflows",
			See: "transformers #11267"},
		{Name: "wide", Bug: "one weight dominates or most underflow: an exp with absolute error, a cut-off in its argument, a sum that loses small terms"},
		{Name: "denominator", Bug: "a constant is added to the denominator: 1e-5 and less are invisible on other inputs",
			See: "onnx backend attention vectors"},
		{Name: "specials", Bug: "-Inf, +Inf and NaN: sentinels in their place, a maximum that skips NaN, 0/0 turned into 0"},
		{Name: biasedSum, Bug: "a sum over many terms drifts more than its length explains"},
	}}
	f.cases = append(distributionCases("SM-1", "SM-2", "SM-3", "SM-4"), []testCase{
		{
			name: "equal-8", comment: "Eight equal elements give exactly 1/8.", clauses: "SM-5", flags: "denominator", compare: vector.Exact,
			src: args{"x": all(2.5, 3, 8).mapped(rowShift(8, 7))},
		},
		{
			name: "equal-4096", comment: "4,096 equal elements give exactly 2^-12.", clauses: "SM-5", flags: "denominator", compare: vector.Exact,
			src: args{"x": recipe("uniform", 1e-12, 3, 1, 4096)}, samples: tileEdges,
		},
		{
			name: "single", comment: "One element gives exactly 1, whatever it is.", clauses: "SM-5", flags: "denominator", compare: vector.Exact,
			src: args{"x": floats([]float64{0, -3, 1e4, -1e30, 1e-40}, 5, 1)},
		},
		{
			name: "dominant", comment: "One element is ahead by more than 110: exactly 1 for it, 0 for the others.", clauses: "SM-5", flags: "denominator wide",
			compare: vector.Exact, src: args{"x": normal(3, 3, 7).set(160, 0, 10, 20)},
		},
		{
			name: "half-masked", comment: "Of eight elements four are -Inf and four equal: exactly 0 and 1/4.", clauses: "SM-4 SM-5",
			flags:   "denominator specials",
			compare: vector.Exact, src: args{"x": all(-1.5, 2, 8).set(-inf, 0, 2, 4, 6, 12, 13, 14, 15)},
		},
	}...)
	f.wide = []testCase{{name: "rows-130", comment: "130 rows.", clauses: "SM-1", src: args{"x": sum4(2, 130, 5)}}}
	return f
}

var _ = register("softmax.grad", softmaxGradFamily)

func softmaxGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, drift,
		{Name: "jacobian", Bug: "only the diagonal of the Jacobian: p (1 - p) dy, or p dy without the second term"},
		{Name: "rows", Bug: "the sum runs over the whole tensor, or over another row"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "exact", Bug: "a constant is added to the denominator"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
	}}
	f.cases = append(rowGradients("GRAD-5", "GRAD-7"), testCase{
		name: "single", comment: "One element: its weight is 1 whatever it is, and the gradient 0.", clauses: "GRAD-5", flags: "exact",
		compare: vector.Exact,
		src:     args{"x": floats([]float64{0, -3, 1e4}, 3, 1), "dy": floats([]float64{2, -1, 5}, 3, 1)},
	}, testCase{
		name: "equal", comment: "Eight equal logits and integers upstream: exact.", clauses: "GRAD-5", flags: "exact jacobian",
		compare: vector.Exact,
		src:     args{"x": all(3, 2, 8), "dy": whole(-8, 8, 2, 8)},
	}, testCase{
		name: "shape", comment: "dy of another shape.", clauses: "GRAD-2", flags: "rows", src: args{"x": normal(1, 2, 3), "dy": normal(1, 3, 2)},
		err: "shape",
	})
	f.wide = []testCase{{name: "rows-130", comment: "130 rows.", clauses: "GRAD-5", src: args{"x": sum4(2, 130, 5), "dy": recipe("sum4", sqrt3, 0.3, 130, 5)}}}
	return f
}

var _ = register("log_softmax", logSoftmaxFamily)

func logSoftmaxFamily() family {
	f := family{flags: []vector.Flag{
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
	f.wide = []testCase{{name: "rows-130", comment: "130 rows.", clauses: "SM-6", src: args{"x": sum4(2, 130, 5)}}}
	return f
}

var _ = register("log_softmax.grad", logSoftmaxGradFamily)

func logSoftmaxGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, drift,
		{Name: "jacobian", Bug: "the second term is missing, or is p_i dy_i in the place of p_i times the sum"},
		{Name: "rows", Bug: "the sum runs over the whole tensor, or over another row"},
		{Name: "no-max", Bug: "the maximum is not subtracted: exp overflows"},
		{Name: "underflow", Bug: "a weight that underflows makes the gradient 0 or NaN: softmax's gradient divided by p"},
		{Name: "specials", Bug: "NaN and infinities do not reach the row, or reach other rows"},
	}}
	f.cases = append(rowGradients("GRAD-6", "GRAD-7"), testCase{
		name: "underflow", comment: "Weights that underflow: their elements keep the upstream gradient.", clauses: "GRAD-6", flags: "underflow",
		src: args{"x": normal(1, 3, 6).set(-200, 1, 8).set(-1e30, 14), "dy": normal(1, 3, 6)},
	})
	f.wide = []testCase{{name: "rows-130", comment: "130 rows.", clauses: "GRAD-6", src: args{"x": sum4(2, 130, 5), "dy": recipe("sum4", sqrt3, 0.3, 130, 5)}}}
	return f
}

// distributionCases are those that softmax and log-softmax share: the clauses of the formula, of its range, of NaN and of -Inf.
func distributionCases(formula, finite, poison, masked string) []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, n := range []int{2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 257} {
		add(testCase{
			name: fmt.Sprintf("n-%d", n), comment: fmt.Sprintf("Rows of %d.", n), clauses: formula, flags: "edges", src: args{"x": normal(2, 2, n)},
		})
	}
	add(testCase{
		name: "leading-axes", comment: "Rows of very different size, behind three axes.", clauses: formula, flags: "rows",
		src: args{"x": normal(2, 2, 3, 2, 5).mapped(rowShift(5, 37))},
	})
	add(testCase{name: "vector", comment: "A tensor of one axis is one row.", clauses: formula, flags: "rows", src: args{"x": normal(3, 11)}})
	add(testCase{
		name: "shift-1e4", comment: "A common shift of 1e4, up and down: it cancels.", clauses: formula + " " + finite, flags: "no-max",
		src: args{"x": each(func(s *source, i int) float64 {
			return float64(1-i/9%2*2)*1e4 + math.Ldexp(math.Round(s.normal()*2048), -10)
		}, 4, 9)},
	})
	add(testCase{
		name: "wide-1e4", comment: "Logits up to 1e4 in size, two of them close together at the top.", clauses: formula + " " + finite, flags: "no-max wide",
		src: args{"x": normal(4e3, 4, 9).mapped(topPair(9, 1e4))},
	})
	add(testCase{
		name: "late-maximum", comment: "The maximum comes last and is ahead of all before it by more than exp can take.", clauses: finite, flags: "no-max wide",
		src: args{"x": normal(1, 2, 24).set(200, 20, 47)},
	})
	add(testCase{
		name: "wide-1e30", comment: "Logits near 1e30, of which two are equal.", clauses: finite, flags: "no-max wide",
		src: args{"x": normal(1e29, 2, 6).set(1e30, 1, 4, 6, 11)},
	})
	add(testCase{
		name: "negative", comment: "All logits are far below 0.", clauses: finite, flags: "no-max", src: args{"x": around(-300, 2, 3, 7)},
	})
	add(testCase{
		name: "spread-40", comment: "Weights from 1 down to exp(-40).", clauses: formula, flags: "wide",
		src: args{"x": each(func(s *source, i int) float64 { return -40 * float64(i%12) / 11 }, 2, 12)},
	})
	add(testCase{
		name: "underflow", comment: "Weights around the smallest normal number of float32.", clauses: formula + " " + finite, flags: "wide",
		src: args{"x": each(func(s *source, i int) float64 {
			return []float64{0, -80, -86, -88, -95, -103, -110, 1}[i%8] + s.uniform(0, 0.5)
		}, 3, 8)},
	})
	add(testCase{
		name: "minus-inf", comment: "Some elements are -Inf in each row.", clauses: formula + " " + masked, flags: "specials",
		src: args{"x": normal(2, 3, 6).set(-inf, 0, 7, 8, 9, 17)},
	})
	add(testCase{
		name: "all-minus-inf", comment: "A row of -Inf is NaN; its neighbours are not.", clauses: masked, flags: "specials",
		src: args{"x": normal(2, 3, 5).set(-inf, 5, 6, 7, 8, 9)},
	})
	add(testCase{
		name: "plus-inf", comment: "A row with +Inf is NaN throughout; its neighbours are not.", clauses: poison, flags: "specials",
		src: args{"x": normal(2, 3, 5).set(inf, 7)},
	})
	add(testCase{
		name: "nan", comment: "Rows with a NaN, first, last and beside +Inf, are NaN throughout; the others are not.", clauses: poison, flags: "specials",
		src: args{"x": normal(2, 4, 9).set(nan, 0, 17, 20).set(inf, 22)},
	})
	add(testCase{
		name: "equal-3000", comment: "3,000 nearly equal terms.", clauses: formula, flags: biasedSum, src: args{"x": recipe("uniform", 1e-3, 0.3, 1, 3000)},
		samples: tileEdges,
	})
	add(testCase{
		name: "vocabulary", comment: "A row of 50,257, the vocabulary of GPT-3, sampled.", clauses: formula, flags: "edges " + biasedSum,
		src:     args{"x": sum4(2, 1, 50257)},
		samples: tileEdges,
	})
	add(testCase{
		name: "vocabulary-flat", comment: "50,257 logits that hardly differ.", clauses: formula, flags: biasedSum,
		src:     args{"x": recipe("sum4", 0.1, 0, 1, 50257)},
		samples: tileEdges,
	})
	return cases
}

// rowGradients are the cases that softmax.grad and log_softmax.grad share.
func rowGradients(formula, poison string) []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, n := range []int{2, 3, 7, 8, 9, 17, 33, 65, 129} {
		add(testCase{
			name: fmt.Sprintf("n-%d", n), comment: fmt.Sprintf("Three rows of %d.", n), clauses: "GRAD-1 " + formula,
			flags: "edges jacobian upstream",
			src:   args{"x": normal(1.5, 3, n), "dy": around(0.4, 1, 3, n)},
		})
	}
	add(testCase{
		name: "axes", comment: "Rows of different size behind two axes.", clauses: formula, flags: "rows",
		src: args{"x": normal(1, 2, 2, 5).mapped(rowShift(5, 20)), "dy": normal(1, 2, 2,
			5).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/5) })},
	})
	add(testCase{name: "vector", comment: "No leading axis.", clauses: formula, flags: "rows",
		src: args{"x": normal(1, 11), "dy": normal(1, 11)}})
	add(testCase{
		name: "one-hot", comment: "An upstream gradient for one element of each row: all others move too.", clauses: formula,
		flags: "jacobian upstream",
		src:   args{"x": normal(1, 3, 6), "dy": all(0, 3, 6).set(1.5, 2).set(-2, 6).set(0.75, 17)},
	})
	add(testCase{
		name: "shift", comment: "Logits near 1e4 and -1e4: the maximum is subtracted.", clauses: formula, flags: "no-max",
		src: args{"x": each(func(s *source, i int) float64 { return float64(1-i/8%2*2)*1e4 + float64(s.IntN(4096))/1024 }, 4, 8),
			"dy": normal(1, 4, 8)},
	})
	add(testCase{
		name: "minus-inf", comment: "Elements of -Inf beside finite ones have weight 0.", clauses: formula + " " + poison, flags: "specials",
		src: args{"x": normal(1, 3, 6).set(-inf, 0, 7, 8, 17), "dy": normal(1, 3, 6)},
	})
	add(testCase{
		name: "specials", comment: "Rows with NaN, with +Inf and of -Inf only are NaN throughout; the others are not.", clauses: poison,
		flags: "specials rows",
		src:   args{"x": normal(1, 5, 4).set(nan, 5).set(inf, 8).set(-inf, 16, 17, 18, 19), "dy": normal(1, 5, 4)},
	})
	add(testCase{
		name: "long", comment: "600 logits that hardly differ, and positive upstream gradients.", clauses: formula, flags: biasedSum,
		src: args{"x": recipe("uniform", 1e-3, 0.3, 1, 600), "dy": recipe("uniform", 1, 0.5, 1, 600)},
	})
	return cases
}

// rowShift adds by times the row's number to rows of n elements.
func rowShift(n int, by float64) func(int, float64) float64 {
	return func(i int, x float64) float64 { return x + by*float64(i/n) }
}

// topPair makes the first two elements of each row of n the largest, top and top-1.
func topPair(n int, top float64) func(int, float64) float64 {
	return func(i int, x float64) float64 {
		switch i % n {
		case 0:
			return top
		case 1:
			return top - 1
		}
		return math.Min(x, top-50)
	}
}
