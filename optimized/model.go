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

var _ = register("gpt", withEngine(newGPTOp))

// gptOp is the op gpt. Its blocks run one after another and share one cache.
type gptOp struct {
	*model
	caches []*kvCache
}

func newGPTOp(e *engine, a op.GPTArgs) *gptOp {
	m := newModel(e, a.GPTWeights, a.GPTAttrs)
	return &gptOp{m, oneCache(m)}
}

// ownCaches returns a cache for each block.
func ownCaches(m *model, capacity int) []*kvCache {
	caches := make([]*kvCache, len(m.blocks))
	for l := range caches {
		caches[l] = newKVCache(m.kern.NR, capacity)
	}
	return caches
}

// oneCache returns the same cache for every block.
func oneCache(m *model) []*kvCache {
	caches, shared := make([]*kvCache, len(m.blocks)), newKVCache(m.kern.NR, 0)
	for l := range caches {
		caches[l] = shared
	}
	return caches
}

func (k *gptOp) Run(a op.GPTArgs) error {
	if err := k.check("gpt", a.IDs, 0); err != nil {
		return err
	}
	k.caches[0].capacity = a.IDs.Shape[1]
	k.logits(a.Logits.F32, k.hidden(a.IDs, k.caches, 0, nil))
	return nil
}

var _ = register("gpt.loss", withEngine(newGPTLoss))

// gptLoss is the op gpt.loss.
type gptLoss struct {
	*model
	loss   crossEntropy
	caches []*kvCache
	chunk  []float32 // logits of some rows
}

func newGPTLoss(e *engine, a op.GPTLossArgs) *gptLoss {
	m := newModel(e, a.GPTWeights, a.GPTAttrs)
	return &gptLoss{model: m, loss: crossEntropy{team: e.team, ignore: int64(a.IgnoreIndex)}, caches: oneCache(m)}
}

// maxLogits is how many logits gpt.loss holds at a time: all of them would be the largest array of the whole model.
const maxLogits = 1 << 22

func (k *gptLoss) Run(a op.GPTLossArgs) error {
	if err := k.check("gpt.loss", a.IDs, 0); err != nil {
		return err
	}
	if err := k.loss.check("gpt.loss", a.Targets, k.vocab); err != nil {
		return err
	}
	k.caches[0].capacity = a.IDs.Shape[1]
	h, targets := k.hidden(a.IDs, k.caches, 0, nil), a.Targets.I64
	k.loss.begin(len(targets))
	step := max(1, maxLogits/k.vocab)
	for lo := 0; lo < len(targets); lo += step {
		hi := min(lo+step, len(targets))
		y := grow(&k.chunk, (hi-lo)*k.vocab)
		k.logits(y, h[lo*k.width:hi*k.width])
		k.loss.add(y, targets[lo:hi])
	}
	k.loss.reduce(a.Loss.F32, targets, a.Reduction)
	return nil
}

var _ = register("gpt.loss.grad", withGradients(newGPTLossGrad))

// gptLossGrad is the op gpt.loss.grad.
type gptLossGrad struct {
	*lossGrad
	weights []float64
}

func newGPTLossGrad(e *engine, a op.GPTLossGradArgs) *gptLossGrad {
	return &gptLossGrad{lossGrad: newLossGrad(newModel(e, a.GPTWeights, a.GPTAttrs), a.IgnoreIndex)}
}

func (k *gptLossGrad) Run(a op.GPTLossGradArgs) error {
	if err := k.check("gpt.loss.grad", a.IDs, a.Targets); err != nil {
		return err
	}
	g := op.GPTWeights{
		Wte: a.DWte, Wpe: a.DWpe,
		LN1Gamma: a.DLN1Gamma, LN1Beta: a.DLN1Beta, Wq: a.DWq, Bq: a.DBq, Wk: a.DWk, Bk: a.DBk, Wv: a.DWv, Bv: a.DBv, Wo: a.DWo, Bo: a.DBo,
		LN2Gamma: a.DLN2Gamma, LN2Beta: a.DLN2Beta, W1: a.DW1, B1: a.DB1, W2: a.DW2, B2: a.DB2,
		LNfGamma: a.DLNfGamma, LNfBeta: a.DLNfBeta, Wout: a.DWout,
	}
	zero(g.Wte, g.Wpe, g.LN1Gamma, g.LN1Beta, g.Wq, g.Bq, g.Wk, g.Bk, g.Wv, g.Bv, g.Wo, g.Bo,
		g.LN2Gamma, g.LN2Beta, g.W1, g.B1, g.W2, g.B2, g.LNfGamma, g.LNfBeta, g.Wout)
	k.weights = k.loss.upstream(k.weights, a.Targets.I64, a.DLoss.F32, a.Reduction)
	k.add(g, a.IDs, a.Targets, k.weights)
	return nil
}

