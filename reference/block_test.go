package reference

import (
	"testing"
)

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

var _ = derivative(func(s source) []differentiable { return []differentiable{blockOf(s, PreNorm), blockOf(s, PostNorm)} })

func blockOf(s source, norm Norm) differentiable {
	x, w := s.matrix(4, 6), s.block(Config{DModel: 6, Heads: 2, KVHeads: 1, HeadDim: 2, FFN: 5})
	cfg := BlockConfig{Norm: norm, MHA: MHAConfig{Heads: 2, KVHeads: 1, Causal: true}, Activation: ActGELUTanh, Eps: 0.1}
	return differentiable{"Block " + string(norm), append(w.Parameters(), x.Data), func() []float64 { return Exact.Block(x, w, cfg).Data },
		func(dy []float64) [][]float64 {
			dx, dw := Exact.BlockGrad(x, w, cfg, Matrix{4, 6, dy})
			return append(dw.Parameters(), dx.Data)
		}}
}
