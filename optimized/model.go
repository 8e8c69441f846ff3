package optimized

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// model is a decoder: embeddings, positions, blocks, final normalization and output weights.
type model struct {
	*engine
	vocab, width int
	wte, wpe     op.Tensor // wpe is absent unless positions are learned
	sinusoid     *sinusoid // nil unless positions are sinusoidal
	scale        float64   // of the embeddings
	blocks       []*block
	final        *layerNorm  // nil after post-norm blocks
	out          *linear     // to logits
	tapes        []*tape     // by block
	streams      [][]float32 // what goes from block to block, and from the last one to the output weights; used in turn
}

func newModel(e *engine, w op.GPTWeights, a op.GPTAttrs) *model {
	m := &model{engine: e, vocab: w.Wte.Shape[0], width: w.Wte.Shape[1], wte: w.Wte, wpe: w.Wpe, scale: 1, streams: make([][]float32, 2)}
	if a.ScaleEmbedding {
		m.scale = math.Sqrt(float64(m.width))
	}
	if a.Positions == "sinusoidal" {
		m.sinusoid = newSinusoid(m.width)
	}
	if a.Norm == "pre" {
		m.final = newLayerNorm(w.LNfGamma.F32, w.LNfBeta.F32, a.Eps)
	}
	m.out = newLinear(e, outputWeights(w), nil)
	for l := range w.Wq.Shape[0] {
		attrs := op.BlockAttrs{Norm: a.Norm, Heads: a.Heads, KVHeads: a.KVHeads, Activation: a.Activation, Eps: a.Eps, Causal: true}
		if len(a.Windows) > 0 {
			attrs.Window = a.Windows[l%len(a.Windows)]
		}
		m.blocks = append(m.blocks, newBlock(e, layer(w, l), attrs))
		m.tapes = append(m.tapes, &e.tape)
	}
	if e.grad != nil {
		m.streams = make([][]float32, len(m.blocks)+2)
		for l := range m.tapes {
			m.tapes[l] = &tape{ffn: ffnTape{keep: true}}
		}
	}
	return m
}

// outputWeights returns the matrix [d, V] that makes logits.
func outputWeights(w op.GPTWeights) view {
	if w.Wout.Present() {
		return weights(w.Wout)
	}
	return weights(w.Wte).transposed()
}

// load packs weights of the shapes that newModel was given. Vectors and tables are not packed: those that it was given stay.
func (m *model) load(w op.GPTWeights) {
	for l, b := range m.blocks {
		b.load(layer(w, l))
	}
	m.out.set(m.engine, 0, outputWeights(w))
}

// layer returns the parameters of block l.
func layer(w op.GPTWeights, l int) blockWeights {
	mat := func(t op.Tensor) view {
		n := t.Shape[1] * t.Shape[2]
		return dense(t.F32[l*n:(l+1)*n], t.Shape[1], t.Shape[2])
	}
	vec := func(t op.Tensor) []float32 { return t.F32[l*t.Shape[1] : (l+1)*t.Shape[1]] }
	return blockWeights{
		ln1Gamma: vec(w.LN1Gamma), ln1Beta: vec(w.LN1Beta), ln2Gamma: vec(w.LN2Gamma), ln2Beta: vec(w.LN2Beta),
		mha: mhaWeights{mat(w.Wq), mat(w.Wk), mat(w.Wv), mat(w.Wo), vec(w.Bq), vec(w.Bk), vec(w.Bv), vec(w.Bo)},
		w1:  mat(w.W1), b1: vec(w.B1), w2: mat(w.W2), b2: vec(w.B2),
	}
}

// check returns why ids cannot be evaluated at pos: an id outside the vocabulary, or a position that has no encoding.
func (m *model) check(name string, ids op.Tensor, pos int) error {
	if last := pos + ids.Shape[1]; m.wpe.Present() && last > m.wpe.Shape[0] {
		return fmt.Errorf("%s: %w: ids reach position %d, want at most %d, the last row of wpe", name, op.ErrPosition, last-1, m.wpe.Shape[0]-1)
	}
	return within(name, "ids", ids, m.vocab, op.ErrIndex)
}

// hidden returns what the output weights are multiplied with, [B*T, d], for ids [B, T] at the positions from pos. Block l uses caches[l].
func (m *model) hidden(ids op.Tensor, caches []*kvCache, pos int, beam []int64) []float32 {
	n := len(ids.I64) * m.width
	h := m.stream(0, n)
	m.embed(h, ids, pos)
	s := step{batch: ids.Shape[0], seqLen: ids.Shape[1], pos: pos, beam: beam}
	for l, b := range m.blocks {
		s.cache = caches[l]
		y := m.stream(l+1, n)
		b.apply(y, h, s, m.tapes[l])
		h = y
	}
	if m.final != nil {
		y := m.stream(len(m.blocks)+1, n)
		m.final.apply(m.team, y, h)
		h = y
	}
	return h
}

// stream returns the vectors that block l gets.
func (m *model) stream(l, n int) []float32 { return grow(&m.streams[l%len(m.streams)], n) }

// embed computes wte[id] * scale + position, rounded once.
func (m *model) embed(h []float32, ids op.Tensor, pos int) {
	for i, id := range ids.I64 {
		at, row, e := pos+i%ids.Shape[1], h[i*m.width:(i+1)*m.width], m.wte.F32[int(id)*m.width:]
		switch {
		case m.wpe.Present():
			p := m.wpe.F32[at*m.width:]
			for j := range row {
				row[j] = float32(float64(e[j])*m.scale + float64(p[j]))
			}
		case m.sinusoid != nil:
			for i := range m.width / 2 {
				sin, cos := m.sinusoid.at(float64(at), i)
				row[2*i] = float32(float64(e[2*i])*m.scale + sin)
				row[2*i+1] = float32(float64(e[2*i+1])*m.scale + cos)
			}
		default:
			for j := range row {
				row[j] = float32(float64(e[j]) * m.scale)
			}
		}
	}
}

// logits multiplies rows of hidden by the output weights.
func (m *model) logits(y, h []float32) { m.out.apply(m.gemm, y, h) }
