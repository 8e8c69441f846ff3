package reference

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// failer is what testing.T and rapid.T have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// sameBits fails unless got and want are the same numbers; NaN equals NaN, -0 equals 0.
func sameBits(t failer, got, want []float64) {
	t.Helper()
	within(t, got, want, 0)
}

// within fails unless each |got - want| <= units * 2^-53 * (largest finite |want|). NaN and infinities must agree in kind.
func within(t failer, got, want []float64, units float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d elements, want %d", len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			scale = max(scale, math.Abs(w))
		}
	}
	for i, w := range want {
		if got[i] == w || (math.IsNaN(got[i]) && math.IsNaN(w)) {
			continue
		}
		if err := math.Abs(got[i] - w); !(err <= units*0x1p-53*scale) {
			t.Fatalf("element %d is %v, want %v: off by %.3g units, %v allowed", i, got[i], w, err/(0x1p-53*scale), units)
		}
	}
}

// join concatenates the data of matrices.
func join(parts ...Matrix) (data []float64) {
	for _, p := range parts {
		data = append(data, p.Data...)
	}
	return data
}

// rowsOf builds a matrix from its rows.
func rowsOf(rows ...[]float64) Matrix {
	m := NewMatrix(len(rows), len(rows[0]))
	for i, r := range rows {
		copy(m.Row(i), r)
	}
	return m
}

// rowRange returns rows lo to hi-1, a copy.
func rowRange(m Matrix, lo, hi int) Matrix {
	return Matrix{hi - lo, m.Cols, append([]float64(nil), m.Data[lo*m.Cols:hi*m.Cols]...)}
}

func filled(n int, x float64) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = x
	}
	return y
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// panics runs f and returns the message that it panicked with.
func panics(f func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

// source makes random inputs.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 0))} }

// drawSource lets rapid choose the seed, so that a failure is reported with it and can be replayed.
func drawSource(t *rapid.T) source { return newSource(rapid.Uint64().Draw(t, "seed")) }

func (s source) vector(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = s.NormFloat64()
	}
	return x
}

func (s source) matrix(rows, cols int) Matrix { return Matrix{rows, cols, s.vector(rows * cols)} }

func (s source) heads(n, rows, cols int) []Matrix {
	m := make([]Matrix, n)
	for i := range m {
		m[i] = s.matrix(rows, cols)
	}
	return m
}

func (s source) ids(n, vocab int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = s.IntN(vocab)
	}
	return ids
}

func (s source) mha(d, heads, kvHeads, headDim int) MHAWeights {
	return MHAWeights{
		Wq: s.matrix(d, heads*headDim), Wk: s.matrix(d, kvHeads*headDim), Wv: s.matrix(d, kvHeads*headDim), Wo: s.matrix(heads*headDim, d),
		Bq: s.vector(heads * headDim), Bk: s.vector(kvHeads * headDim), Bv: s.vector(kvHeads * headDim), Bo: s.vector(d),
	}
}

func (s source) block(cfg Config) BlockWeights {
	d := cfg.DModel
	return BlockWeights{
		LN1Gamma: s.vector(d), LN1Beta: s.vector(d), LN2Gamma: s.vector(d), LN2Beta: s.vector(d),
		Attn: s.mha(d, cfg.Heads, cfg.KVHeads, cfg.HeadDim),
		FFN:  FFNWeights{W1: s.matrix(d, cfg.FFN), B1: s.vector(cfg.FFN), W2: s.matrix(cfg.FFN, d), B2: s.vector(d)},
	}
}

func (s source) gpt(cfg Config) GPTWeights {
	w := GPTWeights{Wte: s.matrix(cfg.Vocab, cfg.DModel)}
	for range cfg.Layers {
		w.Blocks = append(w.Blocks, s.block(cfg))
	}
	if cfg.Positions == PositionsLearned {
		w.Wpe = s.matrix(cfg.Ctx, cfg.DModel)
	}
	if cfg.Norm == PreNorm {
		w.LNfGamma, w.LNfBeta = s.vector(cfg.DModel), s.vector(cfg.DModel)
	}
	if !cfg.Tied {
		w.Wout = s.matrix(cfg.DModel, cfg.Vocab)
	}
	return w
}

