package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("mha", func(f functions) op.Implementation { return op.MHA(f.mha) })
var _ = offer("mha.grad", func(f functions) op.Implementation { return op.MHAGrad(f.mhaGrad) })

func (f functions) mha(a op.MHAArgs) error {
	w := mhaWeights(a.MHAWeights)
	cfg := reference.MHAConfig{Heads: a.Heads, KVHeads: a.KVHeads, Scale: a.EffectiveScale(), Causal: a.Causal, Window: a.Window}
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window})
	ys := matrices(a.Y)
	for b, x := range matrices(a.X) {
		store(ys[b].Data, f.MultiHead(x, w, cfg, func(head int) reference.Mask { return maskOf(b, head) }))
	}
	return nil
}

func (f functions) mhaGrad(a op.MHAGradArgs) error {
	w := mhaWeights(a.MHAWeights)
	cfg := reference.MHAConfig{Heads: a.Heads, KVHeads: a.KVHeads, Scale: a.EffectiveScale(), Causal: a.Causal, Window: a.Window}
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window})
	add := sum(mhaWeights(op.MHAWeights{Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo}))
	dys, dxs := matrices(a.DY), matrices(a.DX)
	for b, x := range matrices(a.X) {
		dx, dw := f.MultiHeadGrad(x, w, cfg, func(head int) reference.Mask { return maskOf(b, head) }, dys[b])
		store(dxs[b].Data, dx)
		add(dw)
	}
	return nil
}

func mhaWeights(w op.MHAWeights) reference.MHAWeights {
	return reference.MHAWeights{
		Wq: matrix(w.Wq), Wk: matrix(w.Wk), Wv: matrix(w.Wv), Wo: matrix(w.Wo),
		Bq: w.Bq.F64, Bk: w.Bk.F64, Bv: w.Bv.F64, Bo: w.Bo.F64,
	}
}
