package reference

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestFFN(t *testing.T) {
	// relu(1*x + (-1, 2)) . (3, 5) + 7
	w := FFNWeights{W1: rowsOf([]float64{1, 1}), B1: []float64{-1, 2}, W2: rowsOf([]float64{3}, []float64{5}), B2: []float64{7}}
	x := rowsOf([]float64{4}, []float64{0}, []float64{-9})
	sameBits(t, Exact.FFN(x, w, ActReLU).Data, []float64{3*3 + 6*5 + 7, 2*5 + 7, 7})
	w.B1, w.B2 = nil, nil
	sameBits(t, Exact.FFN(x, w, ActReLU).Data, []float64{4*3 + 4*5, 0, 0})
	within(t, Exact.FFN(x, w, ActGELU).Data, []float64{8 * GELU(4), 0, 8 * GELU(-9)}, 4)
}

// With every weight zero but the biases, each equation of the block can be read off.
func TestBlockByHand(t *testing.T) {
	zero := func(r, c int) Matrix { return NewMatrix(r, c) }
	w := BlockWeights{
		LN1Gamma: []float64{1, 1}, LN1Beta: []float64{0, 0}, LN2Gamma: []float64{1, 1}, LN2Beta: []float64{0, 0},
		Attn: MHAWeights{Wq: zero(2, 2), Wk: zero(2, 2), Wv: zero(2, 2), Wo: zero(2, 2), Bo: []float64{10, 22}},
		FFN:  FFNWeights{W1: zero(2, 3), W2: zero(3, 2), B2: []float64{1.875, -1.875}},
	}
	cfg := BlockConfig{Norm: PreNorm, MHA: MHAConfig{Heads: 1}, Activation: ActReLU, Eps: 15}
	x := rowsOf([]float64{1, 3})
	// Pre-norm: x + bo + b2.
	sameBits(t, Exact.Block(x, w, cfg).Data, []float64{1 + 10 + 1.875, 3 + 22 - 1.875})
	// Post-norm: LN1(x + bo) = LN((11, 25)) = (-7, 7)/sqrt(49 + 15). LN2 of that + b2 is LN((1, -1)) = (1, -1)/sqrt(1 + 15).
	cfg.Norm = PostNorm
	sameBits(t, Exact.Block(x, w, cfg).Data, []float64{.25, -.25})
}

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
