package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

func (p *plain) ffnOp(a op.FFNArgs) error {
	w := feedForward{rowsOf(a.W1), rowsOf(a.W2), a.B1.F32, a.B2.F32, a.Activation}
	copy(a.Y.F32, p.ffn(rowsOf(a.X), w).data)
	return nil
}

// feedForward are the weights of a feed-forward layer.
type feedForward struct {
	w1, w2     matrix
	b1, b2     []float32
	activation string
}

func (p *plain) ffn(x matrix, w feedForward) matrix {
	p.amendFFN(&w)
	act := map[string]func(float32) float32{"relu": p.relu, "gelu": p.geluErf, "gelu_tanh": p.geluTanh}[p.activation(w.activation)]
	h := p.linear(x, w.w1, w.b1)
	for i := range h.data {
		h.data[i] = p.store(act(h.data[i]))
	}
	return p.linear(h, w.w2, w.b2)
}

func (p *plain) blockOp(a op.BlockArgs) error {
	w := blockWeights{
		norm: a.Norm, ln1: norm{a.LN1Gamma.F32, a.LN1Beta.F32, a.Eps}, ln2: norm{a.LN2Gamma.F32, a.LN2Beta.F32, a.Eps},
		attn:   projections{rowsOf(a.Wq), rowsOf(a.Wk), rowsOf(a.Wv), rowsOf(a.Wo), a.Bq.F32, a.Bk.F32, a.Bv.F32, a.Bo.F32, a.Heads, a.KVHeads},
		ffn:    feedForward{rowsOf(a.W1), rowsOf(a.W2), a.B1.F32, a.B2.F32, a.Activation},
		causal: a.Causal, window: a.Window,
	}
	copy(a.Y.F32, p.block(rowsOf(a.X), a.X.Shape[0], w, nil).data)
	return nil
}

// blockWeights are the weights and the attributes of one decoder block.
type blockWeights struct {
	norm     string
	ln1, ln2 norm
	attn     projections
	ffn      feedForward
	causal   bool
	window   int
}

// sublayers are the functions that a block connects.
type sublayers struct{ attn, ffn, ln1, ln2 func(matrix) matrix }

func (p *plain) block(x matrix, batch int, w blockWeights, extend func(k, v []matrix) ([]matrix, []matrix)) matrix {
	p.amendBlock(&w)
	headDim := w.attn.wq.cols / w.attn.heads
	s := setting{causal: w.causal, window: w.window, scale: p.scale(nil, scaling{headDim, headDim, w.attn.heads})}
	return p.wire(w.norm, x, sublayers{
		attn: func(x matrix) matrix { return p.mha(x, batch, w.attn, s, extend) },
		ffn:  func(x matrix) matrix { return p.ffn(x, w.ffn) },
		ln1:  func(x matrix) matrix { return p.layerNorm(x, w.ln1) },
		ln2:  func(x matrix) matrix { return p.layerNorm(x, w.ln2) },
	})
}

// residual connects the sublayers of a block.
func (p *plain) residual(norm string, x matrix, s sublayers) matrix {
	if norm == "post" {
		a := s.ln1(p.add(x, s.attn(x)))
		return s.ln2(p.add(a, s.ffn(a)))
	}
	a := p.add(x, s.attn(s.ln1(x)))
	return p.add(a, s.ffn(s.ln2(a)))
}

func (p *plain) add(x, y matrix) matrix {
	z := newMatrix(x.rows, x.cols)
	for i := range z.data {
		z.data[i] = p.store(x.data[i] + y.data[i])
	}
	return z
}

// model is a decoder: its weights and attributes.
type model struct {
	op.GPTAttrs
	wte, wpe, wout matrix
	blocks         []blockWeights
	final          norm // without gamma: none
}

func (p *plain) model(a op.GPTAttrs, w op.GPTWeights) model {
	m := model{GPTAttrs: a, wte: rowsOf(w.Wte), wpe: rowsOf(w.Wpe), wout: rowsOf(w.Wout), final: norm{w.LNfGamma.F32, w.LNfBeta.F32, a.Eps}}
	row := func(t op.Tensor, l int) []float32 { return rowsOf(t).row(l) }
	plane := func(t op.Tensor, l int) matrix { return planes(t)[l] }
	for l := range w.Wq.Shape[0] {
		m.blocks = append(m.blocks, blockWeights{
			norm: a.Norm, ln1: norm{row(w.LN1Gamma, l), row(w.LN1Beta, l), a.Eps}, ln2: norm{row(w.LN2Gamma, l), row(w.LN2Beta, l), a.Eps},
			attn: projections{plane(w.Wq, l), plane(w.Wk, l), plane(w.Wv, l), plane(w.Wo, l),
				row(w.Bq, l), row(w.Bk, l), row(w.Bv, l), row(w.Bo, l), a.Heads, a.KVHeads},
			ffn:    feedForward{plane(w.W1, l), plane(w.W2, l), row(w.B1, l), row(w.B2, l), a.Activation},
			causal: true, window: p.window(a.Windows, l),
		})
	}
	p.amendGPT(&m)
	return m
}

