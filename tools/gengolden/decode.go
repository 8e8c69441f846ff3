package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// logits draws rows of numbers of bfloat16.
func logits(shape ...int) draw { return normal(2, shape...).short() }

// short rounds a draw to numbers of bfloat16, so that an implementation which stores in it sees the same logits, and ranks them alike.
func (d draw) short() draw {
	return d.mapped(func(_ int, x float64) float64 { return op.BFloat16Format.Round(x) })
}

// steps draws rows of n numbers that are step apart, in an order of their own.
func steps(step float64, rows, n int) draw {
	return func(s *source) vector.Input {
		var values []float64
		for range rows {
			for _, i := range s.Perm(n) {
				values = append(values, step*(float64(i)-float64(n/2)))
			}
		}
		return floats(values, rows, n)(s)
	}
}

var (
	tieFlag     = vector.Flag{Name: "ties", Bug: "of equal logits the last is taken, all are, or the order of a sort that is not stable decides"}
	roundedFlag = vector.Flag{Name: "rounded", Bug: "tokens are ranked by rounded probabilities, which are equal where logits are not"}
	hiddenFlag  = vector.Flag{Name: "minus-inf", Bug: "a token without a probability is chosen, counted or given one", See: "allennlp #2028"}
	numberFlag  = vector.Flag{Name: "not-a-distribution", Bug: "a row of NaN, +Inf or nothing but -Inf gives a token", See: "transformers #21435"}
	rowFlag     = vector.Flag{Name: "rows", Bug: "rows are confused, or all take the parameters of one"}
)

// draws gives draws of 32 bits.
func draws(n int) draw {
	return func(s *source) vector.Input {
		t := op.New(op.I64, n)
		for i := range t.I64 {
			t.I64[i] = int64(s.Uint32())
		}
		return stored(t)
	}
}

// u24 returns draws whose upper 24 bits are nearest to these numbers.
func u24(us ...float64) []int64 {
	var ds []int64
	for _, u := range us {
		ds = append(ds, int64(math.Round(u*(1<<24)))<<8)
	}
	return ds
}

// repeated gives the one row that it draws n times.
func (d draw) repeated(n int) draw {
	return func(s *source) vector.Input {
		in := d(s)
		row := in.Data.F32
		t := op.New(op.F32, n, len(row))
		for i := range n {
			copy(t.F32[i*len(row):], row)
		}
		return stored(t)
	}
}

var _ = register("greedy", greedyFamily)

