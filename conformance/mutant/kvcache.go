package mutant

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// cacheParts are the decisions in which a cache goes wrong.
type cacheParts struct {
	newCache  func(capacity int) *cache
	checkStep func(c *cache, pos int64, count int) error
	beamRow   func(index int64, batch int) (int, error)
	reorder   func(items []item, beam []int) []item
	newRow    func(b int, beam []int) int // which new entries item b appends
	kept      func(pos, length int) int
	live      func(end, stored int) int
	held      func(x []float32) []float32 // memory for the first entries of a cache
	failed    func(c *cache, reordered []item)
}

var _ = parts(func(p *plain) {
	p.cacheParts = cacheParts{
		newCache: func(capacity int) *cache { return &cache{capacity: capacity} }, checkStep: checkStep, beamRow: beamRow, reorder: reorder,
		newRow: func(b int, _ []int) int { return b }, kept: func(pos, _ int) int { return pos }, live: func(end, _ int) int { return end },
		held:   slices.Clone[[]float32],
		failed: func(*cache, []item) {},
	}
})

// cache is the state that a stateful kernel keeps between Runs.
type cache struct {
	capacity, length int
	items            []item // one a batch item; nil before the first step
}

// item holds the keys and values of one batch item: for each layer, a matrix a KV head, whose rows are entries. Rows at or beyond the
// cache's length are dead.
type item []layer

type layer struct{ k, v []matrix }

// step has run work on a reordered copy of the state, in which kept entries stay and count are added, and keeps the copy where nothing
// failed.
func (p *plain) step(c *cache, batch, layers, count int, pos, beamIdx op.Tensor, run func(items []item, kept int, beam []int) error) error {
	if c.items == nil {
		for range batch {
			c.items = append(c.items, make(item, layers))
		}
	}
	if len(c.items) != batch {
		return fmt.Errorf("%w: the cache holds a batch of %d, this step has %d: open another kernel for it", op.ErrShape, len(c.items), batch)
	}
	beam := make([]int, batch)
	for b := range beam {
		if beam[b] = b; beamIdx.Present() {
			var err error
			if beam[b], err = p.beamRow(beamIdx.I64[b], batch); err != nil {
				return err
			}
		}
	}
	items := p.reorder(c.items, beam)
	err := p.checkStep(c, pos.I64[0], count)
	if err == nil {
		err = run(items, p.kept(int(pos.I64[0]), c.length), beam)
	}
	if err != nil {
		p.failed(c, items)
		return err
	}
	c.items, c.length = items, int(pos.I64[0])+count
	return nil
}

func checkStep(c *cache, pos int64, count int) error {
	switch {
	case pos < 0 || pos > int64(c.length):
		return fmt.Errorf("%w: pos %d: want 0 to %d, the length of the cache", op.ErrPosition, pos, c.length)
	case pos+int64(count) > int64(c.capacity):
		return fmt.Errorf("%w: pos %d and %d new entries: want at most %d in all", op.ErrCapacity, pos, count, c.capacity)
	}
	return nil
}

func beamRow(index int64, batch int) (int, error) {
	if index < 0 || index >= int64(batch) {
		return 0, fmt.Errorf("%w: beam_idx %d: want 0 to %d", op.ErrIndex, index, batch-1)
	}
	return int(index), nil
}

// reorder returns copies of the items that beam names.
func reorder(items []item, beam []int) []item {
	out := make([]item, len(beam))
	for b, from := range beam {
		out[b] = items[from].clone()
	}
	return out
}

func (it item) clone() item {
	out := make(item, len(it))
	for l := range it {
		for g := range it[l].k {
			out[l].k, out[l].v = append(out[l].k, it[l].k[g].clone()), append(out[l].v, it[l].v[g].clone())
		}
	}
	return out
}

// extend writes new keys and values, those of all batch items, behind the entries that are kept in one layer, and returns all that live.
func (p *plain) extend(items []item, l, kept int, beam []int, k, v []matrix) (allK, allV []matrix) {
	kvHeads := len(k) / len(items)
	for b, it := range items {
		if it[l].k == nil {
			it[l] = layer{make([]matrix, kvHeads), make([]matrix, kvHeads)}
		}
		for g := range kvHeads {
			n := p.newRow(b, beam)*kvHeads + g
			allK = append(allK, p.put(&it[l].k[g], kept, k[n]))
			allV = append(allV, p.put(&it[l].v[g], kept, v[n]))
		}
	}
	return allK, allV
}

// put writes entries behind the first kept ones and returns those that live then.
func (p *plain) put(m *matrix, kept int, fresh matrix) matrix {
	end := kept + fresh.rows
	if len(m.data) == 0 {
		m.data = p.held(fresh.data)
	}
	m.cols, m.rows = fresh.cols, max(m.rows, end)
	if missing := m.rows*m.cols - len(m.data); missing > 0 {
		m.data = append(m.data, make([]float32, missing)...)
	}
	copy(m.data[kept*m.cols:], fresh.data)
	rows := p.live(end, m.rows)
	return matrix{rows, m.cols, m.data[:rows*m.cols]}
}

type attentionCached struct {
	p *plain
	c *cache
}

var _ = offerKernel((*plain).openAttentionCached)

func (p *plain) openAttentionCached(a op.AttentionCachedArgs) (op.Runner[op.AttentionCachedArgs], error) {
	return attentionCached{p, p.newCache(a.Capacity)}, nil
}

