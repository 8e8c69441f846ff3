package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("matmul", matmulFamily)

func matmulFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops: lengths one below, at and above a block's, with the other dimensions small"},
		{Name: "transpose", Bug: "an operand is read as stored although it is transposed, or the leading dimension of the other one is used"},
		{Name: "zero-skip", Bug: "terms with a zero factor are skipped, so that 0 * Inf and 0 * NaN vanish", See: "gonum blas/gonum sgemm"},
		{Name: "batch", Bug: "leading axes are confused with rows, or every batch item reads the first one"},
		{Name: "exact-sums", Bug: "a sum is formed in a format that is too narrow, or a term is dropped or counted twice"},
		{Name: "range", Bug: "results overflow early, subnormals cost more than themselves, or small terms vanish beside large ones"},
		{Name: biasedSum, Bug: "a sum drifts more than its length explains: float16 or bfloat16 accumulation"},
	}}
	add := func(c testCase) { f.cases = append(f.cases, c) }

	for _, s := range [][3]int{
		{1, 1, 1}, {1, 1, 7}, {1, 7, 1}, {7, 1, 1}, {5, 1, 5}, {2, 3, 4}, {4, 4, 4}, {8, 8, 8}, {3, 5, 7}, {13, 11, 17},
	} {
		add(testCase{
			name: fmt.Sprintf("small-%dx%dx%d", s[0], s[1], s[2]), comment: fmt.Sprintf("M, K, N = %d, %d, %d.", s[0], s[1], s[2]),
			clauses: "MM-1", flags: "edges", src: args{"a": normal(1, s[0], s[1]), "b": normal(1, s[1], s[2])},
		})
	}
	for _, n := range []int{15, 17, 31, 33, 63, 65, 127, 129, 255, 257} {
		add(testCase{
			name: fmt.Sprintf("k-%d", n), comment: fmt.Sprintf("An inner dimension of %d.", n), clauses: "MM-1", flags: "edges",
			src: args{"a": normal(1, 3, n), "b": normal(1, n, 5)},
		})
	}
	for _, n := range []int{9, 16, 33, 64, 127, 257} {
		add(testCase{
			name: fmt.Sprintf("wide-%d", n), comment: fmt.Sprintf("%d columns.", n), clauses: "MM-1", flags: "edges",
			src: args{"a": normal(1, 2, 3), "b": normal(1, 3, n)},
		})
		add(testCase{
			name: fmt.Sprintf("tall-%d", n), comment: fmt.Sprintf("%d rows.", n), clauses: "MM-1", flags: "edges",
			src: args{"a": normal(1, n, 3), "b": normal(1, 3, 2)},
		})
	}
	for _, s := range [][3]int{{65, 33, 129}, {129, 257, 63}, {256, 64, 256}} {
		add(testCase{
			name:    fmt.Sprintf("tiles-%dx%dx%d", s[0], s[1], s[2]),
			comment: "Several tiles in every dimension, with remainders.", clauses: "MM-1", flags: "edges",
			src:     args{"a": sum4(1, s[0], s[1]), "b": sum4(1, s[1], s[2])},
			samples: tileEdges,
		})
	}
	for _, tr := range []struct {
		name   string
		attrs  attrs
		sa, sb []int
	}{
		{"a", attrs{"transpose_a": true}, []int{7, 5}, []int{7, 3}},
		{"b", attrs{"transpose_b": true}, []int{5, 7}, []int{3, 7}},
		{"ab", attrs{"transpose_a": true, "transpose_b": true}, []int{7, 5}, []int{3, 7}},
		{"square", attrs{"transpose_b": true}, []int{6, 6}, []int{6, 6}},
		{"odd-k", attrs{"transpose_a": true, "transpose_b": true}, []int{67, 2}, []int{9, 67}},
	} {
		add(testCase{
			name: "transpose-" + tr.name, comment: "Operands that are stored transposed; where shapes allow it, an untransposed reading fits too.",
			clauses: "MM-1 MM-2", flags: "transpose", attrs: tr.attrs, src: args{"a": normal(1, tr.sa...), "b": normal(1, tr.sb...)},
		})
	}
	add(testCase{
		name: "batch-3", comment: "One leading axis.", clauses: "MM-1", flags: "batch",
		src: args{"a": normal(1, 3, 2, 5), "b": normal(1, 3, 5, 4)},
	})
	add(testCase{
		name: "batch-2x3", comment: "Two leading axes.", clauses: "MM-1", flags: "batch",
		src: args{"a": normal(1, 2, 3, 3, 2), "b": normal(1, 2, 3, 2, 3)},
	})
	add(testCase{
		name: "batch-transpose", comment: "A leading axis and a transposed operand.", clauses: "MM-1 MM-2", flags: "batch transpose",
		attrs: attrs{"transpose_b": true}, src: args{"a": normal(1, 2, 3, 4), "b": normal(1, 2, 3, 4)},
	})
	for _, k := range []int{4, 37, 128} {
		add(testCase{
			name: fmt.Sprintf("integers-%d", k), comment: "Small integers, whose products and sums are exact in any order.",
			clauses: "MM-1 MM-4", flags: "exact-sums", compare: vector.Exact, src: args{"a": whole(-4, 4, 3, k), "b": whole(-4, 4, k, 5)},
		})
	}
	add(testCase{
		name: "ones-300", comment: "300 equal terms: the sum is exact and larger than what 8 bits can count.", clauses: "MM-4", flags: "exact-sums",
		compare: vector.Exact, src: args{"a": all(1, 2, 300), "b": all(1, 300, 2)},
	})
	add(testCase{
		name: "zero-times-inf", comment: "A row of zeros meets an infinity in one column: that column is NaN, the others are 0.",
		clauses: "MM-3", flags: "zero-skip", src: args{"a": normal(1, 3, 4).set(0, 4, 5, 6, 7), "b": normal(1, 4, 3).set(inf, 4)},
	})
	add(testCase{
		name: "zero-times-nan", comment: "Zeros in both operands meet NaNs in the other.", clauses: "MM-3", flags: "zero-skip",
		src: args{"a": normal(1, 3, 5).set(0, 2, 5).set(nan, 13), "b": normal(1, 5, 4).set(0, 14).set(nan, 1)},
	})
	add(testCase{
		name: "infinities", comment: "Infinities of both signs: their sum is NaN, alone they stay.", clauses: "MM-3", flags: "zero-skip",
		src: args{"a": normal(1, 2, 4).set(inf, 1).set(-inf, 3), "b": uniform(0.5, 2, 4, 3).set(-1, 3)},
	})
	add(testCase{
		name: "large", comment: "Products near 1e37 that do not overflow, nor do their sums.", clauses: "MM-1", flags: "range",
		src: args{"a": normal(1e18, 3, 5), "b": normal(1e18, 5, 3)},
	})
	add(testCase{
		name: "overflow", comment: "No product overflows float32, but the sums of the first row do: infinities there, numbers in float64.",
		clauses: "MM-1", flags: "range", src: args{"a": uniform(1, 2, 2, 4).mapped(scaleFirst(4, 1e19)), "b": uniform(1, 2, 4, 3).mapped(scaleFirst(12, 1e19))},
	})
	add(testCase{
		name: "subnormal-terms", comment: "Terms from 2^-143 to 1: the small ones may be flushed, the large ones must stay.", clauses: "MM-1", flags: "range",
		src: args{"a": normal(1, 3, 12).mapped(decay(12, 13)), "b": normal(1, 12, 3)},
	})
	add(testCase{
		name: "tiny", comment: "Products near 1e-30, far above the subnormals.", clauses: "MM-1", flags: "range",
		src: args{"a": normal(1e-15, 3, 7), "b": normal(1e-15, 7, 3)},
	})
	add(testCase{
		name: "wide-range", comment: "Terms of very different sizes in each sum.", clauses: "MM-1", flags: "range",
		src: args{"a": normal(1, 3, 24).mapped(decay(24, -1)), "b": normal(1, 24, 3)},
	})
	for _, k := range []int{768, 4096} {
		add(testCase{
			name: fmt.Sprintf("positive-%d", k), comment: fmt.Sprintf("%d positive terms of very different sizes.", k), clauses: "MM-1", flags: biasedSum,
			src: args{"a": recipe("uniform", 0.5, 0.75, 2, k), "b": recipe("uniform", 0.5, 0.5625, k, 3)},
		})
	}
	add(testCase{
		name: "equal-2048", comment: "2,048 equal terms that are not dyadic.", clauses: "MM-1", flags: biasedSum,
		src: args{"a": recipe("uniform", 1e-9, 0.1, 1, 2048), "b": recipe("uniform", 1e-9, 0.7, 2048, 2)},
	})
	f.wide = []testCase{{name: "batch-70", comment: "70 products.", clauses: "MM-1", src: args{"a": sum4(1, 70, 2, 3), "b": sum4(1, 70, 3, 2)}}}
	return f
}

