package gonumimpl

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/assaykit/assay/conformance/op"
)

// masking says which keys each query of a head sees.
type masking struct {
	causal bool
	window int
	tensor op.Tensor // [B|1 H|1 Tq Tk], may be absent
}

// apply masks the scores of query i of a head, in place: it adds the bias, and reports the keys that are hidden.
func (m masking) apply(scores []float32, hidden []bool, batch, head, i, seqQ int) {
	p := i + len(scores) - seqQ
	start := 0
	if s := m.tensor.Shape; m.tensor.Present() {
		start = ((min(batch, s[0]-1)*s[1]+min(head, s[1]-1))*seqQ + i) * len(scores)
	}
	for j := range scores {
		hidden[j] = m.causal && j > p || m.window > 0 && (p-j >= m.window || j-p >= m.window)
		switch m.tensor.DType {
		case op.Bool:
			hidden[j] = hidden[j] || !m.tensor.Bool[start+j]
		case op.F32:
			bias := m.tensor.F32[start+j]
			hidden[j] = hidden[j] || math.IsInf(float64(bias), -1)
			scores[j] += bias
		}
	}
}

// weigh turns scores into softmax over the keys that are not hidden; hidden ones get 0.
func weigh(scores []float32, hidden []bool) {
	m, sum := float32(math.Inf(-1)), 0.0
	for j, s := range scores {
		if !hidden[j] {
			m = max(m, s)
		}
	}
	for j, s := range scores {
		e := 0.0
		if !hidden[j] {
			e = math.Exp(float64(s - m))
		}
		scores[j] = float32(e)
		sum += e
	}
	for j := range scores {
		if !hidden[j] {
			scores[j] = float32(float64(scores[j]) / sum)
		}
	}
}

// attend computes one head: all scores by one product, hidden ones too, then softmax by rows, then the values by another product.
func attend(q, k, v, out blas32.General, scale float64, mask masking, batch, head int) {
	scores, hidden := newMatrix(q.Rows, k.Rows), make([]bool, k.Rows)
	gemm(q, transposed(k), 0, scores)
	finite := !anyElement(v, isNonFinite)
	for i := range q.Rows {
		s := row(scores, i)
		for j := range s {
			s[j] = float32(float64(s[j]) * scale)
		}
		mask.apply(s, hidden, batch, head, i, q.Rows)
		weigh(s, hidden)
		if finite {
			continue
		}
		o := row(out, i) // a product would let hidden values in, as 0 * NaN
		clear(o)
		for j, p := range s {
			if hidden[j] {
				continue
			}
			for c, x := range row(v, j) {
				o[c] += p * x
			}
		}
	}
	if finite {
		gemm(scores, v, 0, out)
	}
}

func attention(a op.AttentionArgs) error {
	if a.Softcap != 0 {
		return op.Unsupported(a.Op(), "a soft cap")
	}
	d := a.Dims()
	mask := masking{a.Causal, a.Window, a.Mask}
	plane := func(t op.Tensor, i int) blas32.General {
		rows, cols := t.Shape[2], t.Shape[3]
		return general(rows, cols, cols, t.F32[i*rows*cols:(i+1)*rows*cols])
	}
	for b := range d.Batch {
		for h := range d.Heads {
			g := b*d.KVHeads + h/(d.Heads/d.KVHeads)
			attend(plane(a.Q, b*d.Heads+h), plane(a.K, g), plane(a.V, g), plane(a.Out, b*d.Heads+h), a.EffectiveScale(), mask, b, h)
		}
	}
	return nil
}

