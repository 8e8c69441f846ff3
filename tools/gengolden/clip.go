package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("clip_norm", clipNormFamily)

func clipNormFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops"},
		{Name: "joint", Bug: "a norm for each row, or of the largest element, or of absolute values"},
		{Name: "inactive", Bug: "short gradients are scaled up to the norm, or changed", See: "normalizing in the place of clipping"},
		{Name: "eps", Bug: "no eps, another, or one under the root"},
		{Name: "zero", Bug: "0/0 where the gradient is 0"},
		{Name: "range", Bug: "the squares overflow or underflow: a norm of infinity or 0"},
		{Name: "before", Bug: "the norm returned is that after clipping"},
		{Name: "not-finite", Bug: "a NaN or an infinity makes NaN or 0 of all gradients, without a word"},
		{Name: "attributes", Bug: "a norm of 0 is accepted"},
		{Name: biasedSum, Bug: "a sum of equal squares drifts more than its length explains"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, g draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: args{"g": g}})
		return &f.cases[len(f.cases)-1]
	}
	at := func(norm, eps float64) attrs { return attrs{"max_norm": norm, "eps": eps} }
	for _, n := range []int{1, 2, 7, 17, 33, 129, 257} {
		add(fmt.Sprint("n-", n), fmt.Sprintf("%d elements, clipped.", n), "CLIP-1", "edges joint before", attrs{"max_norm": 0.25}, normal(1, n))
	}
	add("scalar", "One element without dimensions.", "CLIP-1", "edges", attrs{"max_norm": 0.5}, number(-3))
	add("rows", "Rows of different length: one factor for all.", "CLIP-1", "joint", attrs{"max_norm": 1},
		normal(1, 3, 4).mapped(func(i int, x float64) float64 { return x * []float64{10, 1, 0.1}[i/4] }))
	add("inactive", "A norm of 5 and a limit of 8: nothing changes.", "CLIP-2", "inactive", attrs{"max_norm": 8}, floats([]float64{3, 0, -4, 0}, 2, 2)).compare = vector.Exact
	add("at-limit", "A norm of 5 and a limit of 5, without eps: nothing changes.", "CLIP-2", "inactive eps", at(5, 0), floats([]float64{0, 3, 4}, 3)).compare = vector.Exact
	add("halved", "A norm of 5 and a limit of 2.5, without eps: exactly half.", "CLIP-1", "eps before", at(2.5, 0), floats([]float64{0, -3, 4}, 3)).compare = vector.Exact
	add("at-limit-eps", "The same with an eps of 1/4: shortened a little.", "CLIP-1", "eps", at(5, 0.25), floats([]float64{0, 3, 4}, 3))
	add("eps-default", "Norms of a few thousandths: the default eps shows.", "CLIP-1", "eps", attrs{"max_norm": 0.001}, normal(0.002, 6))
	add("eps-large", "An eps as large as the norm.", "CLIP-1", "eps", at(1, 2), normal(1, 6))
	add("zero", "A gradient of zeros stays, and its norm is 0.", "CLIP-2", "zero", attrs{"max_norm": 1}, all(0, 5)).compare = vector.Exact
	add("zero-eps-0", "The same without eps.", "CLIP-2", "zero", at(1, 0), all(0, 5)).compare = vector.Exact
	f.cases = append(f.cases, testCase{name: "zero-between", comment: "A gradient of zeros between two that are clipped.", clauses: "CLIP-1 CLIP-2",
		flags: "zero", attrs: attrs{"max_norm": 1}, steps: []step{{src: args{"g": normal(3, 5)}}, {src: args{"g": all(0, 5)}}, {src: args{"g": normal(3, 5)}}}})
	add("huge", "Elements of 1e30, whose squares overflow.", "CLIP-3", "range", attrs{"max_norm": 1}, normal(1e30, 6))
	add("largest", "A norm close to the largest number of float32.", "CLIP-3", "range", attrs{"max_norm": 1}, normal(5e37, 6))
	add("tiny", "Elements of 1e-30, whose squares underflow.", "CLIP-3", "range", at(1e-30, 0), normal(1e-30, 6))
	add("tiny-inactive", "The same, not clipped.", "CLIP-2 CLIP-3", "range inactive", attrs{"max_norm": 1}, normal(1e-30, 6))
	add("huge-and-tiny", "Elements from 1e-15 to 1e25.", "CLIP-3", "range", attrs{"max_norm": 1e20}, floats([]float64{1e25, -1e10, 1, 1e-15}, 4, 1))
	for name, x := range sorted(map[string]float64{"nan": nan, "inf": inf, "minus-inf": -inf}) {
		add(name, "One element that is not finite is an error.", "CLIP-4", "not-finite", attrs{"max_norm": 1}, normal(1, 5).set(x, 3)).err = "number"
	}
	add("nan-inf", "A NaN beside an infinity.", "CLIP-4", "not-finite", attrs{"max_norm": 1}, normal(1, 5).set(nan, 1).set(inf, 3)).err = "number"
	add("max-norm-0", "A limit of 0 is an error.", "CLIP-1", "attributes", attrs{"max_norm": 0}, normal(1, 5)).err = "attributes"
	add("equal", "1,000 equal elements.", "CLIP-1", biasedSum+" joint", attrs{"max_norm": 1}, all(0.1, 1000))
	return f
}

var _ = register("clip_value", clipValueFamily)

func clipValueFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "limits", Bug: "one side only, or a reflection"},
		{Name: "specials", Bug: "NaN becomes a limit", See: "min and max that return their second argument for NaN"},
		{Name: "attributes", Bug: "a limit of 0 is accepted"},
	}}
	add := func(name, comment, clauses, flags string, limit float64, g draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: attrs{"limit": limit}, src: args{"g": g},
			compare: vector.Exact})
		return &f.cases[len(f.cases)-1]
	}
	add("both-sides", "Elements on both sides.", "CLIP-5", "limits", 0.5, normal(1, 3, 5))
	add("tenth", "A limit that is rounded.", "CLIP-5", "limits", 0.1, normal(0.2, 17))
	add("at-limits", "Elements at the limits, next to them, and 0.", "CLIP-5", "limits", 1, floats([]float64{1, -1, 1 + 0x1p-23, -1 - 0x1p-23, 1 - 0x1p-24, 0, 7}, 7))
	add("scalar", "One element without dimensions.", "CLIP-5", "limits", 2, number(-3))
	add("specials", "NaN stays, infinities are clipped.", "CLIP-5 CLIP-6", "specials", 1, normal(1, 2, 4).set(nan, 1, 6).set(inf, 3).set(-inf, 4))
	c := add("limit-0", "A limit of 0 is an error.", "CLIP-5", "attributes", 0, normal(1, 5))
	c.err, c.compare = "attributes", ""
	f.wide = []testCase{{name: "n-257", comment: "257 elements.", clauses: "CLIP-5", attrs: attrs{"limit": 0.75}, src: args{"g": sum4(1, 257)}, compare: vector.Exact}}
	return f
}
