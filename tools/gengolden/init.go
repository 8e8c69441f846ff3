package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

var _ = register("init", initFamily)

func initFamily() family {
	f := family{accumulate: op.Float64Format, flags: []vector.Flag{
		{Name: "scheme", Bug: "the schemes are confused, a limit of sqrt(3) for sqrt(6), a deviation for a limit"},
		{Name: "fan", Bug: "fans are read as of weights stored [out, in]: it does not show on square ones", See: "torch.nn.init on a Conv1D's weight"},
		{Name: "slope", Bug: "sqrt(2 / (1 + a)) for sqrt(2 / (1 + a^2)), or no gain"},
		{Name: "residual", Bug: "sqrt(L) for sqrt(2L), or none"},
		{Name: "draws", Bug: "other bits of the draw, sine for cosine, the other draw of the pair, log 0, an endpoint that is not reached or passed"},
		{Name: "precision", Bug: "the logarithm or the angle in float32"},
		{Name: "draw-range", Bug: "a draw of more than 32 bits wraps around"},
		{Name: "attributes", Bug: "a scheme that does not exist is accepted"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, in, out int) *testCase {
		shape := []int{in, out}
		if s := fmt.Sprint(a["scheme"]); s[len(s)-6:] == "normal" {
			shape = append(shape, 2)
		}
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: args{"draws": bits(shape...)}})
		return &f.cases[len(f.cases)-1]
	}
	for _, scheme := range []string{"xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "normal"} {
		clauses := "INIT-1 INIT-2 INIT-4 INIT-6"
		if scheme[len(scheme)-6:] == "normal" {
			clauses = "INIT-1 INIT-2 INIT-5 INIT-6"
		}
		add(scheme, "More inputs than outputs.", clauses, "scheme fan draws precision", attrs{"scheme": scheme}, 17, 5)
		add(scheme+"-wide", "More outputs than inputs.", clauses, "scheme fan", attrs{"scheme": scheme}, 3, 29)
	}
	add("fan-out", "Kaiming by the fan out.", "INIT-1 INIT-2", "fan", attrs{"scheme": "kaiming_uniform", "mode": "fan_out"}, 19, 4)
	add("fan-out-normal", "The same, normal.", "INIT-1 INIT-2", "fan", attrs{"scheme": "kaiming_normal", "mode": "fan_out"}, 4, 19)
	add("slope", "A leaky ReLU of slope 1/4.", "INIT-1", "slope", attrs{"scheme": "kaiming_uniform", "a": 0.25}, 6, 5)
	add("slope-sqrt5", "PyTorch's default of linear layers, a = sqrt 5: limits of 1/sqrt(in).", "INIT-1", "slope",
		attrs{"scheme": "kaiming_uniform", "a": math.Sqrt(5)}, 6, 5)
	add("gain", "The gain of tanh, 5/3.", "INIT-1", "slope scheme", attrs{"scheme": "xavier_uniform", "gain": 5.0 / 3}, 6, 5)
	add("gain-normal", "A gain acts on every scheme.", "INIT-1", "slope scheme", attrs{"scheme": "normal", "gain": 0.5, "std": 0.1}, 6, 5)
	add("residual", "GPT-2's residual projections, 12 layers.", "INIT-1 INIT-3", "residual", attrs{"scheme": "normal", "layers": 12}, 8, 6)
	add("residual-xavier", "One layer: divided by sqrt 2.", "INIT-1 INIT-3", "residual", attrs{"scheme": "xavier_uniform", "layers": 1}, 8, 6)
	add("one", "One weight.", "INIT-1", "scheme", attrs{"scheme": "xavier_normal"}, 1, 1)

	ends := []int64{0, 255, 256, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1<<32 - 256, 1<<32 - 257}
	add("uniform-ends", "The smallest and largest draws and the middle; the lower eight bits do not count.", "INIT-4", "draws",
		attrs{"scheme": "xavier_uniform"}, 2, 4).src = args{"draws": idsOf(ends, 2, 4)}
	add("normal-ends", "The smallest and largest first draws: 5.8 deviations, and 0.", "INIT-5 INIT-6", "draws precision",
		attrs{"scheme": "normal", "std": 1}, 2, 4).src = args{"draws": idsOf([]int64{0, 0, 0, 1 << 31, 255, 1 << 30, 0, 3 << 30,
		1<<32 - 1, 5, 1<<32 - 257, 1 << 20, 1<<32 - 512, 1 << 31, 1 << 31, 1<<32 - 1}, 2, 4, 2)}
	for _, d := range []int64{-1, 1 << 32} {
		c := add(fmt.Sprint("draw-", d), "A draw outside 32 bits is an error.", "INIT-7", "draw-range", attrs{"scheme": "xavier_uniform"}, 2, 2)
		c.src, c.err = args{"draws": idsOf([]int64{1, 2, d, 4}, 2, 2)}, "index"
	}
	add("no-scheme", "A scheme that does not exist is an error.", "INIT-1", "attributes", attrs{"scheme": "xavier_abnormal"}, 2, 2).err = "attributes"
	add("no-mode", "A mode that does not exist is an error.", "INIT-2", "attributes", attrs{"scheme": "kaiming_normal", "mode": "fan_avg"}, 2, 2).err = "attributes"
	f.wide = []testCase{{name: "wide", comment: "66 by 66.", clauses: "INIT-1 INIT-4", attrs: attrs{"scheme": "xavier_uniform"}, src: args{"draws": bits(66, 66)}}}
	return f
}
