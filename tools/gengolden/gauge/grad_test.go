package gauge

import (
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// concat joins the gauges of several results.
func concat(gs ...Gauges) Gauges { return join(len(gs), func(i int) Gauges { return gs[i] }) }

// gradientSamples draws evaluations of every gradient that has a formula.
func gradientSamples(rng *rand.Rand) []sample {
	var all []sample
	add := func(name string, g Gauges, eval func(f refimpl.Functions) []float64) {
		all = append(all, sample{name, eval, g})
	}
	for _, rows := range []int{1, 3, 40, 400} {
		x, w, dy := random(rng, 0, 1, rows, 7), random(rng, 0, 1, 7, 5), random(rng, 0.3, 1, rows, 5)
		gx, gw, gb := Random.LinearGrad(x, w, dy)
		add("linear.grad", concat(gx, gw, gb), func(f refimpl.Functions) []float64 {
			dx, dw, db := f.LinearGrad(x, w, make([]float64, 5), dy)
			return slices.Concat(dx.Data, dw.Data, db)
		})
		add("matmul.grad", concat(gx, gw), func(f refimpl.Functions) []float64 {
			da, db := f.MatMulGrad(x, w, dy)
			return slices.Concat(da.Data, db.Data)
		})
		ids := make([]int, rows)
		for t := range ids {
			ids[t] = rng.IntN(7)
		}
		add("embedding.grad", Random.EmbeddingGrad(ids, 9, dy), func(f refimpl.Functions) []float64 {
			dtable, err := f.EmbedGrad(ids, 9, dy)
			if err != nil {
				panic(err)
			}
			return dtable.Data
		})
	}
	for _, n := range []int{2, 9, 65, 1000} {
		for _, spread := range []float64{0.1, 3, 30} {
			x, dy := random(rng, 100, spread, 1, n).Data, random(rng, 0.5, 1, 1, n).Data
			add("softmax.grad", Random.SoftmaxGrad(x, dy), func(f refimpl.Functions) []float64 { return f.SoftmaxGrad(x, dy) })
			add("log_softmax.grad", Random.LogSoftmaxGrad(x, dy), func(f refimpl.Functions) []float64 { return f.LogSoftmaxGrad(x, dy) })
			target, up := rng.IntN(n), 2*rng.NormFloat64()
			add("cross_entropy.grad", Random.CrossEntropyGrad(x, target, up), func(f refimpl.Functions) []float64 { return f.CrossEntropyGrad(x, target, up) })
		}
	}
	for _, d := range []int{2, 9, 64, 1000} {
		for _, mean := range []float64{0, 10, 3000} {
			for _, rows := range []int{1, 5, 60} {
				x, gamma, dy := random(rng, mean, 2, rows, d), random(rng, 1, 0.3, 1, d).Data, random(rng, 0.5, 1, rows, d)
				gx, gg, gb := Random.LayerNormGrad(x, gamma, 1e-5, dy)
				add("layernorm.grad", concat(gx, gg, gb), func(f refimpl.Functions) []float64 {
					dx, dgamma, dbeta := f.LayerNormGrad(x, gamma, 1e-5, dy)
					return slices.Concat(dx.Data, dgamma, dbeta)
				})
			}
		}
	}
	for _, act := range []reference.Activation{reference.ActReLU, reference.ActGELU, reference.ActGELUTanh} {
		x, dy := random(rng, 0, 2, 1, 500), random(rng, 0, 1, 1, 500)
		add(string(act)+".grad", ActivateGrad(act, x, dy), func(f refimpl.Functions) []float64 { return f.ActivateGrad(act, x, dy).Data })
	}
	for _, keys := range []int{1, 5, 33, 300} {
		for _, size := range []float64{0.3, 1.5, 8} {
			for _, softcap := range []float64{0, 2, 40} {
				q, k, v, do := random(rng, 0, size, 4, 16), random(rng, 0, size, keys, 16), random(rng, 0.5, 1, keys, 5), random(rng, 0.2, 1, 4, 5)
				mask := reference.Mask{Causal: true, Bias: random(rng, 0, 2, 4, keys).Data, Softcap: softcap}
				gq, gk, gv := Random.AttentionGrad(q, k, v, do, 0.25, mask)
				name := "attention.grad"
				if softcap != 0 {
					name += ", softcap"
				}
				add(name, concat(gq, gk, gv), func(f refimpl.Functions) []float64 {
					dq, dk, dv := f.AttentionGrad(q, k, v, do, 0.25, mask)
					return slices.Concat(dq.Data, dk.Data, dv.Data)
				})
			}
		}
	}
	return all
}
