package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
)

// gatedWeights draws the constants of swiglu, scaled so that gate, value and result are of the order of 1.
func (l layer) gatedWeights() args {
	matrix := func(gain float64, in, out int) draw { return l.normal(gain/math.Sqrt(float64(in)), in, out) }
	return args{
		"w1": matrix(1.6, l.d, l.ffn), "b1": l.normal(0.4, l.ffn), "w3": matrix(1.3, l.d, l.ffn), "b3": l.normal(0.4, l.ffn),
		"w2": matrix(1.5, l.ffn, l.d), "b2": l.normal(0.3, l.d),
	}
}

// oneGate are the constants under which a row (z), of one element, has the gate z in each hidden element, and there these values.
func oneGate(values ...float64) args {
	n := len(values)
	return args{"w1": all(1, 1, n), "w3": all(0, 1, n), "b3": floats(values, n), "w2": all(1, n, 1)}
}

// gatedBiases are the choices among the three biases of swiglu but that of all.
var gatedBiases = []string{"", "b1", "b3", "b2", "b1 b3", "b1 b2", "b3 b2"}

const gatedMatrices = "w1 w3 w2"

// gatedSizes are widths of rows and of the hidden layer.
var gatedSizes = [][2]int{{1, 8}, {4, 1}, {2, 3}, {5, 17}, {8, 8}, {16, 5}, {33, 15}, {4, 129}}

// biasCase names and describes a case that has some biases.
func biasCase(biases string) (name, comment string) {
	if biases == "" {
		return "no-bias", "No biases, as in LLaMA."
	}
	return strings.ReplaceAll(biases, " ", "-"), "Of the biases only " + strings.ReplaceAll(biases, " ", " and ") + "."
}

var _ = register("swiglu", swigluFamily)

func swigluFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops, one hidden element, one row"},
		{Name: "gate", Bug: "the gate or the value is missing, w1 and w3 are exchanged, or SiLU is applied to more than the gate"},
		{Name: "activation", Bug: "the sigmoid, GELU, or Swish with another beta"},
		{Name: "bias", Bug: "a bias is dropped, or one that is absent is read"},
		{Name: "rows", Bug: "rows affect each other"},
		{Name: "tails", Bug: "exp overflows far from 0, or small results are cut to 0"},
		{Name: "specials", Bug: "NaN and infinities are lost, or SiLU has its limit at -Inf"},
	}}
	add := func(name, comment, clauses, flags string, consts args, x draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, consts: consts, src: args{"x": x}})
	}
	for _, s := range gatedSizes {
		l := layer{d: s[0], ffn: s[1]}
		add(fmt.Sprintf("d%d-f%d", l.d, l.ffn), fmt.Sprintf("Three rows of %d, %d hidden elements.", l.d, l.ffn), "SGL-1 SGL-2 SGL-3 SGL-4",
			"edges gate activation", l.gatedWeights(), normal(1.2, 3, l.d))
	}
	l := layer{d: 6, ffn: 16}
	for _, biases := range gatedBiases {
		name, comment := biasCase(biases)
		add(name, comment, "SGL-1 SGL-4", "bias", l.gatedWeights().only(gatedMatrices+" "+biases), normal(1, 3, l.d))
	}
	add("vector", "No leading axis.", "SGL-1", "rows", layer{d: 7, ffn: 9}.gatedWeights(), normal(1, 7))
	add("axes", "Rows of very different size, behind two axes.", "SGL-1 SGL-3", "rows gate", l.gatedWeights(),
		normal(1, 2, 3, 6).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/6-2) }))
	add("zero-gate", "Some columns of w1 are 0, and so are their gates without a bias: their values do not count.", "SGL-1 SGL-3", "gate",
		l.gatedWeights().only("w1 w3 b3 w2").with("w1", normal(0.7, 6, 16).mapped(func(i int, x float64) float64 { return x * float64(i%16%3) })),
		normal(1, 3, 6))
	add("zero-value", "Some values are 0: their gates do not count.", "SGL-1 SGL-3", "gate",
		l.gatedWeights().only("w1 b1 w3 w2").with("w3", normal(0.7, 6, 16).mapped(func(i int, x float64) float64 { return x * float64(i%16%3) })),
		normal(1, 3, 6))
	add("grid", "Gates from -8 to 8.", "SGL-2", "activation", oneGate(1.5),
		each(func(_ *source, i int) float64 { return float64(i-32) / 4 }, 65, 1))
	add("negative-tail", "Gates from -10 to -80, one a row, and values that bring the product back to the size of 1.", "SGL-2 SGL-5",
		"tails activation",
		args{"w1": diagonal(-10, -20, -40, -60, -80), "w3": diagonal(2e3, 2e7, 5e15, 1e24, 7e32), "w2": all(1, 5, 5)}, diagonal(1, 1, 1, 1, 1))
	add("far-negative", "Gates from -90 down, where exp(-z) overflows, beside one of 1.", "SGL-5", "tails",
		args{"w1": floats([]float64{0, -1}, 1, 2), "b1": floats([]float64{1, 0}, 2), "w3": all(0, 1, 2), "b3": floats([]float64{2, 3}, 2),
			"w2": floats([]float64{1, 2}, 2, 1)},
		floats([]float64{91, 105, 1e3, 1e6, 1e30}, 5, 1))
	add("far-positive", "Gates from 20 to 1e30, which SiLU leaves as they are.", "SGL-5", "tails", oneGate(1.25, -0.5),
		floats([]float64{20, 89, 105, 1e3, 1e10, 1e30}, 6, 1))
	add("near-zero", "Gates from 1e-2 to 1e-30: half of them is left.", "SGL-2 SGL-5", "activation", oneGate(3),
		normal(1, 5, 1).mapped(func(i int, x float64) float64 { return math.Ldexp(x, []int{-7, -17, -33, -66, -99}[i]) }))
	add("specials", "A row with a NaN is NaN, and so is one with an infinity, which makes gates of -Inf; other rows are as ever.", "SGL-6",
		"specials rows", l.gatedWeights(), normal(1, 5, 6).set(nan, 8).set(inf, 15).set(-inf, 25))
	add("gate-plus-infinity", "One gate is +Inf: infinite results, no NaN.", "SGL-6", "specials",
		l.gatedWeights().with("b1", normal(0.4, 16).set(inf, 3)), normal(1, 3, 6))
	add("gate-minus-infinity", "One gate is -Inf: NaN, and not the limit 0.", "SGL-6", "specials",
		l.gatedWeights().with("b1", normal(0.4, 16).set(-inf, 3)), normal(1, 3, 6))
	add("value-infinity", "One value is infinite.", "SGL-6", "specials", l.gatedWeights().with("b3", normal(0.4, 16).set(-inf, 3)), normal(1, 3, 6))
	sixteenth := layer{d: 256, ffn: 688, recipes: true}
	add("llama", "A sixteenth of the widths of LLaMA 7B, whose hidden layer has 43/16 of the model's; no biases.", "SGL-1 SGL-4", "edges",
		sixteenth.gatedWeights().only(gatedMatrices), sum4(1, 2, 256))
	wide := wideLayer()
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 66, 70 hidden elements.", clauses: "SGL-1", consts: wide.gatedWeights(),
		src: args{"x": sum4(1, 130, wide.d)},
	}}
	return f
}

// diagonal is a square matrix with these elements on its diagonal.
func diagonal(values ...float64) draw {
	n := len(values)
	return each(func(_ *source, i int) float64 {
		if i/n == i%n {
			return values[i/n]
		}
		return 0
	}, n, n)
}

var _ = register("swiglu.grad", swigluGradFamily)

