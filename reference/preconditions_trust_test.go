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
		{"MatMulGrad: rows", true, func() { MatMulGrad(m(2, 3), m(3, 5), m(1, 5)) }},
		{"MatMulGrad: columns", true, func() { MatMulGrad(m(2, 3), m(3, 5), m(2, 4)) }},
		{"LayerNorm: gamma", true, func() { LayerNorm(v(2), v(1), v(2), 1) }},
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