// TestPreconditions checks that a mismatched shape is reported by a message that names it.
func TestPreconditions(t *testing.T) {
	m := NewMatrix
	one := func(int) Mask { return Mask{} }
	cache := NewKVCache(1, 4)
	tests := []struct {
		want string
		f    func()
	}{
		{"MatMul: a is 2x3, b is 4x5", func() { MatMul(m(2, 3), m(4, 5)) }},
		{"Add: a is 2x3, b is 3x2", func() { Add(m(2, 3), m(3, 2)) }},
		{"Linear: b has 1 elements, w is 3x2", func() { Linear(m(1, 3), m(3, 2), []float64{1}) }},
		{"Columns: [1, 4) of 3 columns", func() { m(2, 3).Columns(1, 4) }},
		{"LayerNorm: x has 2 elements, gamma 2, beta 1", func() { LayerNorm(filled(2, 1), filled(2, 1), filled(1, 1), 0) }},
		{"Attention: q has head dim 3, k has 2", func() { Attention(m(1, 3), m(1, 2), m(1, 2), 1, Mask{}) }},
		{"Attention: k has 2 rows, v has 1", func() { Attention(m(1, 3), m(2, 3), m(1, 3), 1, Mask{}) }},
		{"mask.Allow has 1 elements, the scores are 1x2", func() { Attention(m(1, 3), m(2, 3), m(2, 3), 1, Mask{Allow: []bool{true}}) }},
		{"mask.Bias has 1 elements, the scores are 1x2", func() { Attention(m(1, 3), m(2, 3), m(2, 3), 1, Mask{Bias: []float64{0}}) }},
		{`AttentionScores: unknown stage "logits"`, func() { AttentionScores(m(1, 1), m(1, 1), 1, Mask{}, "logits") }},
		{"3 query heads over 2 key heads", func() { GroupedAttention(make([]Matrix, 3), make([]Matrix, 2), make([]Matrix, 2), 1, one) }},
		{"2 key heads, 1 value heads", func() { GroupedAttention(make([]Matrix, 2), make([]Matrix, 2), make([]Matrix, 1), 1, one) }},
		{"SplitHeads: 3 columns into 2 heads", func() { SplitHeads(m(1, 3), 2) }},
		{"MergeHeads: head 0 is 1x2, head 1 is 1x3", func() { MergeHeads([]Matrix{m(1, 2), m(1, 3)}) }},
		{"NewKVCache: 1 heads, capacity 0", func() { NewKVCache(1, 0) }},
		{"the cache has 1 heads, k 2, v 2", func() { _ = cache.Append(0, make([]Matrix, 2), make([]Matrix, 2)) }},
		{"Reorder: 1 states, 2 indices", func() { _, _ = Reorder([]*KVCache{cache}, []int{0, 0}) }},
		{`unknown activation "swish": use relu, gelu or gelu_tanh`, func() { Activation("swish").Apply(m(1, 1)) }},
		{`norm is "middle": use pre or post`, func() { Exact.Block(m(1, 1), BlockWeights{}, BlockConfig{Norm: "middle"}) }},
		{"CrossEntropyRows: 2 rows of logits, 1 targets", func() { _, _ = CrossEntropyRows(m(2, 3), []int{0}, -100) }},
		{"Reduce: 1 losses, 2 targets", func() { Reduce([]float64{1}, []int{1, 1}, -100, ReduceSum) }},
		{`unknown reduction "max": use none, mean or sum`, func() { Reduce([]float64{1}, []int{1}, -100, "max") }},
		{"MatMulGrad: a is 2x3, b is 3x5, dc is 2x3", func() { MatMulGrad(m(2, 3), m(3, 5), m(2, 3)) }},
		{"SoftmaxGrad: x has 2 elements, dy 1", func() { SoftmaxGrad(filled(2, 1), filled(1, 1)) }},
		{"LogSoftmaxGrad: x has 2 elements, dy 1", func() { LogSoftmaxGrad(filled(2, 1), filled(1, 1)) }},
		{`ApplyGrad: unknown activation "swish"`, func() { Activation("swish").ApplyGrad(m(1, 1), m(1, 1)) }},
		{"ApplyGrad: x is 1x2, dy is 2x1", func() { ActReLU.ApplyGrad(m(1, 2), m(2, 1)) }},
		{"LayerNormGrad: x has 2 elements, gamma 2, dy 1", func() { LayerNormGrad(filled(2, 1), filled(2, 1), 0, filled(1, 1)) }},
		{"LayerNormRowsGrad: x has 2 rows, dy 1", func() { LayerNormRowsGrad(m(2, 2), filled(2, 1), 0, m(1, 2)) }},
		{"EmbeddingGrad: 1 ids, dy has 2 rows", func() { _, _ = EmbeddingGrad([]int{0}, 3, m(2, 2)) }},
		{"AttentionGrad: do is 1x2, the output is 1x3", func() { AttentionGrad(m(1, 3), m(2, 3), m(2, 3), m(1, 2), 1, Mask{}) }},
		{"AttentionGrad: q has head dim 3, k has 2", func() { AttentionGrad(m(1, 3), m(1, 2), m(1, 2), m(1, 2), 1, Mask{}) }},
		{"GroupedAttentionGrad: 2 query heads, 1 gradients", func() {
			GroupedAttentionGrad(make([]Matrix, 2), make([]Matrix, 1), make([]Matrix, 1), make([]Matrix, 1), 1, one)
		}},
		{`BlockGrad: norm is "middle"`, func() { Exact.BlockGrad(m(1, 1), BlockWeights{}, BlockConfig{Norm: "middle"}, m(1, 1)) }},
		{"CrossEntropyRowsGrad: 2 rows of logits, 1 targets, 2 gradients", func() { _, _ = CrossEntropyRowsGrad(m(2, 3), []int{0}, -100, filled(2, 1)) }},
		{"ReduceGrad: 1 gradients, 2 targets", func() { ReduceGrad([]float64{1}, []int{1, 1}, -100, ReduceNone) }},
		{`ReduceGrad: unknown reduction "max"`, func() { ReduceGrad([]float64{1}, []int{1}, -100, "max") }},
	}
	for _, tt := range tests {
		if got := panics(tt.f); !strings.HasPrefix(got, "reference: ") || !strings.Contains(got, tt.want) {
			t.Errorf("panicked with %q, want %q", got, tt.want)
		}
	}
}