var _ = register("matmul.grad", matmulGradFamily)

func matmulGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, addsFlag, drift,
		{Name: "operands", Bug: "da and db are exchanged, or a factor is not transposed"},
		{Name: "batch", Bug: "matrices of a batch are confused, or their gradients add up"},
		{Name: "transpose", Bug: "a gradient has the transposed layout of its argument"},
		{Name: "exact", Bug: "sums of integers are not exact"},
		{Name: "specials", Bug: "zeros of the upstream gradient are skipped, and with them NaN and infinities"},
	}}
	src := func(m, k, n int, lead ...int) args {
		shape := func(s ...int) []int { return append(append([]int{}, lead...), s...) }
		return args{"a": normal(1, shape(m, k)...), "b": normal(1, shape(k, n)...), "dc": normal(1, shape(m, n)...)}
	}
	add := func(c testCase) { f.cases = append(f.cases, c) }
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 2}, {17, 9, 8}, {1, 33, 4}, {16, 3, 65}} {
		add(testCase{
			name: fmt.Sprintf("m%d-k%d-n%d", s[0], s[1], s[2]), comment: fmt.Sprintf("[%d %d] times [%d %d].", s[0], s[1], s[1], s[2]),
			clauses: "GRAD-1 GRAD-3",
			flags:   "edges operands upstream", src: src(s[0], s[1], s[2]),
		})
	}
	add(testCase{name: "square", comment: "Square matrices: every transposition fits.", clauses: "GRAD-3", flags: "operands",
		src: src(6, 6, 6)})
	add(testCase{name: "batch", comment: "Six matrices behind two axes.", clauses: "GRAD-3", flags: "batch", src: src(3, 4, 2, 2, 3)})
	a, b, dc := normal(1, 2, 4, 4), normal(1, 2, 4, 4), normal(1, 2, 4, 4)
	for _, t := range []struct {
		name  string
		attrs attrs
	}{
		{"transpose-a", attrs{"transpose_a": true}}, {"transpose-b", attrs{"transpose_b": true}},
		{"transpose-both", attrs{"transpose_a": true, "transpose_b": true}},
	} {
		add(testCase{
			name: t.name, comment: "Square matrices, two of them, so that shapes betray nothing.", clauses: "GRAD-2 GRAD-3 MM-2",
			flags: "transpose operands batch",
			attrs: t.attrs, src: args{"a": a, "b": b, "dc": dc},
		})
	}
	add(testCase{
		name: "transpose-shapes", comment: "a is stored [K M], b [N K], and so are their gradients.", clauses: "GRAD-2 GRAD-3",
		flags: "transpose",
		attrs: attrs{"transpose_a": true, "transpose_b": true}, src: args{"a": normal(1, 5, 3), "b": normal(1, 2, 5), "dc": normal(1, 3, 2)},
	})
	add(testCase{
		name: "integers", comment: "Small integers: exact in every order.", clauses: "GRAD-3 MM-4", flags: "exact", compare: vector.Exact,
		src: args{"a": whole(-9, 9, 9, 7), "b": whole(-9, 9, 7, 5), "dc": whole(-9, 9, 9, 5)},
	})
	add(testCase{
		name: "zero-times-nan", comment: "Zeros of dc meet NaN and infinities in a and b: the products count.", clauses: "GRAD-3 MM-3",
		flags: "specials",
		src:   args{"a": normal(1, 4, 3).set(inf, 1), "b": normal(1, 3, 2).set(nan, 3), "dc": normal(1, 4, 2).set(0, 0, 1, 3, 5, 7)},
	})
	add(testCase{name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite",
		steps: twice(func() args { return src(3, 4, 5) })})
	add(testCase{
		name: "long", comment: "300 positive terms.", clauses: "GRAD-3", flags: biasedSum,
		src: args{"a": recipe("uniform", 1, 1, 300, 2), "b": recipe("uniform", 1, 1, 2, 2), "dc": recipe("uniform", 1, 1, 300, 2)},
	})
	add(testCase{
		name: "shape", comment: "dc with a row too few.", clauses: "GRAD-2", flags: "operands", src: src(3, 4, 5).with("dc", normal(1, 2, 5)),
		err: "shape",
	})
	f.wide = []testCase{{
		name: "batch-70", comment: "70 products.", clauses: "GRAD-3", src: args{"a": sum4(1, 70, 2, 3), "b": sum4(1, 70, 3, 2), "dc": sum4(1, 70, 2, 2)},
	}, {
		name: "m130-k66-n70", comment: "130 x 66 times 66 x 70.", clauses: "GRAD-3", src: args{"a": sum4(1, 130, 66), "b": sum4(1, 66, 70), "dc": sum4(1, 130, 70)},
	}}
	return f
}

// scaleFirst multiplies the first n elements by s.
func scaleFirst(n int, s float64) func(int, float64) float64 {
	return func(i int, x float64) float64 {
		if i < n {
			return x * s
		}
		return x
	}
}

// decay multiplies element i by 2^(-bits * (i mod period)).
func decay(period, bits int) func(int, float64) float64 {
	return func(i int, x float64) float64 { return math.Ldexp(x, -bits*(i%period)) }
}
