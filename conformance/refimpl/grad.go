package refimpl

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

func (f Functions) gradients() []op.Implementation {
	return []op.Implementation{
		op.MatMulGrad(f.matMulGrad),
		op.LinearGrad(f.linearGrad),
		op.SoftmaxGrad(func(a op.SoftmaxGradArgs) error { return eachPair(a.DX, a.X, a.DY, f.SoftmaxGrad) }),
		op.LogSoftmaxGrad(func(a op.LogSoftmaxGradArgs) error { return eachPair(a.DX, a.X, a.DY, f.LogSoftmaxGrad) }),
		op.ReLUGrad(func(a op.ReLUGradArgs) error { return f.activateGrad(a.DX, a.X, a.DY, reference.ActReLU) }),
		op.GELUGrad(func(a op.GELUGradArgs) error { return f.activateGrad(a.DX, a.X, a.DY, gelu[a.Approximate]) }),
		op.LayerNormGrad(f.layerNormGrad),
		op.EmbeddingGrad(f.embeddingGrad),
		op.AttentionGrad(f.attentionGrad),
		op.MHAGrad(f.mhaGrad),
		op.FFNGrad(f.ffnGrad),
		op.BlockGrad(f.blockGrad),
		op.GPTLossGrad(f.gptLossGrad),
		op.CrossEntropyGrad(f.crossEntropyGrad),
	}
}

func eachPair(dx, x, dy op.Tensor, f func(x, dy []float64) []float64) error {
	out, xs := matrix(dx), vectors(x)
	for i, row := range vectors(dy) {
		copy(out.Row(i), f(xs[i], row))
	}
	return nil
}

func (f Functions) matMulGrad(a op.MatMulGradArgs) error {
	as, bs, dcs, das, dbs := matrices(a.A), matrices(a.B), matrices(a.DC), matrices(a.DA), matrices(a.DB)
	for i, dc := range dcs {
		if a.TransposeA {
			as[i] = as[i].T()
		}
		if a.TransposeB {
			bs[i] = bs[i].T()
		}
		da, db := f.MatMulGrad(as[i], bs[i], dc)
		if a.TransposeA {
			da = da.T()
		}
		if a.TransposeB {
			db = db.T()
		}
		store(das[i].Data, da)
		store(dbs[i].Data, db)
	}
	return nil
}

func (f Functions) linearGrad(a op.LinearGradArgs) error {
	dx, dw, db := f.LinearGrad(matrix(a.X), matrix(a.W), a.B.F64, matrix(a.DY))
	store(a.DX.F64, dx)
	store(a.DW.F64, dw)
	copy(a.DB.F64, db)
	return nil
}

func (f Functions) activateGrad(dx, x, dy op.Tensor, act reference.Activation) error {
	store(dx.F64, f.ActivateGrad(act, matrix(x), matrix(dy)))
	return nil
}

func (f Functions) layerNormGrad(a op.LayerNormGradArgs) error {
	dx, dgamma, dbeta := f.LayerNormGrad(matrix(a.X), a.Gamma.F64, a.Eps, matrix(a.DY))
	store(a.DX.F64, dx)
	copy(a.DGamma.F64, dgamma)
	copy(a.DBeta.F64, dbeta)
	return nil
}

func (f Functions) embeddingGrad(a op.EmbeddingGradArgs) error {
	dtable, err := f.EmbedGrad(ints(a.IDs), a.Table.Shape[0], matrix(a.DY))
	store(a.DTable.F64, dtable)
	return err
}

func (f Functions) crossEntropyGrad(a op.CrossEntropyGradArgs) error {
	targets := ints(a.Targets)
	dlosses := f.ReduceGrad(a.DLoss.F64, targets, a.IgnoreIndex, reference.Reduction(a.Reduction))
	dlogits, err := f.CrossEntropyRowsGrad(matrix(a.Logits), targets, a.IgnoreIndex, dlosses)
	store(a.DLogits.F64, dlogits)
	return err
}

func (f Functions) attentionGrad(a op.AttentionGradArgs) error {
	d := a.Dims()
	q, k, v, do := matrices(a.Q), matrices(a.K), matrices(a.V), matrices(a.DOut)
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window, Softcap: a.Softcap})
	var dq, dk, dv []reference.Matrix
	for b := range d.Batch {
		h, g := b*d.Heads, b*d.KVHeads
		dqb, dkb, dvb := f.GroupedAttentionGrad(q[h:h+d.Heads], k[g:g+d.KVHeads], v[g:g+d.KVHeads], do[h:h+d.Heads], a.EffectiveScale(),
			func(head int) reference.Mask { return maskOf(b, head) })
		dq, dk, dv = append(dq, dqb...), append(dk, dkb...), append(dv, dvb...)
	}
	store(a.DQ.F64, dq...)
	store(a.DK.F64, dk...)
	store(a.DV.F64, dv...)
	return nil
}

// parameters is implemented by the weights of each layer, and by their gradients.
type parameters interface{ Parameters() [][]float64 }

// sum sets the destinations of dw to the sums of the gradients that add is called with.
func sum(dw parameters) (add func(parameters)) {
	sums := dw.Parameters()
	for _, s := range sums {
		clear(s)
	}
	return func(grads parameters) {
		for i, g := range grads.Parameters() {
			for j, x := range g {
				sums[i][j] += x
			}
		}
	}
}

func (f Functions) mhaGrad(a op.MHAGradArgs) error {
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

func (f Functions) ffnGrad(a op.FFNGradArgs) error {
	w := reference.FFNWeights{W1: matrix(a.W1), B1: a.B1.F64, W2: matrix(a.W2), B2: a.B2.F64}
	dx, dw := f.FFNGrad(matrix(a.X), w, reference.Activation(a.Activation), matrix(a.DY))
	store(a.DX.F64, dx)
	sum(reference.FFNWeights{W1: matrix(a.DW1), B1: a.DB1.F64, W2: matrix(a.DW2), B2: a.DB2.F64})(dw)
	return nil
}

func (f Functions) blockGrad(a op.BlockGradArgs) error {
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

func (f Functions) gptLossGrad(a op.GPTLossGradArgs) error {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	dw, _ := model(a.GPTAttrs, op.GPTWeights{
		Wte: a.DWte, Wpe: a.DWpe, LNfGamma: a.DLNfGamma, LNfBeta: a.DLNfBeta, Wout: a.DWout,
		LN1Gamma: a.DLN1Gamma, LN1Beta: a.DLN1Beta, LN2Gamma: a.DLN2Gamma, LN2Beta: a.DLN2Beta,
		Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo,
		W1: a.DW1, B1: a.DB1, W2: a.DW2, B2: a.DB2,
	})
	add := sum(dw)
	targets := intRows(a.Targets)
	dlosses := f.ReduceGrad(a.DLoss.F64, slices.Concat(targets...), a.IgnoreIndex, reference.Reduction(a.Reduction))
	for b, ids := range intRows(a.IDs) {
		n := len(ids)
		grads, err := f.GPTLossGrad(ids, targets[b], a.IgnoreIndex, dlosses[b*n:(b+1)*n], w, cfg)
		if err != nil {
			return err
		}
		add(grads)
	}
	return nil
}
