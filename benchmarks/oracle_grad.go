package benchmarks

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

func (o *oracle) gradients() []op.Implementation {
	return []op.Implementation{
		op.MatMulGrad(o.matMulGrad),
		op.LinearGrad(func(a op.LinearGradArgs) error {
			o.setLinear(0, 1, 0, exact(a.X), exact(a.DY))
			return o.setResult(2, exact(a.DY).gather(o.samples[2].rows, span(0, a.W.Shape[1])).linear(flip(a.W), op.Tensor{}, o.samples[2].cols))
		}),
		op.SoftmaxGrad(o.softmaxGrad),
		op.GELUGrad(func(a op.GELUGradArgs) error {
			act := map[string]reference.Activation{"none": reference.ActGELU, "tanh": reference.ActGELUTanh}[a.Approximate]
			return o.set(o.rows(a.X).activateGrad(act, o.rows(a.DY)))
		}),
		op.LayerNormGrad(func(a op.LayerNormGradArgs) error {
			dx, dgamma, dbeta := exact(a.X).layerNormGrad(floats(a.Gamma), a.Eps, exact(a.DY))
			for i, g := range []estimate{dgamma, dbeta, dx} {
				o.setResult(i, g.gather(o.samples[i].rows, o.samples[i].cols))
			}
			return nil
		}),
		op.EmbeddingGrad(func(a op.EmbeddingGradArgs) error {
			o.setResult(0, exact(a.DY).scattered(a.IDs.I64, o.samples[0].rows, o.samples[0].cols))
			return nil
		}),
		op.AttentionGrad(o.attentionGrad),
		op.MHAGrad(o.mhaGrad),
		op.FFNGrad(func(a op.FFNGradArgs) error {
			x, sums := exact(a.X), exact(a.X).linear(a.W1, a.B1, span(0, a.W1.Shape[1]))
			return o.setRows(4, o.ffnGrad(0, 0, x, sums, exact(a.DY), a.W1, a.W2, a.Activation))
		}),
		op.BlockGrad(o.blockGrad),
		op.GPTLossGrad(o.gptLossGrad),
		op.CrossEntropyGrad(func(a op.CrossEntropyGradArgs) error {
			if a.Reduction != "mean" || slices.Contains(a.Targets.I64, int64(a.IgnoreIndex)) {
				return op.Unsupported("cross_entropy.grad", "workloads take the mean and ignore no target")
			}
			var targets []int64
			for _, r := range o.sample.rows {
				targets = append(targets, a.Targets.I64[r])
			}
			return o.set(o.rows(a.Logits).lossGrad(targets, a.DLoss.At(0)/float64(a.Logits.Shape[0])))
		}),
	}
}

// rows returns the sampled rows of a source of the first result's shape.
func (o *oracle) rows(x op.Tensor) estimate {
	return exact(x).gather(o.sample.rows, span(0, o.sample.width))
}

// setRows takes result i from all its rows.
func (o *oracle) setRows(i int, y estimate) error {
	return o.setResult(i, y.gather(o.samples[i].rows, o.samples[i].cols))
}

// add takes what layer l gives to result i: f evaluates rows and columns of that layer's tensor, which has n rows.
func (o *oracle) add(i, l, n int, f func(rows, cols []int) estimate) {
	s := o.samples[i]
	if o.wants[i].Data == nil {
		o.wants[i] = newEstimate(len(s.rows), len(s.cols))
	}
	for at, r := range s.rows {
		if r/n == l {
			g := f([]int{r % n}, s.cols)
			copy(o.wants[i].Row(at), g.Data)
			copy(o.wants[i].e[at*len(s.cols):], g.e)
		}
	}
}

// setLinear takes the gradients of a linear layer's weights and bias at layer l.
func (o *oracle) setLinear(weights, bias, l int, x, dy estimate) {
	o.setWeights(weights, l, x, dy)
	o.add(bias, l, 1, func(_, cols []int) estimate { return dy.columns(cols).columnSums() })
}

func (o *oracle) setWeights(i, l int, x, dy estimate) {
	o.add(i, l, x.Cols, func(rows, cols []int) estimate { return x.columns(rows).transposed().times(dy.columns(cols)) })
}

