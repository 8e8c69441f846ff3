package refimpl

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("attention.cached", func(f functions) op.Implementation { return op.AttentionCached(f.openAttentionCached) })

// rows holds the state of each row of a batch between Runs.
type rows[S interface{ Clone() S }] struct{ states []S }

// step returns the states to work on: those of beamIdx where it is given, copies of the rows' own otherwise. The caller keeps them in
// states once nothing can fail any more, so that an error leaves the state as it was.
func (r *rows[S]) step(batch int, beamIdx op.Tensor, fresh func() S) (next []S, err error) {
	old := r.states
	if old == nil {
		for range batch {
			old = append(old, fresh())
		}
	}
	if len(old) != batch {
		return nil, fmt.Errorf("%w: the cache holds a batch of %d, this step has %d: open another kernel for it", op.ErrShape, len(old), batch)
	}
	order := make([]int, batch)
	for b := range order {
		order[b] = b
	}
	if beamIdx.Present() {
		order = ints(beamIdx)
	}
	return reference.Reorder(old, order)
}

type attentionCached struct {
	rows[*reference.KVCache]
	f      functions
	widths []int // of the heads of k and v, and how many there are; as the first step had them
}

func (f functions) openAttentionCached(op.AttentionCachedArgs) (op.Runner[op.AttentionCachedArgs], error) {
	return &attentionCached{f: f}, nil
}

func (c *attentionCached) Run(a op.AttentionCachedArgs) error {
	batch, heads, kvHeads := a.Q.Shape[0], a.Q.Shape[1], a.K.Shape[1]
	widths := []int{kvHeads, a.K.Shape[3], a.V.Shape[3]}
	if c.widths != nil && !slices.Equal(c.widths, widths) {
		return fmt.Errorf("attention.cached: %w: the cache has KV heads, key and value dims %v, this step %v", op.ErrShape, c.widths, widths)
	}
	caches, err := c.step(batch, a.BeamIdx, func() *reference.KVCache { return reference.NewKVCache(kvHeads, a.Capacity) })
	if err != nil {
		return err
	}
	q, k, v := matrices(a.Q), matrices(a.K), matrices(a.V)
	var out []reference.Matrix
	for b, cache := range caches {
		h, g := b*heads, b*kvHeads
		o, err := c.f.CachedAttention(cache, q[h:h+heads], k[g:g+kvHeads], v[g:g+kvHeads], ints(a.Pos)[0], a.EffectiveScale(), a.Window)
		if err != nil {
			return err
		}
		out = append(out, o...)
	}
	store(a.Out.F64, out...)
	c.widths = widths
	c.states = caches
	return nil
}
