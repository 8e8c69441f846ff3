package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("block", func(f functions) op.Implementation { return op.Block(f.block) })
var _ = offer("block.grad", func(f functions) op.Implementation { return op.BlockGrad(f.blockGrad) })

func (f functions) block(a op.BlockArgs) error {
	w, cfg := blockWeights(a.BlockWeights), blockConfig(a.BlockAttrs)
	ys := matrices(a.Y)
	for b, x := range matrices(a.X) {
		store(ys[b].Data, f.Block(x, w, cfg))
	}
	return nil
}

func (f functions) blockGrad(a op.BlockGradArgs) error {
	w, cfg := blockWeights(a.BlockWeights), blockConfig(a.BlockAttrs)
	add := sum(blockWeights(op.BlockWeights{
		LN1Gamma: a.DLN1Gamma, LN1Beta: a.DLN1Beta, LN2Gamma: a.DLN2Gamma, LN2Beta: a.DLN2Beta,
		Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo,
		W1: a.DW1, B1: a.DB1, W2: a.DW2, B2: a.DB2,
	}))
	dys, dxs := matrices(a.DY), matrices(a.DX)
	for b, x := range matrices(a.X) {
		dx, dw := f.BlockGrad(x, w, cfg, dys[b])
		store(dxs[b].Data, dx)
		add(dw)
	}
	return nil
}

func blockConfig(a op.BlockAttrs) reference.BlockConfig {
	return reference.BlockConfig{
		Norm:       reference.Norm(a.Norm),
		MHA:        reference.MHAConfig{Heads: a.Heads, KVHeads: a.KVHeads, Causal: a.Causal, Window: a.Window},
		Activation: reference.Activation(a.Activation), Eps: a.Eps,
	}
}

func blockWeights(w op.BlockWeights) reference.BlockWeights {
	return reference.BlockWeights{
		LN1Gamma: w.LN1Gamma.F64, LN1Beta: w.LN1Beta.F64, LN2Gamma: w.LN2Gamma.F64, LN2Beta: w.LN2Beta.F64,
		Attn: mhaWeights(op.MHAWeights{Wq: w.Wq, Bq: w.Bq, Wk: w.Wk, Bk: w.Bk, Wv: w.Wv, Bv: w.Bv, Wo: w.Wo, Bo: w.Bo}),
		FFN:  reference.FFNWeights{W1: matrix(w.W1), B1: w.B1.F64, W2: matrix(w.W2), B2: w.B2.F64},
	}
}