func greedyFamily() family {
	f := family{flags: []vector.Flag{tieFlag, roundedFlag, hiddenFlag, numberFlag, rowFlag,
		{Name: "edges", Bug: "a kernel's remainder loops: maxima at the ends of blocks and rows"},
		{Name: "range", Bug: "a running maximum that begins at 0 or at a finite number"},
	}}
	add := func(name, comment, clauses, flags string, x draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, src: args{"logits": x}, compare: vector.Exact})
	}
	fails := func(name, comment string, x draw) {
		add(name, comment, "DEC-1", "not-a-distribution", x)
		f.cases[len(f.cases)-1].err = "number"
	}
	for _, n := range []int{2, 7, 8, 9, 31, 32, 33, 65, 257} {
		add(fmt.Sprintf("n-%d", n), fmt.Sprintf("Rows of %d.", n), "DEC-4", "edges rows", logits(5, n))
	}
	add("ends", "The maximum is at either end, and next to it.", "DEC-4", "edges", logits(4, 19).set(9, 0, 19+18, 2*19+1, 3*19+17))
	add("one", "One token.", "DEC-4", "rows", logits(3, 1))
	add("ties", "Equal maxima: the lowest index.", "DEC-3 DEC-4", "ties", logits(3, 12).set(7, 3, 11, 12+1, 12+2, 24+5, 24+9, 24+10))
	add("ties-wide", "Equal maxima in different blocks.", "DEC-3 DEC-4", "ties edges", logits(2, 130).set(8, 64, 129, 130+7, 130+8, 130+127))
	add("all-equal", "Nothing but equal logits, behind a -Inf.", "DEC-3 DEC-4", "ties minus-inf", all(-3, 2, 9).set(-inf, 0, 9, 10))
	add("signed-zero", "-0 and 0 are equal.", "DEC-3 DEC-4", "ties", all(-1, 1, 6).set(math.Copysign(0, -1), 2).set(0, 4))
	add("close", "Logits that have equal probabilities in float32, and are not equal.", "DEC-3 DEC-4", "rounded",
		all(-5, 2, 9).set(op.BFloat16Format.Round(1e-30), 7, 9+3).set(0, 2, 5, 9+1, 9+8))
	add("subnormal", "Subnormal logits have an order.", "DEC-3 DEC-4", "rounded range", all(-1e-40, 1, 7).set(1e-40, 3).set(3e-40, 5).short())
	add("negative", "All logits are far below 0.", "DEC-4", "range", around(-1e30, 1e28, 2, 9).short())
	add("huge", "Logits near the largest number.", "DEC-4", "range", normal(1e38, 2, 8).short())
	add("minus-inf", "Most logits are -Inf.", "DEC-2 DEC-4", "minus-inf range", all(-inf, 3, 9).set(-1e30, 4, 9+8).set(-2, 18+1, 18+6))
	fails("nan", "A NaN, behind the maximum.", logits(1, 9).set(9, 2).set(nan, 6))
	fails("nan-first", "A NaN, before all else.", logits(1, 9).set(nan, 0))
	fails("nan-second-row", "A NaN in the second row.", logits(2, 5).set(nan, 7))
	fails("plus-inf", "A +Inf.", logits(1, 9).set(inf, 3))
	fails("all-minus-inf", "Nothing but -Inf in the last row.", logits(3, 4).set(-inf, 8, 9, 10, 11))
	f.wide = []testCase{{name: "rows-130", comment: "130 rows.", clauses: "DEC-4", src: args{"logits": logits(130, 5)}, compare: vector.Exact}}
	return f
}

var _ = register("distribution", distributionFamily)

