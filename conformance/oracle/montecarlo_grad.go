package oracle

import (
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// gradients perturbs the gradients of the functions that composites are built from.
func (n noise) gradients(f *refimpl.Functions) {
	f.LinearGrad = func(x, w reference.Matrix, b []float64, dy reference.Matrix) (dx, dw reference.Matrix, db []float64) {
		dx, dw, db = reference.LinearGrad(x, w, b, dy)
		n.perturbAll(func() (gx, gw, gb Gauges) { return n.model.LinearGrad(x, w, dy) }, dx.Data, dw.Data, db)
		return dx, dw, db
	}
	f.LayerNormGrad = func(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma, dbeta []float64) {
		dx, dgamma, dbeta = reference.LayerNormRowsGrad(x, gamma, eps, dy)
		n.perturbAll(func() (gx, gg, gb Gauges) { return n.model.LayerNormGrad(x, gamma, eps, dy) }, dx.Data, dgamma, dbeta)
		return dx, dgamma, dbeta
	}
	f.ActivateGrad = func(a reference.Activation, x, dy reference.Matrix) reference.Matrix {
		dx := a.ApplyGrad(x, dy)
		n.perturb(dx.Data, func() Gauges { return ActivateGrad(a, x, dy) })
		return dx
	}
	f.AttentionGrad = func(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
		dq, dk, dv = reference.AttentionGrad(q, k, v, do, scale, mask)
		n.perturbAll(func() (gq, gk, gv Gauges) { return n.model.AttentionGrad(q, k, v, do, scale, mask) }, dq.Data, dk.Data, dv.Data)
		return dq, dk, dv
	}
	f.EmbedGrad = func(ids []int, rows int, dy reference.Matrix) (reference.Matrix, error) {
		dtable, err := reference.EmbeddingGrad(ids, rows, dy)
		if err != nil {
			return dtable, err
		}
		n.perturb(dtable.Data, func() Gauges { return n.model.EmbeddingGrad(ids, rows, dy) })
		return dtable, nil
	}
	f.CrossEntropyGrad = func(logits []float64, target int, dloss float64) []float64 {
		dx := reference.CrossEntropyGrad(logits, target, dloss)
		n.perturb(dx, func() Gauges { return n.model.CrossEntropyGrad(logits, target, dloss) })
		return dx
	}
}

// perturbAll perturbs three results that belong together.
func (n noise) perturbAll(gauges func() (a, b, c Gauges), ya, yb, yc []float64) {
	var a, b, c Gauges
	if n.pick != nil {
		a, b, c = gauges()
	}
	n.perturb(ya, func() Gauges { return a })
	n.perturb(yb, func() Gauges { return b })
	n.perturb(yc, func() Gauges { return c })
}