func layerWindow(windows []int, layer int) int {
	if len(windows) == 0 {
		return 0
	}
	return windows[layer%len(windows)]
}

// forward returns the logits, [B*T, V], of ids, [B, T], at positions behind the kept entries of the items' caches.
func (p *plain) forward(m model, ids []int64, items []item, kept int, beam []int) (matrix, error) {
	batch := len(items)
	h, err := p.embedded(m, ids, len(ids)/batch, kept)
	if err != nil {
		return matrix{}, err
	}
	for l, w := range m.blocks {
		h = p.block(h, batch, w, func(k, v []matrix) ([]matrix, []matrix) {
			return p.extend(items, l, kept, beam, k, v)
		})
	}
	if m.final.gamma != nil {
		h = p.layerNorm(h, m.final)
	}
	out, tied := m.wout, m.wout.rows == 0
	if tied {
		out = m.wte
	}
	columns := p.right(out, tied)
	logits := newMatrix(h.rows, columns.rows)
	p.multiply(logits, h, columns)
	return logits, nil
}

// embedded returns the embeddings of ids with their positions.
func (p *plain) embedded(m model, ids []int64, seqLen, kept int) (matrix, error) {
	h, err := p.tokens(m.wte, ids)
	if err != nil {
		return matrix{}, err
	}
	pos := make([]int64, len(ids))
	for i := range pos {
		pos[i] = int64(p.firstPos(kept) + i%seqLen)
	}
	at := newMatrix(h.rows, h.cols)
	switch m.Positions {
	case "learned":
		at, err = p.learned(m.wpe, pos)
	case "sinusoidal":
		at, err = p.sinusoids(pos, h.cols)
	}
	if err != nil {
		return matrix{}, err
	}
	scale := float32(1)
	if m.ScaleEmbedding {
		scale = float32(math.Sqrt(float64(h.cols)))
	}
	for i := range h.data {
		h.data[i] = p.store(p.embed(h.data[i], at.data[i], scale))
	}
	return h, nil
}

func embed(token, position, scale float32) float32 { return float32(token*scale) + position }

// whole returns the logits of whole sequences.
func (p *plain) whole(a op.GPTAttrs, w op.GPTWeights, ids op.Tensor) (matrix, error) {
	return p.logits(p.model(a, w), ids.I64, ids.Shape[0])
}

func (p *plain) gptOp(a op.GPTArgs) error {
	logits, err := p.whole(a.GPTAttrs, a.GPTWeights, a.IDs)
	if err != nil {
		return fmt.Errorf("gpt: %w", err)
	}
	copy(a.Logits.F32, logits.data)
	return nil
}

func (p *plain) gptLossOp(a op.GPTLossArgs) error {
	logits, err := p.whole(a.GPTAttrs, a.GPTWeights, a.IDs)
	if err == nil {
		err = p.crossEntropy(a.Loss.F32, logits, p.lossTargets(a.Targets.I64, a.IDs.Shape[1]), a.CrossEntropyAttrs)
	}
	if err != nil {
		return fmt.Errorf("gpt.loss: %w", err)
	}
	return nil
}

type gptCached struct {
	p *plain
	m model
	c *cache
}

func (p *plain) openGPTCached(a op.GPTCachedArgs) (op.Runner[op.GPTCachedArgs], error) {
	return gptCached{p, p.model(a.GPTAttrs, a.GPTWeights), p.newCache(a.Capacity)}, nil
}

func (r gptCached) Run(a op.GPTCachedArgs) error {
	err := r.p.step(r.c, a.IDs.Shape[0], len(r.m.blocks), a.IDs.Shape[1], a.Pos, a.BeamIdx, func(items []item, kept int, beam []int) error {
		logits, err := r.p.forward(r.m, a.IDs.I64, items, kept, beam)
		if err != nil {
			return err
		}
		copy(a.Logits.F32, logits.data)
		return nil
	})
	if err != nil {
		return fmt.Errorf("gpt.cached: %w", err)
	}
	return nil
}