func distributionFamily() family {
	f := family{flags: []vector.Flag{tieFlag, roundedFlag, hiddenFlag, numberFlag, rowFlag,
		{Name: "temperature", Bug: "logits are multiplied by the temperature, or divided after another stage, or it is left out"},
		{Name: "overflow", Bug: "the maximum is not subtracted before the division: a small temperature overflows", See: "transformers #11267"},
		{Name: "greedy", Bug: "temperature 0 divides by 0, or does not win over the other parameters"},
		{Name: "top-k", Bug: "k - 1 or k + 1 tokens are kept, 0 keeps none, or a k above the vocabulary fails"},
		{Name: "top-p", Bug: "the token that crosses p is dropped, or the test is > for >=", See: "esm #360, fish-speech #1171, transformers #18976"},
		{Name: "order", Bug: "the stages come in another order, or probabilities are not renormalised in between"},
		{Name: "normalised", Bug: "what is left does not sum to 1"},
		{Name: "attributes", Bug: "parameters outside their range are accepted"},
		{Name: "boundary", Bug: "neither answer of those that rounding may give: both lists of results are right"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, x draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: args{"logits": x}})
		return &f.cases[len(f.cases)-1]
	}
	exactly := func(name, comment, clauses, flags string, a attrs, x draw) {
		add(name, comment, clauses, flags, a, x).compare = vector.Exact
	}
	wrong := func(name, comment string, a attrs) {
		add(name, comment, "DEC-11", "attributes", a, logits(2, 5)).err = "attributes"
	}
	add("plain", "Without parameters: softmax.", "DEC-5", "normalised rows", nil, logits(3, 9))
	add("wide", "257 tokens.", "DEC-5", "normalised", nil, logits(1, 257))
	for _, T := range []float64{0.25, 0.7, 1.3, 4} {
		add(fmt.Sprintf("temperature-%g", T), fmt.Sprintf("Temperature %g.", T), "DEC-5", "temperature normalised", attrs{"temperature": T}, logits(2, 9))
	}
	add("temperature-small", "A temperature at which logits over it overflow; two logits are equal.", "DEC-6", "temperature overflow", attrs{"temperature": 1e-38},
		logits(2, 6).set(40, 1, 4, 7))
	add("temperature-tiny", "Logits of 1e30 at a temperature of 1e-30.", "DEC-6", "overflow", attrs{"temperature": 1e-30},
		normal(1e29, 2, 6).short().set(op.BFloat16Format.Round(1e30), 0, 3, 8))
	add("temperature-large", "A temperature of 1e6: nearly uniform.", "DEC-5", "temperature", attrs{"temperature": 1e6}, logits(1, 7))
	exactly("temperature-0", "Temperature 0 is greedy: 1, and 0 for all others.", "DEC-7", "greedy", attrs{"temperature": 0}, logits(3, 9))
	exactly("temperature-0-ties", "Temperature 0, and equal maxima.", "DEC-7 DEC-3", "greedy ties", attrs{"temperature": 0}, logits(2, 9).set(8, 2, 5, 9+4, 9+8))
	exactly("temperature-0-others", "Temperature 0 beside a top-k and a top-p that leave more.", "DEC-7", "greedy", attrs{"temperature": 0, "top_k": 4, "top_p": 0.95},
		logits(2, 9))

	for _, k := range []int{2, 3, 7, 8} {
		add(fmt.Sprintf("top-k-%d", k), fmt.Sprintf("The %d most likely of nine.", k), "DEC-8", "top-k normalised rows", attrs{"top_k": k}, logits(3, 9))
	}
	exactly("top-k-1", "One token is left: exactly 1.", "DEC-8", "top-k", attrs{"top_k": 1}, logits(3, 9))
	add("top-k-0", "k = 0 is off.", "DEC-8", "top-k", attrs{"top_k": 0}, logits(2, 9))
	add("top-k-v", "k = V keeps all.", "DEC-8", "top-k", attrs{"top_k": 9}, logits(2, 9))
	add("top-k-above", "k above the vocabulary keeps all.", "DEC-8", "top-k", attrs{"top_k": 1000}, logits(2, 9))
	add("top-k-40", "40 of 300.", "DEC-8", "top-k", attrs{"top_k": 40}, steps(1./16, 1, 300))
	exactly("top-k-ties", "Four equal logits for the last two places: the first two stay.", "DEC-3 DEC-8", "ties top-k", attrs{"top_k": 4},
		all(-6, 2, 12).set(3, 1, 4, 7, 8, 10, 12, 14, 15, 19, 23))
	exactly("top-k-all-equal", "Eight equal logits, k = 4: exactly 1/4 for the first four.", "DEC-3 DEC-8", "ties top-k", attrs{"top_k": 4}, all(1.5, 2, 8))
	exactly("top-k-minus-inf", "k is more than there are finite logits.", "DEC-2 DEC-8", "minus-inf top-k", attrs{"top_k": 6},
		all(-inf, 2, 9).set(2, 1, 3, 5, 8, 10, 11, 16, 17))
	exactly("top-k-rounded", "Two logits whose probabilities are equal in float32, the larger behind the smaller: it stays.", "DEC-3 DEC-8", "rounded top-k",
		attrs{"top_k": 1}, all(-9, 2, 6).set(0, 1, 6).set(op.BFloat16Format.Round(1e-30), 4, 11))
	exactly("top-k-hot", "A temperature that makes quotients equal in float32: the larger logit stays.", "DEC-3 DEC-8", "rounded top-k temperature",
		attrs{"temperature": 1e12, "top_k": 1}, steps(1./8, 2, 9))

	for _, p := range []float64{0.3, 0.5, 0.9, 0.99} {
		add(fmt.Sprintf("top-p-%g", p), fmt.Sprintf("p = %g.", p), "DEC-9", "top-p normalised rows", attrs{"top_p": p}, steps(3./8, 3, 11))
	}
	add("top-p-wide", "p = 0.9 of 257 tokens.", "DEC-9", "top-p", attrs{"top_p": 0.9}, steps(1./16, 1, 257))
	exactly("top-p-0", "p = 0 leaves one token.", "DEC-9", "top-p", attrs{"top_p": 0}, logits(3, 9))
	exactly("top-p-tiny", "p = 1e-8, beside which 1 - p is 1: the first token alone reaches it, also where two are equal.", "DEC-3 DEC-9", "top-p ties",
		attrs{"top_p": 1e-8}, all(0, 2, 2).set(1, 3))
	exactly("top-p-one-ahead", "The first token has more than p by itself: it stays, alone.", "DEC-9", "top-p", attrs{"top_p": 0.25}, logits(2, 9).set(12, 3, 9+6))
	add("top-p-1", "p = 1 leaves all, down to exp(-60).", "DEC-10", "top-p", attrs{"top_p": 1}, all(-20, 2, 9).set(0, 2, 13).set(-60, 5, 9))
	exactly("top-p-equal", "Four equal logits and p = 1/2: the sum reaches p with the second.", "DEC-3 DEC-9", "top-p ties", attrs{"top_p": 0.5}, all(0, 2, 4))
	exactly("top-p-equal-8", "Eight equal logits and p = 7/8, behind a -Inf: seven stay.", "DEC-2 DEC-9", "top-p ties minus-inf", attrs{"top_p": 0.875},
		all(-1, 1, 9).set(-inf, 0))
	add("top-p-minus-inf", "Half of the logits are -Inf.", "DEC-2 DEC-9", "top-p minus-inf", attrs{"top_p": 0.7}, steps(1./2, 2, 10).set(-inf, 0, 3, 4, 8, 9, 11, 12, 15, 19))

	add("chain", "All three stages.", "DEC-5 DEC-8 DEC-9", "order normalised temperature top-k top-p", attrs{"temperature": 0.8, "top_k": 6, "top_p": 0.85},
		steps(1./4, 3, 12))
	// p = .55 of the three left by top-k holds one token; of all twelve it holds two.
	add("chain-renormalised", "p is of the probabilities after top-k.", "DEC-9", "order", attrs{"top_k": 2, "top_p": 0.7}, steps(1, 2, 12))
	add("chain-hot", "A high temperature widens the nucleus: it comes first.", "DEC-5 DEC-9", "order temperature", attrs{"temperature": 3, "top_p": 0.6}, steps(1./2, 2, 12))
	add("chain-cold", "A low temperature narrows it.", "DEC-5 DEC-9", "order temperature", attrs{"temperature": 0.3, "top_p": 0.9}, steps(1./4, 2, 12))

	boundary := add("boundary", "p stands on a sum: two tokens or three, each answer whole.", "DEC-9", "boundary top-p", nil, floats([]float64{1.5, -1, 0.5, 2.5, -3}, 1, 5))
	// the sum of the first two probabilities, rounded to eleven digits: it is more by 1e-12. At 0.889 two are enough
	boundary.attrs, boundary.or = attrs{"top_p": 0.88967833383}, []change{{attrs: attrs{"top_p": 0.889}}}

	add("nan", "A NaN in the second row.", "DEC-1", "not-a-distribution", attrs{"top_k": 2}, logits(2, 5).set(nan, 8)).err = "number"
	add("plus-inf", "A +Inf in the first.", "DEC-1", "not-a-distribution", nil, logits(2, 5).set(inf, 1)).err = "number"
	add("all-minus-inf", "A second row of -Inf.", "DEC-1", "not-a-distribution", attrs{"top_p": 0.9}, logits(2, 3).set(-inf, 3, 4, 5)).err = "number"
	add("nan-greedy", "Temperature 0 does not hide a NaN.", "DEC-1 DEC-7", "not-a-distribution greedy", attrs{"temperature": 0}, logits(1, 5).set(nan, 3)).err = "number"
	wrong("temperature-negative", "A negative temperature.", attrs{"temperature": -1})
	wrong("temperature-text", "A temperature that is no number.", attrs{"temperature": "NaN"})
	wrong("top-k-negative", "A negative k.", attrs{"top_k": -1})
	wrong("top-p-negative", "A negative p.", attrs{"top_p": -0.1})
	wrong("top-p-above", "p above 1.", attrs{"top_p": 1.5})
	f.wide = []testCase{{
		name: "rows-130", comment: "130 rows, of which three tokens are left.", clauses: "DEC-5 DEC-8", attrs: attrs{"top_k": 3},
		src: args{"logits": steps(0.5, 130, 5)},
	}}
	return f
}

