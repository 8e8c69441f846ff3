package optimized

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// attentionOp is the op attention. It packs keys and values into a cache and attends over that.
type attentionOp struct {
	*attention
	cache *kvCache
}

func newAttentionOp(e *engine, _ op.AttentionArgs) *attentionOp {
	return &attentionOp{e.attn, newKVCache(e.kern.NR, 0)}
}

func (k *attentionOp) Run(a op.AttentionArgs) error {
	d := a.Dims()
	k.cache.capacity = d.SeqK
	k.cache.begin(cacheShape{d.Batch, d.KVHeads, d.HeadDim, d.ValueDim}, 0, d.SeqK, nil)
	k.cache.append(k.team, contiguous(a.K), contiguous(a.V), d.SeqK)
	m := newMask(d.SeqQ, d.SeqK, a.Causal, a.Window, a.Mask)
	k.run(contiguous(a.Out), contiguous(a.Q), d.Heads, k.cache, m, a.EffectiveScale())
	return nil
}

// attentionCached is the op attention.cached.
type attentionCached struct {
	*attention
	cache *kvCache
}

func newAttentionCached(e *engine, a op.AttentionCachedArgs) *attentionCached {
	return &attentionCached{e.attn, newKVCache(e.kern.NR, a.Capacity)}
}

func (k *attentionCached) Run(a op.AttentionCachedArgs) error {
	steps := a.Q.Shape[2]
	shape := cacheShape{a.K.Shape[0], a.K.Shape[1], a.K.Shape[3], a.V.Shape[3]}
	if err := k.cache.check(shape, a.Pos.I64[0], steps, a.BeamIdx.I64); err != nil {
		return fmt.Errorf("attention.cached: %w", err)
	}
	k.cache.begin(shape, int(a.Pos.I64[0]), steps, a.BeamIdx.I64)
	k.cache.append(k.team, contiguous(a.K), contiguous(a.V), steps)
	m := newMask(steps, k.cache.length, true, a.Window, op.Tensor{})
	k.run(contiguous(a.Out), contiguous(a.Q), a.Q.Shape[1], k.cache, m, a.EffectiveScale())
	return nil
}