func mha(a op.MHAArgs) error {
	x, y := matrix(a.X), matrix(a.Y)
	q, k, v := newMatrix(x.Rows, a.Wq.Shape[1]), newMatrix(x.Rows, a.Wk.Shape[1]), newMatrix(x.Rows, a.Wv.Shape[1])
	linear(x, a.Wq, a.Bq, q)
	linear(x, a.Wk, a.Bk, k)
	linear(x, a.Wv, a.Bv, v)
	out := newMatrix(x.Rows, q.Cols)
	seq, headDim := a.X.Shape[1], q.Cols/a.Heads
	mask := masking{a.Causal, a.Window, a.Mask}
	head := func(m blas32.General, b, h int) blas32.General {
		return general(seq, headDim, m.Stride, m.Data[b*seq*m.Stride+h*headDim:])
	}
	for b := range a.X.Shape[0] {
		for h := range a.Heads {
			g := h / (a.Heads / a.KVHeads)
			attend(head(q, b, h), head(k, b, g), head(v, b, g), head(out, b, h), a.EffectiveScale(), mask, b, h)
		}
	}
	linear(out, a.Wo, a.Bo, y)
	return nil
}

func ffn(a op.FFNArgs) error {
	x := matrix(a.X)
	hidden := newMatrix(x.Rows, a.W1.Shape[1])
	linear(x, a.W1, a.B1, hidden)
	if err := activate(a.Activation, hidden.Data, hidden.Data); err != nil {
		return err
	}
	linear(hidden, a.W2, a.B2, matrix(a.Y))
	return nil
}

func block(a op.BlockArgs) error {
	sublayer := func() op.Tensor { return op.New(op.F32, a.X.Shape...) }
	norm := func(gamma, beta, x, y op.Tensor) error {
		return layerNorm(op.LayerNormArgs{LayerNormInputs: op.LayerNormInputs{LayerNormAttrs: op.LayerNormAttrs{Eps: a.Eps}, Gamma: gamma, Beta: beta, X: x}, Y: y})
	}
	attn := func(x, y op.Tensor) error {
		return mha(op.MHAArgs{Y: y, MHAInputs: op.MHAInputs{
			MHAAttrs:   op.MHAAttrs{Heads: a.Heads, KVHeads: a.KVHeads, Causal: a.Causal, Window: a.Window},
			MHAWeights: op.MHAWeights{Wq: a.Wq, Bq: a.Bq, Wk: a.Wk, Bk: a.Bk, Wv: a.Wv, Bv: a.Bv, Wo: a.Wo, Bo: a.Bo},
			X:          x,
		}})
	}
	feed := func(x, y op.Tensor) error {
		return ffn(op.FFNArgs{FFNInputs: op.FFNInputs{FFNAttrs: op.FFNAttrs{Activation: a.Activation}, W1: a.W1, B1: a.B1, W2: a.W2, B2: a.B2, X: x}, Y: y})
	}
	// step computes one sublayer f of x into y: f(LN(x)) + x, or LN(f(x) + x) post-norm.
	step := func(f func(x, y op.Tensor) error, gamma, beta, x, y op.Tensor) error {
		t := sublayer()
		if a.Norm == "post" {
			if err := f(x, t); err != nil {
				return err
			}
			addTo(t.F32, x.F32)
			return norm(gamma, beta, t, y)
		}
		if err := norm(gamma, beta, x, t); err != nil {
			return err
		}
		if err := f(t, y); err != nil {
			return err
		}
		addTo(y.F32, x.F32)
		return nil
	}
	middle := sublayer()
	if err := step(attn, a.LN1Gamma, a.LN1Beta, a.X, middle); err != nil {
		return err
	}
	return step(feed, a.LN2Gamma, a.LN2Beta, middle, a.Y)
}

func addTo(y, x []float32) { blas32.Axpy(1, vector(x), vector(y)) }

func vector(x []float32) blas32.Vector { return blas32.Vector{N: len(x), Inc: 1, Data: x} }