// setNorm takes the gradients of gamma and of beta, which is the next result, at layer l, and returns that of x.
func (o *oracle) setNorm(i, l int, x estimate, gamma op.Tensor, eps float64, dy estimate) estimate {
	dx, dgamma, dbeta := x.layerNormGrad(floats(gamma), eps, dy)
	o.add(i, l, 1, func(rows, cols []int) estimate { return dgamma.gather(rows, cols) })
	o.add(i+1, l, 1, func(rows, cols []int) estimate { return dbeta.gather(rows, cols) })
	return dx
}

func (o *oracle) matMulGrad(a op.MatMulGradArgs) error {
	if a.TransposeA || a.TransposeB || len(a.DC.Shape) != 2 {
		return op.Unsupported("matmul.grad", "workloads multiply two matrices as they are")
	}
	x, dc, s := exact(a.A), exact(a.DC), o.samples[1]
	o.set(dc.gather(o.sample.rows, span(0, dc.Cols)).linear(flip(a.B), op.Tensor{}, o.sample.cols))
	return o.setResult(1, x.columns(s.rows).transposed().times(dc.columns(s.cols)))
}

func (o *oracle) softmaxGrad(a op.SoftmaxGradArgs) error {
	x, dy := o.rows(a.X), o.rows(a.DY)
	dx := newEstimate(x.Rows, x.Cols)
	var acc []float64
	for i := range x.Rows {
		copy(dx.Row(i), reference.SoftmaxGrad(x.Row(i), dy.Row(i)))
		acc = append(acc, gauge.Random.SoftmaxGrad(x.Row(i), dy.Row(i)).Acc...)
	}
	return o.set(dx.finish(acc))
}

// scattered returns rows and columns of a table whose row v is the sum of the rows of dy with id v.
func (dy estimate) scattered(ids []int64, rows, cols []int) estimate {
	y := newEstimate(len(rows), len(cols))
	for n, v := range rows {
		var mine []int
		for t, id := range ids {
			if id == int64(v) {
				mine = append(mine, t)
			}
		}
		if len(mine) > 0 {
			sum := dy.gather(mine, cols).columnSums()
			copy(y.Row(n), sum.Data)
			copy(y.e[n*y.Cols:], sum.e)
		}
	}
	return y
}

// attentionGrad evaluates the heads that have sampled rows in some result.
func (o *oracle) attentionGrad(a op.AttentionGradArgs) error {
	d := a.Dims()
	if a.Mask.Present() || a.Softcap != 0 || d.Heads != d.KVHeads {
		return op.Unsupported("attention.grad", "workloads have no mask tensor, no soft cap and no shared heads")
	}
	seq := []int{d.SeqQ, d.SeqK, d.SeqK}
	results := make([]estimate, 3)
	for i, s := range o.samples {
		results[i] = newEstimate(len(s.rows), s.width)
	}
	q, k, v, do := exact(a.Q), exact(a.K), exact(a.V), exact(a.DOut)
	parallel(d.Batch*d.Heads, func(h int) {
		needed := func(s sample, seq int) bool {
			return slices.ContainsFunc(s.rows, func(r int) bool { return r/seq == h })
		}
		if !needed(o.samples[0], seq[0]) && !needed(o.samples[1], seq[1]) && !needed(o.samples[2], seq[2]) {
			return
		}
		plane := func(x estimate, n int) estimate { return x.gather(span(h*n, (h+1)*n), span(0, x.Cols)) }
		dq, dk, dv := plane(q, d.SeqQ).attendGrad(plane(k, d.SeqK), plane(v, d.SeqK), plane(do, d.SeqQ), a.EffectiveScale(), a.Causal, a.Window)
		for i, g := range []estimate{dq, dk, dv} {
			for n, r := range o.samples[i].rows {
				if r/seq[i] == h {
					copy(results[i].Row(n), g.Row(r%seq[i]))
					copy(results[i].e[n*g.Cols:], g.e[r%seq[i]*g.Cols:(r%seq[i]+1)*g.Cols])
				}
			}
		}
	})
	for i, g := range results {
		o.setResult(i, g)
	}
	return nil
}

