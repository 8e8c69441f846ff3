package mutant

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

func (p *plain) gptLossGradOp(a op.GPTLossGradArgs) error {
	m := p.model(a.GPTAttrs, a.GPTWeights)
	g, err := p.modelGrad(m, a.IDs.I64, p.gradTargets(a.Targets.I64), a.IDs.Shape[0], a.DLoss.F32, a.CrossEntropyAttrs)
	if err != nil {
		return fmt.Errorf("gpt.loss.grad: %w", err)
	}
	dsts := a.GPTGrads.Tensors()
	for i, x := range g.all() {
		p.give(dsts[i], x)
	}
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
	final := h
	if m.final.gamma != nil {
		final = p.layerNorm(h, m.final)
	}
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
	scale := float32(1)
	if m.ScaleEmbedding {
		scale = float32(math.Sqrt(float64(dh.cols)))
	}
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

func (p *plain) times(m matrix, factor float32) matrix {
	y := m.clone()
	for i := range y.data {
		y.data[i] = p.store(y.data[i] * factor)
	}
	return y
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
