package main

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
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

func sampleFamily() family {
	f := family{op: "sample", flags: []vector.Flag{tieFlag, roundedFlag, hiddenFlag, numberFlag, rowFlag,
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
	return f
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