// lossGrad computes the loss of a model and its gradient with respect to every parameter.
type lossGrad struct {
	*model
	loss      crossEntropy
	caches    []*kvCache
	positions []int64
	table     tableGrad
	chunk     []float32 // logits of some rows, then their gradients
}

// newLossGrad returns the gradient of a model that was made with newGradEngine.
func newLossGrad(m *model, ignore int) *lossGrad {
	return &lossGrad{model: m, loss: crossEntropy{team: m.team, ignore: int64(ignore)}, caches: oneCache(m), table: tableGrad{team: m.team}}
}

// check returns why a batch cannot be evaluated.
func (k *lossGrad) check(name string, ids, targets op.Tensor) error {
	if err := k.model.check(name, ids, 0); err != nil {
		return err
	}
	return k.loss.check(name, targets, k.vocab)
}

// add evaluates a batch, and adds to g its gradient: that of the sum over rows of weight times loss. It leaves the losses in k.loss.
func (k *lossGrad) add(g op.GPTWeights, ids, targets op.Tensor, weights []float64) {
	k.caches[0].capacity = ids.Shape[1]
	h := k.hidden(ids, k.caches, 0, nil)
	dh := grow(&k.grad.out, len(h))
	k.addOutput(g, dh, h, targets.I64, weights)

	layers, spare := len(k.blocks), grow(&k.grad.in, len(h))
	if k.final != nil {
		k.grad.norm.run(k.final, spare, g.LNfGamma.F32, g.LNfBeta.F32, k.stream(layers, len(h)), dh)
		dh, spare = spare, dh
	}
	s := step{batch: ids.Shape[0], seqLen: ids.Shape[1]}
	for l := layers - 1; l >= 0; l-- {
		k.blocks[l].backward(spare, layer(g, l), dh, s, k.tapes[l])
		dh, spare = spare, dh
	}
	k.table.add(g.Wte.F32, dh, ids.I64, k.scale)
	if k.wpe.Present() {
		k.positions = k.positions[:0]
		for i := range ids.I64 {
			k.positions = append(k.positions, int64(i%s.seqLen))
		}
		k.table.add(g.Wpe.F32, dh, k.positions, 1)
	}
}

// addOutput computes the losses and dh, and adds to the gradient of the output weights, for as many rows at a time as their logits allow.
func (k *lossGrad) addOutput(g op.GPTWeights, dh, h []float32, targets []int64, weights []float64) {
	d := k.width
	k.loss.begin(len(targets))
	step := max(kcMax, maxLogits/k.vocab)
	for lo := 0; lo < len(targets); lo += step {
		hi := min(lo+step, len(targets))
		y := grow(&k.chunk, (hi-lo)*k.vocab)
		k.logits(y, h[lo*d:hi*d])
		k.loss.addGrad(y, y, targets[lo:hi], weights[lo:hi])
		dy, x := dense(y, hi-lo, k.vocab), dense(h[lo*d:], hi-lo, d)
		k.gemm.run(dh[lo*d:hi*d], dy, &k.out.wt, nil)
		if g.Wout.Present() {
			k.addWeights(g.Wout.F32, nil, x, dy)
		} else {
			k.addWeights(g.Wte.F32, nil, dy, x)
		}
	}
}

var _ = register("gpt.cached", withEngine(newGPTCached))

// gptCached is the op gpt.cached, with a cache for each block. All hold as many positions.
type gptCached struct {
	*model
	caches []*kvCache
}

func newGPTCached(e *engine, a op.GPTCachedArgs) *gptCached {
	m := newModel(e, a.GPTWeights, a.GPTAttrs)
	return &gptCached{m, ownCaches(m, a.Capacity)}
}

func (k *gptCached) Run(a op.GPTCachedArgs) error {
	batch, steps := a.IDs.Shape[0], a.IDs.Shape[1]
	shape := k.blocks[0].mha.cacheShape(batch)
	if err := k.caches[0].check(shape, a.Pos.I64[0], steps, a.BeamIdx.I64); err != nil {
		return fmt.Errorf("gpt.cached: %w", err)
	}
	pos := int(a.Pos.I64[0])
	if err := k.check("gpt.cached", a.IDs, pos); err != nil {
		return err
	}
	k.logits(a.Logits.F32, k.hidden(a.IDs, k.caches, pos, a.BeamIdx.I64))
	return nil
}
