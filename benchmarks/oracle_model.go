package benchmarks

import (
	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

func (o *oracle) attention(a op.AttentionArgs) error {
	if a.Mask.Present() || a.Softcap != 0 {
		return op.Unsupported("attention", "workloads have no mask tensor and no soft cap")
	}
	d := a.Dims()
	return o.heads(a.Q, a.K, a.V, a.EffectiveScale(), a.Causal, a.Window, d)
}

// heads evaluates the sampled queries of q [B H Tq D] over k [B G Tk D] and v [B G Tk Dv].
func (o *oracle) heads(q, k, v op.Tensor, scale float64, causal bool, window int, d op.AttentionDims) error {
	queries, keys, values := exact(q), exact(k), exact(v)
	want := newEstimate(len(o.sample.rows), d.ValueDim)
	for n, r := range o.sample.rows {
		plane, i := r/d.SeqQ, r%d.SeqQ
		g := plane/d.Heads*d.KVHeads + plane%d.Heads/(d.Heads/d.KVHeads)
		lo, hi := visible(i+d.SeqK-d.SeqQ, d.SeqK, causal, window)
		rows := span(g*d.SeqK+lo, g*d.SeqK+hi)
		out := queries.gather([]int{r}, span(0, d.HeadDim)).attend(keys.gather(rows, span(0, d.HeadDim)), values.gather(rows, span(0, d.ValueDim)), scale)
		copy(want.Row(n), out.Data)
		copy(want.e[n*d.ValueDim:], out.e)
	}
	return o.set(want)
}

func (o *oracle) attentionScores(a op.AttentionScoresArgs) error {
	if a.Mask.Present() || a.Softcap != 0 || a.Stage != "weights" {
		return op.Unsupported("attention.scores", "workloads take the weights, without a mask tensor or a soft cap")
	}
	seqQ, headDim, seqK := a.Q.Shape[2], a.Q.Shape[3], a.K.Shape[2]
	group := a.Q.Shape[1] / a.K.Shape[1]
	queries, keys := exact(a.Q), exact(a.K)
	want := newEstimate(len(o.sample.rows), seqK)
	var acc []float64
	for n, r := range o.sample.rows {
		g, i := r/seqQ/group, r%seqQ // heads that share keys are neighbours, so planes of keys count on over the batch
		k := keys.gather(span(g*seqK, (g+1)*seqK), span(0, headDim)).Matrix
		q := reference.NewMatrix(seqQ, headDim) // of which row i is the query: so causal and window find its position
		copy(q.Row(i), queries.Row(r))
		mask := reference.Mask{Causal: a.Causal, Window: a.Window}
		copy(want.Row(n), reference.AttentionScores(q, k, a.EffectiveScale(), mask, reference.StageWeights).Row(i))
		acc = append(acc, gauge.Random.AttentionScores(q, k, a.EffectiveScale(), mask, reference.StageWeights).Acc[i*seqK:(i+1)*seqK]...)
	}
	return o.set(want.finish(acc))
}

func (o *oracle) attentionCached(a op.AttentionCachedArgs) error {
	if a.BeamIdx.Present() || a.Q.Shape[0] != 1 || len(o.context) == 0 {
		return op.Unsupported("attention.cached", "workloads continue one sequence")
	}
	k, v := join(o.context[1], a.K), join(o.context[2], a.V)
	d := op.AttentionDims{
		Batch: 1, Heads: a.Q.Shape[1], KVHeads: k.Shape[1], SeqQ: a.Q.Shape[2], SeqK: k.Shape[2], HeadDim: k.Shape[3], ValueDim: v.Shape[3],
	}
	return o.heads(a.Q, k, v, a.EffectiveScale(), true, a.Window, d)
}

// join appends b [1 G Tb D] to a [1 G Ta D] along the sequence.
func join(a, b op.Tensor) op.Tensor {
	heads, seqA, seqB, dim := a.Shape[1], a.Shape[2], b.Shape[2], a.Shape[3]
	var data []float32
	for g := range heads {
		data = append(data, a.F32[g*seqA*dim:(g+1)*seqA*dim]...)
		data = append(data, b.F32[g*seqB*dim:(g+1)*seqB*dim]...)
	}
	return op.Float32(data, 1, heads, seqA+seqB, dim)
}

// selfAttention returns columns cols of the given rows of multi-head self-attention of x, one causal sequence.
func selfAttention(x estimate, rows []int, a op.MHAInputs, cols []int) estimate {
	q, k, v := project(x, rows, a)
	return attend(q, k, v, rows, a).linear(a.Wo, a.Bo, cols)
}

// project returns the given rows of the queries, and all keys and values.
func project(x estimate, rows []int, a op.MHAInputs) (q, k, v estimate) {
	q = x.gather(rows, span(0, x.Cols)).linear(a.Wq, a.Bq, span(0, a.Wq.Shape[1]))
	return q, x.linear(a.Wk, a.Bk, span(0, a.Wk.Shape[1])), x.linear(a.Wv, a.Bv, span(0, a.Wv.Shape[1]))
}

// attend returns what the heads of the queries at the given rows make of keys and values.
func attend(q, k, v estimate, rows []int, a op.MHAInputs) estimate {
	out, headDim := newEstimate(len(rows), q.Cols), q.Cols/a.Heads
	parallel(a.Heads, func(h int) {
		g := h / (a.Heads / a.KVHeads)
		keyCols, cols := span(g*headDim, (g+1)*headDim), span(h*headDim, (h+1)*headDim)
		for n, r := range rows {
			lo, hi := visible(r, k.Rows, a.Causal, a.Window)
			o := q.gather([]int{n}, cols).attend(k.gather(span(lo, hi), keyCols), v.gather(span(lo, hi), keyCols), a.EffectiveScale())
			copy(out.Data[n*out.Cols+h*headDim:], o.Data)
			copy(out.e[n*out.Cols+h*headDim:], o.e)
		}
	})
	return out
}

func (o *oracle) mha(a op.MHAArgs) error {
	if a.Mask.Present() || a.X.Shape[0] != 1 {
		return op.Unsupported("mha", "workloads have one sequence and no mask tensor")
	}
	return o.set(selfAttention(exact(a.X), o.sample.rows, a.MHAInputs, o.sample.cols))
}

func feedForward(x estimate, a op.FFNInputs, cols []int) estimate {
	hidden := x.linear(a.W1, a.B1, span(0, a.W1.Shape[1])).activate(reference.Activation(a.Activation))
	return hidden.linear(a.W2, a.B2, cols)
}

// decoderBlock returns the given rows of a block over x, one sequence.
func decoderBlock(x estimate, rows []int, a op.BlockInputs) estimate {
	all := span(0, x.Cols)
	norm1 := func(x estimate) estimate { return x.layerNorm(floats(a.LN1Gamma), floats(a.LN1Beta), a.Eps) }
	norm2 := func(x estimate) estimate { return x.layerNorm(floats(a.LN2Gamma), floats(a.LN2Beta), a.Eps) }
	attn := func(x estimate) estimate {
		return selfAttention(x, rows, attentionOf(a.BlockAttrs, a.BlockWeights), all)
	}
	feed := func(x estimate) estimate {
		return feedForward(x, op.FFNInputs{FFNAttrs: op.FFNAttrs{Activation: a.Activation}, W1: a.W1, B1: a.B1, W2: a.W2, B2: a.B2}, all)
	}
	if a.Norm == string(reference.PostNorm) {
		middle := norm1(x.gather(rows, all).plus(attn(x)))
		return norm2(middle.plus(feed(middle)))
	}
	middle := x.gather(rows, all).plus(attn(norm1(x)))
	return middle.plus(feed(norm2(middle)))
}

// attentionOf returns a block's layer of attention.
func attentionOf(a op.BlockAttrs, w op.BlockWeights) op.MHAInputs {
	return op.MHAInputs{
		MHAAttrs:   op.MHAAttrs{Heads: a.Heads, KVHeads: a.KVHeads, Causal: a.Causal, Window: a.Window},
		MHAWeights: op.MHAWeights{Wq: w.Wq, Bq: w.Bq, Wk: w.Wk, Bk: w.Bk, Wv: w.Wv, Bv: w.Bv, Wo: w.Wo, Bo: w.Bo},
	}
}

func (o *oracle) block(a op.BlockArgs) error {
	if a.X.Shape[0] != 1 {
		return op.Unsupported("block", "workloads have one sequence")
	}
	return o.set(decoderBlock(exact(a.X), o.sample.rows, a.BlockInputs))
}

// decoder returns columns cols of the logits of the given rows of ids, one sequence.
func decoder(ids []int64, rows []int, a op.GPTAttrs, w op.GPTWeights, cols []int) (estimate, error) {
	x, err := input(ids, a, w)
	if err != nil {
		return estimate{}, err
	}
	for l := range w.Wq.Shape[0] {
		needed := span(0, x.Rows)
		if l == w.Wq.Shape[0]-1 {
			needed = rows
		}
		x = decoderBlock(x, needed, layer(a, w, l))
	}
	if a.Norm == string(reference.PreNorm) {
		x = x.layerNorm(floats(w.LNfGamma), floats(w.LNfBeta), a.Eps)
	}
	return x.logits(w, cols), nil
}

// input returns the sums of embeddings and positions.
func input(ids []int64, a op.GPTAttrs, w op.GPTWeights) (estimate, error) {
	if a.ScaleEmbedding || a.Positions != string(reference.PositionsLearned) {
		return estimate{}, op.Unsupported("gpt", "workloads have learned positions and embeddings as they are")
	}
	d := w.Wte.Shape[1]
	x, positions := newEstimate(len(ids), d), newEstimate(len(ids), d)
	for t, id := range ids {
		for i := range d {
			x.Data[t*d+i], positions.Data[t*d+i] = w.Wte.At(int(id)*d+i), w.Wpe.At(t*d+i)
		}
	}
	return x.plus(positions), nil
}

// layer returns the attributes and weights of block l.
func layer(a op.GPTAttrs, w op.GPTWeights, l int) op.BlockInputs {
	of := func(t op.Tensor) op.Tensor {
		n := t.Len() / t.Shape[0]
		return op.Float32(t.F32[l*n:(l+1)*n], t.Shape[1:]...)
	}
	return op.BlockInputs{
		BlockAttrs: op.BlockAttrs{
			Norm: a.Norm, Heads: a.Heads, KVHeads: a.KVHeads, Activation: a.Activation, Eps: a.Eps, Causal: true, Window: window(a.Windows, l),
		},
		BlockWeights: op.BlockWeights{
			LN1Gamma: of(w.LN1Gamma), LN1Beta: of(w.LN1Beta), LN2Gamma: of(w.LN2Gamma), LN2Beta: of(w.LN2Beta),
			Wq: of(w.Wq), Bq: of(w.Bq), Wk: of(w.Wk), Bk: of(w.Bk), Wv: of(w.Wv), Bv: of(w.Bv), Wo: of(w.Wo), Bo: of(w.Bo),
			W1: of(w.W1), B1: of(w.B1), W2: of(w.W2), B2: of(w.B2),
		},
	}
}

// logits returns columns of x times the output weights.
func (x estimate) logits(w op.GPTWeights, cols []int) estimate {
	if w.Wout.Present() {
		return x.linear(w.Wout, op.Tensor{}, cols)
	}
	tied := op.New(op.F32, x.Cols, len(cols)) // the rows of wte that stand for cols, as columns
	for j, c := range cols {
		for i := range x.Cols {
			tied.F32[i*len(cols)+j] = w.Wte.F32[c*x.Cols+i]
		}
	}
	return x.linear(tied, op.Tensor{}, span(0, len(cols)))
}

func (o *oracle) gpt(a op.GPTArgs) error {
	if a.IDs.Shape[0] != 1 {
		return op.Unsupported("gpt", "workloads have one sequence")
	}
	logits, err := decoder(a.IDs.I64, o.sample.rows, a.GPTAttrs, a.GPTWeights, o.sample.cols)
	o.wants[0] = logits
	return err
}

func (o *oracle) gptLoss(a op.GPTLossArgs) error {
	if a.IDs.Shape[0] != 1 {
		return op.Unsupported("gpt.loss", "workloads have one sequence")
	}
	logits, err := decoder(a.IDs.I64, span(0, len(a.IDs.I64)), a.GPTAttrs, a.GPTWeights, span(0, a.Wte.Shape[0]))
	if err != nil {
		return err
	}
	return o.loss(logits, a.Targets, a.CrossEntropyAttrs)
}

func (o *oracle) gptCached(a op.GPTCachedArgs) error {
	if a.BeamIdx.Present() || a.IDs.Shape[0] != 1 || len(o.context) == 0 {
		return op.Unsupported("gpt.cached", "workloads continue one sequence")
	}
	ids := append(append([]int64{}, o.context[0].I64...), a.IDs.I64...)
	var rows []int
	for _, r := range o.sample.rows {
		rows = append(rows, len(o.context[0].I64)+r)
	}
	logits, err := decoder(ids, rows, a.GPTAttrs, a.GPTWeights, o.sample.cols)
	o.wants[0] = logits
	return err
}
