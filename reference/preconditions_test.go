package reference

import (
	"math"
	"strings"
	"testing"
)

// Every part of a precondition is one: here each call breaks one of them and keeps the others. What does not break any is not refused.
func TestEveryPrecondition(t *testing.T) {
	m, v := NewMatrix, func(n int) []float64 { return make([]float64, n) }
	one := func(int) Mask { return Mask{} }
	heads := func(n int) []Matrix {
		hs := make([]Matrix, n)
		for i := range hs {
			hs[i] = m(1, 2)
		}
		return hs
	}
	adam := func(param, m, v, grad, step int) func() {
		return func() {
			Adam(AdamState{make([]float64, param), make([]float64, m), make([]float64, v)}, make([]float64, grad), 1, step, AdamConfig{Eps: 1})
		}
	}
	search := func(beams, length int) func() {
		return func() {
			logits := func([]int) ([]float64, error) { return []float64{0}, nil }
			_, _ = Exact.BeamSearch(logits, BeamConfig{Form: Textbook, Beams: beams, Length: length})
		}
	}
	distribution := func(s Sampling) func() { return func() { _, _ = Distribution(v(2), s) } }
	sgd := func(param, grad int, velocity []float64) func() {
		return func() {
			SGD(SGDState{make([]float64, param), velocity}, make([]float64, grad), 1, SGDConfig{Momentum: 1})
		}
	}
	split := func(n int, fraction float64) func() { return func() { Split(make([]int, n), fraction) } }
	attentionGrad := func(v, do Matrix) func() { return func() { AttentionGrad(m(1, 3), m(2, 3), v, do, 1, Mask{}) } }
	tests := []struct {
		name   string
		broken bool
		f      func()
	}{
		{"ApplyGrad", false, func() { ActReLU.ApplyGrad(m(2, 3), m(2, 3)) }},
		{"ApplyGrad: rows", true, func() { ActReLU.ApplyGrad(m(2, 3), m(1, 3)) }},
		{"ApplyGrad: columns", true, func() { ActReLU.ApplyGrad(m(2, 3), m(2, 2)) }},
		{"Adam", false, adam(2, 2, 2, 2, 1)},
		{"Adam: parameters", true, adam(3, 2, 2, 2, 1)},
		{"Adam: m", true, adam(2, 3, 2, 2, 1)},
		{"Adam: v", true, adam(2, 2, 3, 2, 1)},
		{"Adam: step 0", true, adam(2, 2, 2, 2, 0)},
		{"Add: rows", true, func() { Add(m(2, 3), m(1, 3)) }},
		{"Add: columns", true, func() { Add(m(2, 3), m(2, 2)) }},
		{"Columns", false, func() { m(2, 3).Columns(0, 3) }},
		{"Columns: before the first", true, func() { m(2, 3).Columns(-1, 2) }},
		{"Columns: backwards", true, func() { m(2, 3).Columns(2, 1) }},
		{"Columns: none", false, func() { m(2, 3).Columns(1, 1) }},
		{"Gate: rows", true, func() { Gate(m(2, 3), m(1, 3)) }},
		{"Gate: columns", true, func() { Gate(m(2, 3), m(2, 2)) }},
		{"GateGrad: rows", true, func() { GateGrad(m(2, 3), m(2, 3), m(1, 3)) }},
		{"GateGrad: columns", true, func() { GateGrad(m(2, 3), m(2, 3), m(2, 2)) }},
		{"MatMulGrad: rows", true, func() { MatMulGrad(m(2, 3), m(3, 5), m(1, 5)) }},
		{"MatMulGrad: columns", true, func() { MatMulGrad(m(2, 3), m(3, 5), m(2, 4)) }},
		{"LayerNorm: gamma", true, func() { LayerNorm(v(2), v(1), v(2), 1) }},
		{"RMSNorm: gamma", true, func() { RMSNorm(v(2), v(1), 1) }},
		{"RMSNormGrad: gamma", true, func() { RMSNormGrad(v(2), v(1), 1, v(2)) }},
		{"RMSNormGrad: dy", true, func() { RMSNormGrad(v(2), v(2), 1, v(1)) }},
		{"LayerNormGrad: gamma", true, func() { LayerNormGrad(v(2), v(1), 1, v(2)) }},
		{"AttentionGrad", false, attentionGrad(m(2, 4), m(1, 4))},
		{"AttentionGrad: keys without values", true, attentionGrad(m(1, 4), m(1, 4))},
		{"AttentionGrad: rows", true, attentionGrad(m(2, 4), m(2, 4))},
		{"GroupedAttention: no key head", true, func() { GroupedAttention(nil, nil, nil, 1, one) }},
		{"GroupedAttention", false, func() { GroupedAttention(heads(2), heads(1), heads(1), 1, one) }},
		{"SplitHeads: none", true, func() { SplitHeads(m(1, 2), 0) }},
		{"SplitHeads: one", false, func() { SplitHeads(m(1, 2), 1) }},
		{"MergeHeads: rows", true, func() { MergeHeads([]Matrix{m(1, 2), m(2, 2)}) }},
		{"NewKVCache", false, func() { NewKVCache(1, 1) }},
		{"NewKVCache: no head", true, func() { NewKVCache(0, 1) }},
		{"KVCache.Append: values", true, func() { _ = NewKVCache(1, 4).Append(0, heads(1), heads(2)) }},
		{"CrossEntropyRowsGrad: dlosses", true, func() { _, _ = CrossEntropyRowsGrad(m(2, 3), make([]int, 2), -100, v(1)) }},
		{"BeamSearch", false, search(1, 1)},
		{"BeamSearch: no beam", true, search(0, 1)},
		{"BeamSearch: no length", true, search(1, 0)},
		{"BeamSearch: form", true, func() { _, _ = Exact.BeamSearch(nil, BeamConfig{Form: "greedy", Beams: 1, Length: 1}) }},
		{"Generate: no prompt", true, func() { _, _ = Exact.Generate(nil, nil, GPTWeights{}, Config{}, Generation{}) }},
		{"Distribution: the least of everything", false, distribution(Sampling{})},
		{"Distribution: temperature", true, distribution(Sampling{Temperature: -1, TopK: 1, TopP: 0.5})},
		{"Distribution: temperature NaN", true, distribution(Sampling{Temperature: math.NaN(), TopK: 1, TopP: 0.5})},
		{"Distribution: top-k", true, distribution(Sampling{Temperature: 1, TopK: -1, TopP: 0.5})},
		{"Distribution: top-p below 0", true, distribution(Sampling{Temperature: 1, TopP: -0.5})},
		{"Distribution: top-p 1", false, distribution(Sampling{Temperature: 1, TopP: 1})},
		{"Distribution: top-p above 1", true, distribution(Sampling{Temperature: 1, TopP: 1.0005})},
		{"Init: draws", true, func() { _, _ = Init(make([]int, 5), 2, 3, InitConfig{Scheme: XavierUniform}) }},
		{"Init: scheme", true, func() { _, _ = Init(make([]int, 6), 2, 3, InitConfig{Scheme: "orthogonal"}) }},
		{"Rate: schedule", true, func() { _, _ = Schedule{Name: "linear"}.Rate(0) }},
		{"SGD", false, sgd(2, 2, nil)},
		{"SGD: parameters", true, sgd(3, 2, nil)},
		{"SGD: velocity", true, sgd(2, 2, make([]float64, 3))},
		{"Split", false, split(2, 0.5)},
		{"Split: one id", true, split(1, 0.5)},
		{"Split: nothing", true, split(2, 0)},
		{"Split: everything", true, split(2, 1)},
		{"GPT: layers", true, func() { _, _ = Exact.GPT([]int{0}, GPTWeights{Wte: m(1, 2)}, Config{Layers: 1, Tied: true}) }},
		{"GPT: output", true, func() { _, _ = Exact.GPT([]int{0}, GPTWeights{Wte: m(1, 2)}, Config{}) }},
	}
	for _, tt := range tests {
		got := panics(tt.f)
		if tt.broken && !strings.HasPrefix(got, "reference: ") {
			t.Errorf("%s: panicked with %q, want a message about the precondition", tt.name, got)
		}
		if !tt.broken && got != "" {
			t.Errorf("%s: refused with %q", tt.name, got)
		}
	}
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
		{"RMSNorm: x has 2 elements, gamma 1", func() { RMSNorm(filled(2, 1), filled(1, 1), 0) }},
		{"RMSNormGrad: x has 2 elements, gamma 2, dy 1", func() { RMSNormGrad(filled(2, 1), filled(2, 1), 0, filled(1, 1)) }},
		{"RMSNormRowsGrad: x has 2 rows, dy 1", func() { RMSNormRowsGrad(m(2, 2), filled(2, 1), 0, m(1, 2)) }},
		{"Rotary: 1 positions, x has 2 rows", func() { _, _ = Rotary(m(2, 2), []int{0}, RotaryConfig{PairHalves, 2, 10000}) }},
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
