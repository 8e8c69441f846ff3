package reference

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// A head that copies: Wq = Wk = 0 gives the mean of values, Wv and Wo choose what is averaged and where it goes.
func TestMultiHeadByHand(t *testing.T) {
	x := rowsOf([]float64{2, 10}, []float64{4, 30})
	w := MHAWeights{
		Wq: NewMatrix(2, 2), Wk: NewMatrix(2, 2),
		Wv: rowsOf([]float64{0, 1}, []float64{1, 0}), // head 0 holds column 1, head 1 column 0
		Wo: rowsOf([]float64{1, 0}, []float64{0, 100}),
		Bo: []float64{0, 1},
	}
	sameBits(t, Exact.MultiHead(x, w, MHAConfig{Heads: 2, Causal: true}, nil).Data, []float64{10, 201, 20, 301})
	sameBits(t, Exact.MultiHead(x, w, MHAConfig{Heads: 2}, nil).Data, []float64{20, 301, 20, 301})
	sameBits(t, Exact.MultiHead(x, w, MHAConfig{Heads: 2, Window: 1}, nil).Data, []float64{10, 201, 30, 401})

	// One KV head serves both: it holds column 1.
	w.Wk, w.Wv = NewMatrix(2, 1), rowsOf([]float64{0}, []float64{1})
	sameBits(t, Exact.MultiHead(x, w, MHAConfig{Heads: 2, KVHeads: 1}, nil).Data, []float64{20, 2001, 20, 2001})

	// A mask per head: head 0 sees only key 0, head 1 only key 1.
	only := func(head int) Mask {
		allow := make([]bool, 4)
		allow[head], allow[2+head] = true, true
		return Mask{Allow: allow}
	}
	sameBits(t, Exact.MultiHead(x, w, MHAConfig{Heads: 2, KVHeads: 1}, only).Data, []float64{10, 3001, 10, 3001})
	// Causal is the configuration's and goes with it: query 0 of head 1 then sees nothing.
	sameBits(t, Exact.MultiHead(x, w, MHAConfig{Heads: 2, KVHeads: 1, Causal: true}, only).Data, []float64{10, 1, 10, 3001})
}

func TestMultiHeadAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		d, kvHeads, group, headDim, seqLen := 1+s.IntN(6), 1+s.IntN(2), 1+s.IntN(3), 1+s.IntN(4), 1+s.IntN(6)
		heads := kvHeads * group
		x, w := s.matrix(seqLen, d), s.mha(d, heads, kvHeads, headDim)
		cfg := MHAConfig{Heads: heads, KVHeads: kvHeads}
		y := Exact.MultiHead(x, w, cfg, nil)

		// It is its equations.
		project := func(w Matrix, b []float64, heads int) []Matrix { return SplitHeads(Linear(x, w, b), heads) }
		o := GroupedAttention(project(w.Wq, w.Bq, heads), project(w.Wk, w.Bk, kvHeads), project(w.Wv, w.Bv, kvHeads),
			Scale(headDim), func(int) Mask { return Mask{} })
		sameBits(t, y.Data, Linear(MergeHeads(o), w.Wo, w.Bo).Data)

		// The default scale is 1/sqrt(D), of the head and not of the model.
		explicit := cfg
		explicit.Scale = 1 / math.Sqrt(float64(headDim))
		sameBits(t, Exact.MultiHead(x, w, explicit, nil).Data, y.Data)

		// Without a mask, attention does not know the order of tokens.
		perm := s.Perm(seqLen)
		moved, movedY := NewMatrix(seqLen, d), NewMatrix(seqLen, d)
		for to, from := range perm {
			copy(moved.Row(to), x.Row(from))
			copy(movedY.Row(to), y.Row(from))
		}
		within(t, append(Exact.MultiHead(moved, w, cfg, nil).Data, 64), append(movedY.Data, 64), 4096)

		// Heads can be cut and joined.
		q := s.matrix(seqLen, heads*headDim)
		sameBits(t, MergeHeads(SplitHeads(q, heads)).Data, q.Data)
		sameBits(t, SplitHeads(q, heads)[heads-1].Data, q.Columns((heads-1)*headDim, heads*headDim).Data)
	})
}

var _ = derivative(func(s source) []differentiable { return []differentiable{multiHeadOf(s, true), multiHeadOf(s, false)} })

func multiHeadOf(s source, bias bool) differentiable {
	x, w := s.matrix(4, 6), s.mha(6, 4, 2, 2)
	cfg := MHAConfig{Heads: 4, KVHeads: 2, Scale: 0.4, Window: 3}
	name := "MultiHead"
	if !bias {
		name, w.Bq, w.Bk, w.Bv, w.Bo, cfg.Scale, cfg.Causal = "MultiHead without biases", nil, nil, nil, nil, 0, true
	}
	additive := s.vector(16)
	masks := func(head int) Mask { return Mask{Bias: additive} }
	return differentiable{name, append(w.Parameters(), x.Data), func() []float64 { return Exact.MultiHead(x, w, cfg, masks).Data },
		func(dy []float64) [][]float64 {
			dx, dw := Exact.MultiHeadGrad(x, w, cfg, masks, Matrix{4, 6, dy})
			return append(dw.Parameters(), dx.Data)
		}}
}

// A bias of the keys has no effect, and so no gradient.
func TestKeyBiasHasNoGradient(t *testing.T) {
	s := newSource(22)
	x, w := s.matrix(5, 6), s.mha(6, 2, 2, 3)
	_, dw := Exact.MultiHeadGrad(x, w, MHAConfig{Heads: 2, Causal: true}, nil, s.matrix(5, 6))
	_, size := sumOf(dw.Wk.Data)
	for i, g := range dw.Bk {
		if !(math.Abs(g) <= 0x1p-53*size) {
			t.Errorf("dbk[%d] = %v, beside dwk whose absolute values sum to %v", i, g, size)
		}
	}
}