var _ = register("sample", sampleFamily)

func sampleFamily() family {
	f := family{flags: []vector.Flag{tieFlag, roundedFlag, hiddenFlag, numberFlag, rowFlag,
		{Name: "inversion", Bug: "probabilities are summed in another order, largest first for one, or another draw's row is used"},
		{Name: "strict", Bug: "the test is >= u for > u", See: "llm.c sample_mult"},
		{Name: "bits", Bug: "u is made of the low bits of the draw, of all 32 rounded to float32 (which can be 1), or of 2^32 - 1 in the divisor",
			See: "math/rand/v2 Float32 uses the low 24 bits"},
		{Name: "last", Bug: "a sum that rounding leaves below u runs past the last token, or ends on one without a probability", See: "allennlp #2028"},
		{Name: "chain", Bug: "temperature, top-k or top-p do not reach sampling"},
		{Name: "draw-range", Bug: "draws that are no numbers of 32 bits are accepted"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, x, at draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: args{"logits": x, "draws": at}})
		return &f.cases[len(f.cases)-1]
	}
	exactly := func(name, comment, clauses, flags string, a attrs, x, at draw) {
		add(name, comment, clauses, flags, a, x, at).compare = vector.Exact
	}
	add("plain", "Eight draws from one distribution.", "DEC-12", "inversion rows", nil, logits(1, 7).repeated(8), draws(8))
	add("rows", "Eight distributions.", "DEC-12", "inversion rows", nil, logits(8, 12), draws(8))
	add("wide", "257 tokens, nearly uniform.", "DEC-12", "inversion", nil, normal(0.25, 6, 257).short(), draws(6))
	add("descending", "Tokens in the order of their probability, and against it.", "DEC-12", "inversion", nil,
		each(func(_ *source, i int) float64 {
			return []float64{2, 1, 0, -1, -1, 0, 1, 2}[i%8] / 2 * float64(1-i/16*2)
		}, 4, 4), idsOf(u24(0.3, 0.8, 0.3, 0.8), 4))
	add("temperature", "A temperature of 1/4.", "DEC-5 DEC-12", "chain", attrs{"temperature": 0.25}, logits(8, 9), draws(8))
	add("temperature-hot", "A temperature of 8.", "DEC-5 DEC-12", "chain", attrs{"temperature": 8}, logits(8, 9), draws(8))
	add("top-k", "The three most likely tokens.", "DEC-8 DEC-12", "chain", attrs{"top_k": 3}, steps(1./8, 8, 9), draws(8))
	add("top-p", "p = 0.6.", "DEC-9 DEC-12", "chain", attrs{"top_p": 0.6}, steps(3./8, 8, 9), draws(8))
	add("chain", "All three.", "DEC-5 DEC-8 DEC-9 DEC-12", "chain inversion", attrs{"temperature": 1.5, "top_k": 6, "top_p": 0.8}, steps(3./8, 8, 12), draws(8))
	exactly("temperature-0", "Temperature 0: whatever the draw, the first of equal maxima.", "DEC-3 DEC-7 DEC-12", "chain ties", attrs{"temperature": 0},
		logits(4, 9).set(8, 2, 7, 9+4, 9+5, 18+8, 27+1, 27+3), idsOf(u24(0, 0.3, 0.7, 0.999), 4))
	exactly("top-k-1", "One token is left.", "DEC-8 DEC-12", "chain", attrs{"top_k": 1}, logits(4, 9), idsOf(u24(0, 0.3, 0.7, 0.999), 4))
	exactly("top-k-ties", "Of six equal logits four are left: the first four.", "DEC-3 DEC-8 DEC-12", "ties chain", attrs{"top_k": 4}, all(-2, 4, 6),
		idsOf(u24(0.1, 0.3, 0.6, 0.9), 4))
	exactly("top-k-rounded", "Of two logits whose probabilities are equal in float32 the larger is left.", "DEC-3 DEC-8 DEC-12", "rounded chain", attrs{"top_k": 1},
		all(-9, 2, 6).set(0, 1, 6).set(op.BFloat16Format.Round(1e-30), 4, 11), idsOf(u24(0.1, 0.9), 2))

	exactly("strict", "u equals the sum: it is the next token's.", "DEC-12", "strict inversion", nil, all(0, 5, 2), idsOf([]int64{1 << 31, 1<<31 - 1<<8, 0, 1<<31 + 1<<8, 1<<32 - 1<<8}, 5))
	exactly("strict-8", "Each multiple of 1/8 begins a token.", "DEC-12", "strict inversion", nil, all(3, 8, 8),
		idsOf([]int64{0, 1 << 29, 2 << 29, 3 << 29, 4 << 29, 5 << 29, 6 << 29, 7 << 29}, 8))
	exactly("strict-hidden", "u equals the sum before a -Inf: the token behind it.", "DEC-2 DEC-12 DEC-13", "strict minus-inf", nil,
		all(0, 2, 3).set(-inf, 1, 4), idsOf([]int64{1 << 31, 1<<31 - 1<<8}, 2))
	exactly("zero", "u = 0 chooses the first token that has a probability.", "DEC-2 DEC-13", "strict minus-inf", nil,
		all(0, 4, 4).set(-inf, 0, 4, 5, 8, 9, 10), idsOf([]int64{0, 0, 0, 0}, 4))
	exactly("zero-top-k", "u = 0, and the first tokens were dropped.", "DEC-8 DEC-13", "strict chain", attrs{"top_k": 2}, all(-1, 2, 6).set(1, 3, 5, 7, 9),
		idsOf([]int64{0, 0}, 2))
	exactly("last", "The largest u, before tokens of -Inf.", "DEC-12 DEC-13", "last minus-inf bits", nil, all(2, 3, 8).set(-inf, 4, 5, 6, 7, 15, 16+2, 16+3),
		idsOf([]int64{1<<32 - 1, 1<<32 - 1, 1<<32 - 1}, 3))
	add("last-three", "The largest u over three equal tokens: their sum may round to less than 1.", "DEC-13", "last minus-inf bits", nil,
		all(1, 1, 6).set(-inf, 1, 4, 5), ids(1<<32-1))
	add("last-of-61", "The same over 61 equal tokens, whose sum in float32 stays below u.", "DEC-13", "last minus-inf bits", nil,
		all(1, 1, 64).set(-inf, 61, 62, 63), ids(1<<32-1))
	exactly("low-bits", "The eight low bits of a draw do not count.", "DEC-12", "bits strict", nil, all(0, 4, 2),
		idsOf([]int64{0xff, 1<<31 - 1, 1 << 31, 1<<31 + 0xff}, 4))
	exactly("high-bits", "The high bits count: low ones that are all set do not make u large.", "DEC-12", "bits", nil, all(0, 4, 4),
		idsOf([]int64{0x00ffffff, 0x40ffffff, 0x80ffffff, 0xc0ffffff}, 4))

	for _, e := range []struct {
		name, comment string
		at            int64
	}{{"draw-negative", "A negative draw.", -1}, {"draw-33-bits", "A draw of 33 bits.", 1 << 32}, {"draw-huge", "A draw of 63 bits.", math.MaxInt64}} {
		add(e.name, e.comment, "DEC-14", "draw-range", nil, logits(2, 4), idsOf([]int64{7, e.at}, 2)).err = "index"
	}
	add("nan", "A NaN.", "DEC-1", "not-a-distribution", nil, logits(2, 5).set(nan, 8), draws(2)).err = "number"
	add("plus-inf", "A +Inf.", "DEC-1", "not-a-distribution", attrs{"top_k": 1}, logits(2, 5).set(inf, 1), draws(2)).err = "number"
	add("all-minus-inf", "Nothing but -Inf.", "DEC-1", "not-a-distribution", attrs{"temperature": 0}, logits(2, 3).set(-inf, 3, 4, 5), draws(2)).err = "number"

	// u stands on the sum of the first two: the second token, or the third.
	const edge = 6685731 // 2^24 times the sum is 0.4 more
	add("boundary", "u stands on a sum: either token is right.", "DEC-12", "inversion", nil, floats([]float64{0.5, 1.25, -1, 2}, 1, 4),
		ids(edge<<8)).or = []change{{src: args{"draws": ids((edge + 1) << 8)}}}
	f.wide = []testCase{{name: "rows-130", comment: "130 rows.", clauses: "DEC-12", src: args{"logits": logits(130, 5), "draws": draws(130)}}}
	return f
}
