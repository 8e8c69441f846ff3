package mutant

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// modelParts are the decisions in which a model goes wrong.
type modelParts struct {
	amendGPT    func(m *model)
	embed       func(token, position, scale float32) float32
	firstPos    func(pos int) int
	window      func(windows []int, layer int) int
	lossTargets func(targets []int64, seqLen int) []int64

	tie           func(embedding, output matrix) matrix
	embeddingPart func(scale float32) float32
	positionRows  func(dy matrix, seqLen int) matrix // sums over sequences
	positionPart  func(scale float32) float32
	gradTargets   func(targets []int64) []int64
}

var _ = parts(func(p *plain) {
	p.modelParts = modelParts{
		amendGPT: func(*model) {},
		embed:    embed, firstPos: func(pos int) int { return pos }, window: layerWindow,
		lossTargets: func(targets []int64, _ int) []int64 { return targets },
		tie:         p.add, embeddingPart: func(scale float32) float32 { return scale }, positionPart: func(float32) float32 { return 1 },
		positionRows: p.positionSums, gradTargets: func(targets []int64) []int64 { return targets },
	}
})

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

var _ = offer((*plain).gptOp)

func (p *plain) gptOp(a op.GPTArgs) error {
	logits, err := p.whole(a.GPTAttrs, a.GPTWeights, a.IDs)
	if err != nil {
		return fmt.Errorf("gpt: %w", err)
	}
	copy(a.Logits.F32, logits.data)
	return nil
}

// whole returns the logits of whole sequences.
func (p *plain) whole(a op.GPTAttrs, w op.GPTWeights, ids op.Tensor) (matrix, error) {
	return p.logits(p.model(a, w), ids.I64, ids.Shape[0])
}

// logits returns those of whole sequences.
func (p *plain) logits(m model, ids []int64, batch int) (matrix, error) {
	items := make([]item, batch)
	for b := range items {
		items[b] = make(item, len(m.blocks))
	}
	return p.forward(m, ids, items, 0, identity(batch))
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
	h = p.normed(m, h)
	out, tied := m.wout, m.wout.rows == 0
	if tied {
		out = m.wte
	}
	columns := p.right(out, tied)
	logits := newMatrix(h.rows, columns.rows)
	p.multiply(logits, h, columns)
	return logits, nil
}

// normed is h after the final normalization, where the model has one.
func (p *plain) normed(m model, h matrix) matrix {
	if m.final.gamma == nil {
		return h
	}
	return p.layerNorm(h, m.final)
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
	scale := m.embeddingScale()
	for i := range h.data {
		h.data[i] = p.store(p.embed(h.data[i], at.data[i], scale))
	}
	return h, nil
}

// embeddingScale is sqrt(d) where the model multiplies its embeddings by it.
func (m model) embeddingScale() float32 {
	if !m.ScaleEmbedding {
		return 1
	}
	return float32(math.Sqrt(float64(m.wte.cols)))
}

func embed(token, position, scale float32) float32 { return float32(token*scale) + position }

var _ = offer((*plain).gptLossOp)

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

var _ = offer((*plain).gptLossGradOp)

func (p *plain) gptLossGradOp(a op.GPTLossGradArgs) error {
	m := p.model(a.GPTAttrs, a.GPTWeights)
	g, err := p.modelGrad(m, a.IDs.I64, p.gradTargets(a.Targets.I64), a.IDs.Shape[0], a.DLoss.F32, a.CrossEntropyAttrs)
	if err != nil {
		return fmt.Errorf("gpt.loss.grad: %w", err)
	}
	p.giveAll(a.GPTGrads.Tensors(), g.all())
	return nil
}

// modelGrads are the gradients of the parameters of a model.
type modelGrads struct {
	wte, wpe, wout    matrix
	blocks            []blockGrads
	lnfGamma, lnfBeta []float32
}

// all returns them in the order of the op table, those of the blocks stacked.
func (g *modelGrads) all() [][]float32 {
	stacked := make([][]float32, len(g.blocks[0].all()))
	for l := range g.blocks {
		for i, x := range g.blocks[l].all() {
			stacked[i] = append(stacked[i], x...)
		}
	}
	return slices.Concat([][]float32{g.wte.data, g.wpe.data}, stacked, [][]float32{g.lnfGamma, g.lnfBeta, g.wout.data})
}

// modelGrad is the gradient of the loss with respect to every parameter.
func (p *plain) modelGrad(m model, ids, targets []int64, batch int, dloss []float32, a op.CrossEntropyAttrs) (*modelGrads, error) {
	inputs, h, err := p.activations(m, ids, batch)
	if err != nil {
		return nil, err
	}
	final := p.normed(m, h)
	out, tied := m.wout, m.wout.rows == 0
	if tied {
		out = transposed(m.wte)
	}
	dlogits, err := p.crossEntropyGrad(p.linear(final, out, nil), targets, dloss, a)
	if err != nil {
		return nil, err
	}
	g := &modelGrads{blocks: make([]blockGrads, len(m.blocks))}
	dh, dout, _ := p.linearGrad(final, out, dlogits, nil)
	if m.final.gamma != nil {
		dh, g.lnfGamma, g.lnfBeta = p.layerNormGrad(h, dh, m.final)
	}
	for l := len(m.blocks) - 1; l >= 0; l-- {
		dh = p.blockGrad(inputs[l], dh, batch, m.blocks[l], &g.blocks[l])
	}
	scale := m.embeddingScale()
	if m.Positions == "learned" {
		g.wpe = newMatrix(m.wpe.rows, m.wpe.cols)
		copy(g.wpe.data, p.times(p.positionRows(dh, dh.rows/batch), p.positionPart(scale)).data)
	}
	if g.wte, err = p.embeddingGrad(ids, p.times(dh, p.embeddingPart(scale)), m.wte.rows); err != nil {
		return nil, err
	}
	if tied {
		g.wte = p.tie(g.wte, transposed(dout))
	} else {
		g.wout = dout
	}
	return g, nil
}

// activations returns the input of each block, and the result of the last.
func (p *plain) activations(m model, ids []int64, batch int) (inputs []matrix, h matrix, err error) {
	if h, err = p.embedded(m, ids, len(ids)/batch, 0); err != nil {
		return nil, matrix{}, err
	}
	for _, w := range m.blocks {
		inputs = append(inputs, h)
		h = p.block(h, batch, w, nil)
	}
	return inputs, h, nil
}

// positionSums returns the gradient at each position, summed over the sequences.
func (p *plain) positionSums(dy matrix, seqLen int) matrix {
	sums := newMatrix(seqLen, dy.cols)
	for t := range seqLen {
		for c := range dy.cols {
			var terms []float32
			for row := t; row < dy.rows; row += seqLen {
				terms = append(terms, dy.row(row)[c])
			}
			sums.row(t)[c] = p.store(p.sum(terms))
		}
	}
	return sums
}

type gptCached struct {
	p *plain
	m model
	c *cache
}

var _ = offerKernel((*plain).openGPTCached)

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