func (o *oracle) mhaGrad(a op.MHAGradArgs) error {
	if a.Mask.Present() || a.X.Shape[0] != 1 {
		return op.Unsupported("mha.grad", "workloads have one sequence and no mask tensor")
	}
	return o.setRows(8, o.selfAttentionGrad(0, 0, exact(a.X), exact(a.DY), op.MHAInputs{MHAAttrs: a.MHAAttrs, MHAWeights: a.MHAWeights}))
}

// selfAttentionGrad takes the gradients of the eight weights, the results from first on, at layer l, and returns that of x, one sequence.
func (o *oracle) selfAttentionGrad(first, l int, x, dy estimate, a op.MHAInputs) estimate {
	q, k, v := project(x, span(0, x.Rows), a)
	o.setLinear(first+6, first+7, l, attend(q, k, v, span(0, x.Rows), a), dy)
	dq, dk, dv := headGrads(q, k, v, dy.back(a.Wo), a)
	o.setLinear(first, first+1, l, x, dq)
	o.setLinear(first+2, first+3, l, x, dk)
	o.setLinear(first+4, first+5, l, x, dv)
	return dq.back(a.Wq).plus(dk.back(a.Wk)).plus(dv.back(a.Wv))
}

// headGrads returns the gradients of projections; those of shared keys and values are sums.
func headGrads(q, k, v, do estimate, a op.MHAInputs) (dq, dk, dv estimate) {
	headDim, group := q.Cols/a.Heads, a.Heads/a.KVHeads
	dq, dk, dv = newEstimate(q.Rows, q.Cols), newEstimate(k.Rows, k.Cols), newEstimate(v.Rows, v.Cols)
	place := func(to, from estimate, head int) {
		for t := range from.Rows {
			at := t*to.Cols + head*headDim
			copy(to.Data[at:], from.Row(t))
			copy(to.e[at:], from.e[t*headDim:(t+1)*headDim])
		}
	}
	parallel(a.KVHeads, func(g int) {
		var sumK, sumV estimate
		for h := g * group; h < (g+1)*group; h++ {
			mine, shared := span(h*headDim, (h+1)*headDim), span(g*headDim, (g+1)*headDim)
			gq, gk, gv := q.columns(mine).attendGrad(k.columns(shared), v.columns(shared), do.columns(mine), a.EffectiveScale(), a.Causal, a.Window)
			place(dq, gq, h)
			if h > g*group {
				gk, gv = sumK.plus(gk), sumV.plus(gv)
			}
			sumK, sumV = gk, gv
		}
		place(dk, sumK, g)
		place(dv, sumV, g)
	})
	return dq, dk, dv
}

// ffnGrad takes the gradients of the four weights, the results from first on, at layer l, and returns that of x. sums is x w1 + b1.
func (o *oracle) ffnGrad(first, l int, x, sums, dy estimate, w1, w2 op.Tensor, activation string) estimate {
	act := reference.Activation(activation)
	o.setLinear(first+2, first+3, l, sums.activate(act), dy)
	dsums := sums.activateGrad(act, dy.back(w2))
	o.setLinear(first, first+1, l, x, dsums)
	return dsums.back(w1)
}

func (o *oracle) blockGrad(a op.BlockGradArgs) error {
	if a.X.Shape[0] != 1 {
		return op.Unsupported("block.grad", "workloads have one sequence")
	}
	return o.setRows(16, o.decoderBlockGrad(0, 0, exact(a.X), exact(a.DY), a.BlockAttrs, a.BlockWeights))
}