func (r attentionCached) Run(a op.AttentionCachedArgs) error {
	p, q := r.p, planes(a.Q)
	batch, heads := a.Q.Shape[0], a.Q.Shape[1]
	s := setting{causal: true, window: a.Window, scale: p.scale(a.Scale, scaling{a.Q.Shape[3], a.V.Shape[3], heads})}
	err := p.step(r.c, batch, 1, a.Q.Shape[2], a.Pos, a.BeamIdx, func(items []item, kept int, beam []int) error {
		old := items[0][0]
		if old.k != nil && (len(old.k) != a.K.Shape[1] || old.k[0].cols != a.K.Shape[3] || old.v[0].cols != a.V.Shape[3]) {
			return fmt.Errorf("%w: k and v have other heads or head dims than those in the cache", op.ErrShape)
		}
		k, v := p.extend(items, 0, kept, beam, planes(a.K), planes(a.V))
		p.attention(planes(a.Out), q, k, v, batch, s)
		return nil
	})
	if err != nil {
		return fmt.Errorf("attention.cached: %w", err)
	}
	return nil
}

var _ = plant([]bug{
	{"attention-cached-rewind-ignored", "attention.cached", "KV-3", "Appends at the end, whatever pos is.", "", func(p *plain) {
		p.kept = func(_, length int) int { return length }
	}},
	{"attention-cached-stale-entries", "attention.cached", "KV-3", "Attends to entries beyond the new ones.", "", func(p *plain) {
		p.live = func(_, stored int) int { return stored }
	}},
	{"attention-cached-offset-ignored", "attention.cached", "KV-1", "Places the queries at 0 and not behind the cache.", "onnx: 53 of 56 attention vectors pass with it", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return j <= i && within(i-j, causal, window)
	})},
	{"attention-cached-chunk-not-causal", "attention.cached", "KV-2", "Is causal in the first step only: later ones see all of their chunk.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return visible(i, j, tq, tk, causal && tq == tk, window)
	})},
	{"attention-cached-window-from-step", "attention.cached", "KV-5", "Counts the window from the start of the step.", "", masking(func(i, j, tq, tk int, causal bool, window int) bool {
		return visible(i, j, tq, tk, causal, 0) && within(i-j, causal, window)
	})},
	{"attention-cached-window-ignored", "attention.cached", "KV-5", "Ignores the window.", "", masking(func(i, j, tq, tk int, causal bool, _ int) bool {
		return visible(i, j, tq, tk, causal, 0)
	})},
	{"attention-cached-beam-ignored", "attention.cached", "KV-4", "Ignores beam_idx.", "", func(p *plain) {
		p.reorder = func(items []item, beam []int) []item { return reorder(items, identity(len(beam))) }
	}},
	{"attention-cached-beam-after-append", "attention.cached", "KV-4", "Reorders after the append, the new entries too.", "", func(p *plain) {
		p.newRow = func(b int, beam []int) int { return beam[b] }
	}},
	{"attention-cached-beam-in-place", "attention.cached", "KV-4", "Reorders in place, so that an item is overwritten before it is read.", "", func(p *plain) {
		p.reorder = func(items []item, beam []int) []item {
			out := reorder(items, identity(len(beam)))
			for b, from := range beam {
				out[b] = out[from].clone()
			}
			return out
		}
	}},
	{"attention-cached-beam-shares", "attention.cached", "KV-4", "Lets the copies of an item share their memory.", "", func(p *plain) {
		p.reorder = func(items []item, beam []int) []item {
			copies := reorder(items, identity(len(beam)))
			out := make([]item, len(beam))
			for b, from := range beam {
				out[b] = copies[from]
			}
			return out
		}
	}},
	{"attention-cached-beam-clamped", "attention.cached", "KV-8", "Clamps beam_idx to the batch.", "", func(p *plain) {
		p.beamRow = func(index int64, batch int) (int, error) { return int(min(max(index, 0), int64(batch-1))), nil }
	}},
	{"attention-cached-capacity-ignored", "attention.cached", "KV-7", "Grows beyond its capacity.", "", func(p *plain) {
		p.checkStep = func(c *cache, pos int64, _ int) error { return checkStep(c, pos, 0) }
	}},
	{"attention-cached-capacity-off-by-one", "attention.cached", "BUF-6", "Refuses the step that fills the cache.", "", func(p *plain) {
		p.checkStep = func(c *cache, pos int64, count int) error { return checkStep(c, pos, count+1) }
	}},
	{"attention-cached-position-ignored", "attention.cached", "KV-6", "Accepts a position beyond the length, and leaves a gap.", "", func(p *plain) {
		p.checkStep = func(c *cache, pos int64, count int) error {
			return checkStep(&cache{capacity: c.capacity, length: c.capacity}, pos, count)
		}
	}},
	{"attention-cached-failed-step-reorders", "attention.cached", "KV-6", "Keeps the new order of a step that failed.", "", func(p *plain) {
		p.failed = func(c *cache, reordered []item) { c.items = reordered }
	}},
	{"attention-cached-failed-step-clears", "attention.cached", "KV-7", "Clears its entries in a step that fails.", "", func(p *plain) {
		p.failed = func(c *cache, _ []item) { clearItems(c.items) }
	}},
	{"attention-cached-heads-modulo", "attention.cached", "ATT-4", "Deals query heads to KV heads in turn: h mod G.", "", func(p *plain) {
		p.kvHead = func(h, _, kvHeads int) int { return h % kvHeads }
	}},
	{"attention-cached-denominator-1e-5", "attention.cached", "ATT-5", "Adds 1e-5 to the denominator.", "", plusConstant(1e-5)},
})

func clearItems(items []item) {
	for _, it := range items {
		for _, l := range it {
			for g := range l.k {
				clear(l.k[g].data)
				clear(l.v[g].data)
			}
		}
	}
}
