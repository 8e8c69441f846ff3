package generation

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
)

// toy is a model whose weights are large enough for its tokens to differ.
func toy() *Model {
	r := rand.New(rand.NewPCG(3, 4))
	x := func(shape ...int) op.Tensor {
		t := op.New(op.F32, shape...)
		for i := range t.F32 {
			t.F32[i] = float32(r.NormFloat64())
		}
		return t
	}
	const v, d, f, l, n = 11, 8, 16, 2, 12
	return &Model{Attrs: op.GPTAttrs{Heads: 2, Norm: "pre", Activation: "gelu", Eps: 1e-5, Positions: "learned"}, Context: n, Weights: op.GPTWeights{
		Wte: x(v, d), Wpe: x(n, d), LN1Gamma: x(l, d), LN1Beta: x(l, d), Wq: x(l, d, d), Bq: x(l, d), Wk: x(l, d, d), Bk: x(l, d), Wv: x(l, d, d), Bv: x(l, d),
		Wo: x(l, d, d), Bo: x(l, d), LN2Gamma: x(l, d), LN2Beta: x(l, d), W1: x(l, d, f), B1: x(l, f), W2: x(l, f, d), B2: x(l, d), LNfGamma: x(d), LNfBeta: x(d),
	}}
}

func generate(t *testing.T, m *Model, prompt []int64, o Options) []int64 {
	t.Helper()
	var tokens []int64
	err := m.Generate(t.Context(), prompt, o, func(ids ...int64) error {
		tokens = append(tokens, ids...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// reference is what the op gpt.generate of the reference gives.
func reference(t *testing.T, m *Model, attrs string, prompt []int64, draws op.Tensor) []int64 {
	t.Helper()
	spec := op.Spec{Op: "gpt.generate", Attrs: []byte(attrs)}
	for _, w := range m.Weights.Tensors() {
		spec.Const = append(spec.Const, w.Convert(op.F64))
	}
	src := []op.Tensor{op.Int64(prompt, 1, len(prompt)), draws}
	dst, err := op.Shapes(spec, src, op.F64)
	if err != nil {
		t.Fatal(err)
	}
	k, err := refimpl.New().Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run(dst, src); err != nil {
		t.Fatal(err)
	}
	return dst[0].I64[:dst[1].I64[0]]
}

// none is a token that the vocabulary lacks.
const none = 99

var plain = op.BeamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"}

// Within its context a model gives the tokens of the op gpt.generate, without the one that ends them.
func TestStrategies(t *testing.T) {
	m, prompt := toy(), []int64{1, 5, 2}
	for _, tt := range []struct {
		name, attrs string
		o           Options
	}{
		{"greedy", `{"heads":2,"max_new":10}`, Options{Strategy: "greedy", MaxNew: 10, End: none}},
		{"textbook", `{"heads":2,"max_new":10,"strategy":"beam","beams":3}`,
			Options{Strategy: "beam", BeamAttrs: op.BeamAttrs{Form: "textbook", Beams: 3, Penalty: "length", EarlyStopping: "false"}, MaxNew: 10, End: none}},
		{"hf", `{"heads":2,"max_new":8,"strategy":"beam","form":"hf","beams":2,"length_penalty":1,"end":[4]}`,
			Options{Strategy: "beam", BeamAttrs: op.BeamAttrs{Form: "hf", Beams: 2, LengthPenalty: 1, Penalty: "length", EarlyStopping: "false"}, MaxNew: 8, End: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, want := generate(t, m, prompt, tt.o), reference(t, m, tt.attrs, prompt, op.Tensor{})
			if n := len(want); n > 0 && want[n-1] == tt.o.End {
				want = want[:n-1]
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestSamplesAreAFunctionOfTheSeed(t *testing.T) {
	m, prompt := toy(), []int64{1}
	o := Options{Strategy: "sample", SamplingAttrs: op.SamplingAttrs{Temperature: 3, TopP: 1}, BeamAttrs: plain, MaxNew: 30, End: none, Seed: 1}
	once, again := generate(t, m, prompt, o), generate(t, m, prompt, o)
	if !slices.Equal(once, again) || len(once) != 30 {
		t.Errorf("got %v, and then %v", once, again)
	}
	o.Seed = 2
	if other := generate(t, m, prompt, o); slices.Equal(once, other) {
		t.Errorf("another seed gives %v again", other)
	}
	o.MaxNew = 7
	o.Seed = 1
	if fewer := generate(t, m, prompt, o); !slices.Equal(fewer, once[:7]) {
		t.Errorf("7 tokens are %v, want the first of %v", fewer, once)
	}
	o.TopK = 1
	if only := generate(t, m, prompt, o); !slices.Equal(only, generate(t, m, prompt, Options{Strategy: "greedy", MaxNew: 7, End: none})) {
		t.Errorf("with top-k 1 the tokens are %v, want those of greedy", only)
	}
}

// Beyond its context a model goes on from the last half of it; what it gives there is what it gives to that half alone.
func TestBeyondTheContext(t *testing.T) {
	m := toy()
	o := Options{Strategy: "greedy", MaxNew: 40, End: none}
	all := generate(t, m, []int64{3}, o)
	if len(all) != 40 {
		t.Fatalf("%d tokens, want 40", len(all))
	}
	o.MaxNew = 6
	if got := generate(t, m, all[6:12], o); !slices.Equal(got, all[12:18]) { // 12 fill the context, whose last half are these six
		t.Errorf("got %v, want %v", got, all[12:18])
	}
	long := generate(t, m, append(slices.Repeat([]int64{9}, 50), all[:6]...), o)
	if short := generate(t, m, all[:6], o); !slices.Equal(long, short) {
		t.Errorf("a prompt longer than the context gives %v, want what its end gives, %v", long, short)
	}
	o = Options{Strategy: "beam", BeamAttrs: op.BeamAttrs{Form: "textbook", Beams: 2, Penalty: "length", EarlyStopping: "false"}, MaxNew: 12, End: 4}
	if err := m.Generate(t.Context(), []int64{1, 2}, o, func(...int64) error { return nil }); err == nil {
		t.Error("a beam search that does not fit began")
	}
}

func TestGenerateStops(t *testing.T) {
	m, prompt := toy(), []int64{1, 5, 2}
	free := generate(t, m, prompt, Options{Strategy: "greedy", MaxNew: 10, End: none})
	at := slices.Index(free, free[9])
	if got := generate(t, m, prompt, Options{Strategy: "greedy", MaxNew: 10, End: free[at]}); !slices.Equal(got, free[:at]) {
		t.Errorf("got %v, want %v up to the first %d", got, free, free[at])
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := m.Generate(ctx, prompt, Options{Strategy: "greedy", MaxNew: 10, End: none}, func(...int64) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 3 {
		t.Errorf("got %v after %d tokens", err, n)
	}
	full := errors.New("full")
	if err := m.Generate(t.Context(), prompt, Options{Strategy: "greedy", MaxNew: 10, End: none}, func(...int64) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want what emit returned", err)
	}
	if err := m.Generate(t.Context(), nil, Options{Strategy: "greedy", MaxNew: 1}, nil); err == nil {
		t.Error("a prompt of no tokens was continued")
	}
}

// The bytes of a character may be several tokens: they are written together, and what is no character all the same.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := Writer{W: &out, Decode: func(ids []int64) (text []byte, err error) {
		for _, id := range ids {
			text = append(text, byte(id))
		}
		return text, nil
	}}
	for i, step := range []struct {
		ids  []int64
		want string
	}{
		{[]int64{'a', 0xF0}, "a"}, {[]int64{0x9F}, "a"}, {[]int64{0x99, 0x82}, "a\U0001f642"}, {[]int64{0xC3}, "a\U0001f642"}, {[]int64{'b'}, "a\U0001f642\xc3b"},
		{[]int64{0x80, 0xE2, 0x82}, "a\U0001f642\xc3b\x80"},
	} {
		if err := w.Emit(step.ids...); err != nil {
			t.Fatal(err)
		}
		if out.String() != step.want {
			t.Errorf("step %d: written %q, want %q", i, out.String(), step.want)
		}
	}
	if err := w.Close(); err != nil || out.String() != "a\U0001f642\xc3b\x80\xe2\x82" {
		t.Errorf("written %q, %v", out.String(), err)
	}
}