// decoderBlockGrad takes the gradients of a block's weights, the results from first on, at layer l, and returns that of x, one sequence.
func (o *oracle) decoderBlockGrad(first, l int, x, dy estimate, a op.BlockAttrs, w op.BlockWeights) estimate {
	attn := attentionOf(a, w)
	mha := func(x estimate) estimate { return selfAttention(x, span(0, x.Rows), attn, span(0, x.Cols)) }
	norm := func(x estimate, gamma, beta op.Tensor) estimate {
		return x.layerNorm(floats(gamma), floats(beta), a.Eps)
	}
	up := func(x estimate) estimate { return x.linear(w.W1, w.B1, span(0, w.W1.Shape[1])) }
	if a.Norm == string(reference.PostNorm) {
		s := x.plus(mha(x))
		middle := norm(s, w.LN1Gamma, w.LN1Beta)
		sums := up(middle)
		r := middle.plus(sums.activate(reference.Activation(a.Activation)).linear(w.W2, w.B2, span(0, x.Cols)))
		dr := o.setNorm(first+10, l, r, w.LN2Gamma, a.Eps, dy)
		dmiddle := dr.plus(o.ffnGrad(first+12, l, middle, sums, dr, w.W1, w.W2, a.Activation))
		ds := o.setNorm(first, l, s, w.LN1Gamma, a.Eps, dmiddle)
		return ds.plus(o.selfAttentionGrad(first+2, l, x, ds, attn))
	}
	normed := norm(x, w.LN1Gamma, w.LN1Beta)
	middle := x.plus(mha(normed))
	again := norm(middle, w.LN2Gamma, w.LN2Beta)
	dmiddle := dy.plus(o.setNorm(first+10, l, middle, w.LN2Gamma, a.Eps, o.ffnGrad(first+12, l, again, up(again), dy, w.W1, w.W2, a.Activation)))
	return dmiddle.plus(o.setNorm(first, l, x, w.LN1Gamma, a.Eps, o.selfAttentionGrad(first+2, l, normed, dmiddle, attn)))
}

func (o *oracle) gptLossGrad(a op.GPTLossGradArgs) error {
	if a.IDs.Shape[0] != 1 || a.Reduction != "mean" || slices.Contains(a.Targets.I64, int64(a.IgnoreIndex)) {
		return op.Unsupported("gpt.loss.grad", "workloads have one sequence, take the mean and ignore no target")
	}
	_, err := o.modelGrad(a.IDs.I64, a.Targets.I64, a.DLoss.At(0)/float64(len(a.Targets.I64)), a.GPTAttrs, a.GPTWeights)
	return err
}

// modelGrad takes the gradients of all weights, of weight times the losses of one sequence, and returns its logits.
func (o *oracle) modelGrad(ids, targets []int64, weight float64, a op.GPTAttrs, w op.GPTWeights) (logits estimate, err error) {
	x, err := input(ids, a, w)
	if err != nil {
		return estimate{}, err
	}
	inputs := []estimate{x}
	layers, d := w.Wq.Shape[0], w.Wte.Shape[1]
	for l := range layers {
		inputs = append(inputs, decoderBlock(inputs[l], span(0, x.Rows), layer(a, w, l)))
	}
	h := inputs[layers]
	if a.Norm == string(reference.PreNorm) {
		h = h.layerNorm(floats(w.LNfGamma), floats(w.LNfBeta), a.Eps)
	}
	logits = h.logits(w, span(0, w.Wte.Shape[0]))
	dlogits := logits.lossGrad(targets, weight)
	var dh estimate
	if w.Wout.Present() {
		dh = dlogits.back(w.Wout)
		o.setWeights(20, 0, h, dlogits)
	} else {
		dh = dlogits.linear(w.Wte, op.Tensor{}, span(0, d))
	}
	if a.Norm == string(reference.PreNorm) {
		dh = o.setNorm(18, 0, inputs[layers], w.LNfGamma, a.Eps, dh)
	}
	for l := layers - 1; l >= 0; l-- {
		args := layer(a, w, l)
		dh = o.decoderBlockGrad(2, l, inputs[l], dh, args.BlockAttrs, args.BlockWeights)
	}
	s := o.samples[0]
	dwte := dh.scattered(ids, s.rows, s.cols)
	if !w.Wout.Present() {
		dwte = dwte.plus(dlogits.columns(s.rows).transposed().times(h.columns(s.cols)))
	}
	o.setResult(0, dwte)
	positions := make([]int64, len(ids))
	for t := range positions {
		positions[t] = int64(t)
	}
	return logits, o.setResult(1, dh.scattered(positions, o.samples[1].rows, o.samples[1].cols))
}