// embed returns the embeddings of ids plus the encodings of their positions, [B T d].
func embed(a op.GPTAttrs, w op.GPTWeights, ids op.Tensor) (op.Tensor, error) {
	vocab, d, seq := w.Wte.Shape[0], w.Wte.Shape[1], ids.Shape[1]
	if w.Wpe.Present() && seq > w.Wpe.Shape[0] {
		return op.Tensor{}, fmt.Errorf("%w: %d tokens, wpe has %d positions", op.ErrPosition, seq, w.Wpe.Shape[0])
	}
	x := op.New(op.F32, ids.Shape[0], seq, d)
	for n, id := range ids.I64 {
		if id < 0 || id >= int64(vocab) {
			return op.Tensor{}, fmt.Errorf("%w: ids[%d] is %d, the vocabulary has %d", op.ErrIndex, n, id, vocab)
		}
		scale := 1.0
		if a.ScaleEmbedding {
			scale = math.Sqrt(float64(d))
		}
		t := n % seq
		for i := range d {
			v := float64(w.Wte.F32[int(id)*d+i]) * scale
			switch a.Positions {
			case "learned":
				v += float64(w.Wpe.F32[t*d+i])
			case "sinusoidal":
				sin, cos := math.Sincos(float64(t) / math.Pow(10000, float64(i&^1)/float64(d)))
				v += []float64{sin, cos}[i&1]
			}
			x.F32[n*d+i] = float32(v)
		}
	}
	return x, nil
}

func gpt(a op.GPTArgs) error {
	x, err := embed(a.GPTAttrs, a.GPTWeights, a.IDs)
	if err != nil {
		return fmt.Errorf("gpt: %w", err)
	}
	for l := range a.Wq.Shape[0] {
		of := func(t op.Tensor) op.Tensor {
			n := len(t.F32) / t.Shape[0]
			return op.Float32(t.F32[l*n:(l+1)*n], t.Shape[1:]...)
		}
		attrs := op.BlockAttrs{Norm: a.Norm, Heads: a.Heads, KVHeads: a.KVHeads, Activation: a.Activation, Eps: a.Eps, Causal: true}
		if len(a.Windows) > 0 {
			attrs.Window = a.Windows[l%len(a.Windows)]
		}
		y := op.New(op.F32, x.Shape...)
		err := block(op.BlockArgs{BlockInputs: op.BlockInputs{BlockAttrs: attrs, BlockWeights: op.BlockWeights{
			LN1Gamma: of(a.LN1Gamma), LN1Beta: of(a.LN1Beta), LN2Gamma: of(a.LN2Gamma), LN2Beta: of(a.LN2Beta),
			Wq: of(a.Wq), Bq: of(a.Bq), Wk: of(a.Wk), Bk: of(a.Bk), Wv: of(a.Wv), Bv: of(a.Bv), Wo: of(a.Wo), Bo: of(a.Bo),
			W1: of(a.W1), B1: of(a.B1), W2: of(a.W2), B2: of(a.B2),
		}, X: x}, Y: y})
		if err != nil {
			return err
		}
		x = y
	}
	if a.Norm == "pre" {
		norm := op.LayerNormArgs{LayerNormInputs: op.LayerNormInputs{LayerNormAttrs: op.LayerNormAttrs{Eps: a.Eps}, Gamma: a.LNfGamma, Beta: a.LNfBeta, X: x}, Y: x}
		if err := layerNorm(norm); err != nil {
			return err
		}
	}
	out := matrix(a.Wout)
	if !a.Wout.Present() {
		out = transposed(matrix(a.Wte))
	}
	gemm(matrix(x), out, 0, matrix(a.Logits))
	return nil
}

func gptLoss(a op.GPTLossArgs) error {
	n, vocab := len(a.IDs.I64), a.Wte.Shape[0]
	logits := op.New(op.F32, a.IDs.Shape[0], a.IDs.Shape[1], vocab)
	if err := gpt(op.GPTArgs{GPTAttrs: a.GPTAttrs, GPTWeights: a.GPTWeights, IDs: a.IDs, Logits: logits}); err != nil {
		return err
	}
	return crossEntropy(op.CrossEntropyArgs{Loss: a.Loss, CrossEntropyInputs: op.CrossEntropyInputs{
		CrossEntropyAttrs: a.CrossEntropyAttrs, Logits: op.Float32(logits.F32, n, vocab), Targets: op.Int64(a.Targets.I64, n),
	}})
}