func swigluGradFamily() family {
	f := family{flags: []vector.Flag{
		edgesFlag, upstreamFlag, biasFlag, addsFlag,
		{Name: "gate", Bug: "the gradients of gate and value are exchanged, or one of them does not reach x"},
		{Name: "activation", Bug: "a term of the derivative of SiLU is missing, or it is that of another function, or taken at the result"},
		{Name: "rows", Bug: "the weights' gradients are those of the last row or the last axis"},
		{Name: "tails", Bug: "exp overflows far from 0"},
		{Name: "specials", Bug: "NaN and infinities are lost, or the derivative has its limits at infinities"},
	}}
	add := func(name, comment, clauses, flags string, consts args, x, dy draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, consts: consts, src: args{"x": x, "dy": dy}})
	}
	for _, s := range gatedSizes {
		l := layer{d: s[0], ffn: s[1]}
		add(fmt.Sprintf("d%d-f%d", l.d, l.ffn), fmt.Sprintf("Three rows of %d, %d hidden elements.", l.d, l.ffn), "GRAD-1 SGL-7 SGL-8",
			"edges gate activation upstream", l.gatedWeights(), normal(1.2, 3, l.d), around(0.3, 1, 3, l.d))
	}
	l := layer{d: 6, ffn: 9}
	for _, biases := range gatedBiases {
		name, comment := biasCase(biases)
		add(name, comment, "GRAD-2 SGL-8", "bias", l.gatedWeights().only(gatedMatrices+" "+biases), normal(1, 3, l.d),
			around(0.3, 1, 3, l.d))
	}
	add("vector", "No leading axis.", "SGL-8", "rows", layer{d: 7, ffn: 9}.gatedWeights(), normal(1, 7), normal(1, 7))
	add("axes", "Rows of different size behind two axes; the weights' gradients sum over both.", "SGL-8", "rows bias gate", l.gatedWeights(),
		normal(1, 2, 3, 6).mapped(func(i int, x float64) float64 { return math.Ldexp(x, i/6-3) }), around(0.3, 1, 2, 3, 6))
	add("grid", "Gates from -8 to 8: the derivative of SiLU goes from 0 below 0 to above 1 and back.", "SGL-7", "activation", oneGate(1.5),
		each(func(_ *source, i int) float64 { return float64(i-32) / 4 }, 65, 1), around(1, 0.3, 65, 1))
	add("tails", "Gates from 20 to 1e4, of both signs, beside one of 1.", "SGL-7 SGL-9", "tails",
		args{"w1": floats([]float64{0, 1}, 1, 2), "b1": floats([]float64{1, 0}, 2), "w3": floats([]float64{0.5, 0.25}, 1, 2),
			"b3": floats([]float64{1, -2}, 2), "w2": floats([]float64{1, 2}, 2, 1)},
		floats([]float64{20, -20, 60, -60, 91, -91, 105, -105, 1e3, -1e3, 1e4, -1e4}, 12, 1), around(1, 0.3, 12, 1))
	add("specials", "Rows with NaN and infinities are NaN in dx; every sum over rows is NaN too.", "SGL-9", "specials", l.gatedWeights(),
		normal(1, 5, 6).set(nan, 8).set(inf, 15).set(-inf, 25), around(0.3, 1, 5, 6))
	for name, gate := range sorted(map[string]float64{"plus": inf, "minus": -inf}) {
		add("gate-"+name+"-infinity", fmt.Sprintf("One gate is %+v: its derivative is NaN.", gate), "SGL-9", "specials",
			l.gatedWeights().with("b1", normal(0.4, 9).set(gate, 3)), normal(1, 3, 6), around(0.3, 1, 3, 6))
	}
	f.cases = append(f.cases, testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite",
		consts: layer{d: 4, ffn: 6}.gatedWeights(), steps: twice(func() args { return args{"x": normal(1, 3, 4), "dy": normal(1, 3, 4)} }),
	})
	wide := wideLayer()
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows of 66, 70 hidden elements.", clauses: "SGL-8", consts: wide.gatedWeights(),
		src: args{"x": sum4(1, 130, wide.d), "dy": recipe("sum4", sqrt3, 0.3, 130, wide.d)},
	}}
	return f
}
