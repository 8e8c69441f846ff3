package optimized

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// gptOp is the op gpt. Its blocks run one after another and share one cache.
type gptOp struct {
	*model
	caches []*kvCache
}

func newGPTOp(e *engine, a op.GPTArgs) *gptOp {
	m := newModel(e, a.GPTWeights, a.GPTAttrs)
	return &gptOp{m, oneCache(m)}
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

// gptCached is the op gpt.cached, with a cache for each block. All hold as many positions.
type gptCached struct {
	*model
	caches []*kvCache
}

func newGPTCached(e *engine, a op.GPTCachedArgs) *gptCached {
	k := &gptCached{model: newModel(e, a.GPTWeights, a.GPTAttrs)}
	for range k.blocks {
		k.caches = append(k.caches, newKVCache(e.kern.NR, a.Capacity))
	}
	return k
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
