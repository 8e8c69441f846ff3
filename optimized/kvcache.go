package optimized

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// pageLen is how many positions a page of the cache holds: as many as a word has bits, so that one word says which of them a query sees.
const pageLen = 64

// heads are vectors by batch item, head and position, in a slice that may hold other things between them.
type heads struct {
	data             []float32
	batch, head, row int // how far apart items, heads and positions are
}

// contiguous returns the heads of a tensor [B, H, T, D].
func contiguous(t op.Tensor) heads {
	d := t.Shape[3]
	return heads{t.F32, t.Shape[1] * t.Shape[2] * d, t.Shape[2] * d, d}
}

// at returns what follows from a vector's first element.
func (h heads) at(b, head, row int) []float32 { return h.data[b*h.batch+head*h.head+row*h.row:] }

// cacheShape is what all steps of a cache have in common.
type cacheShape struct{ batch, kvHeads, headDim, valueDim int }

// A page holds the keys and values of pageLen positions of one sequence, for all KV heads, packed as the micro-kernel reads them.
type page struct {
	k, v    []float32
	special []bool // by KV head: some value is or was a NaN or an infinity
	refs    int    // sequences that hold the page; one that is shared is not written to
}

// A kvCache holds keys and values by sequence, in pages (Kwon et al. 2023, PagedAttention). After a reorder the sequences share pages,
// and copy one only before they write to it. Memory grows with what is held, never from the capacity alone.
type kvCache struct {
	nr       int // columns of a B-panel
	capacity int
	length   int // positions that every sequence holds
	cacheShape

	seqs, spare [][]*page // by sequence; spare is the table that the next reorder fills
	free        []*page
	total       int // pages that exist

	task cacheAppend
}

func newKVCache(nr, capacity int) *kvCache { return &kvCache{nr: nr, capacity: capacity} }

// check returns why a step of so many positions cannot be taken at pos, after the reorder beam where it is not empty.
func (c *kvCache) check(s cacheShape, pos int64, steps int, beam []int64) error {
	switch {
	case c.seqs != nil && s != c.cacheShape:
		return fmt.Errorf("%w: the cache has batch %d, KV heads %d, head dim %d, value dim %d, this step %d, %d, %d, %d: open another kernel for it",
			op.ErrShape, c.batch, c.kvHeads, c.headDim, c.valueDim, s.batch, s.kvHeads, s.headDim, s.valueDim)
	case pos < 0 || pos > int64(c.length):
		return fmt.Errorf("%w: pos = %d, want 0 to %d, the number of positions held", op.ErrPosition, pos, c.length)
	case int(pos)+steps > c.capacity:
		return fmt.Errorf("%w: pos = %d and %d new positions, want at most %d", op.ErrCapacity, pos, steps, c.capacity)
	}
	for b, from := range beam {
		if from < 0 || from >= int64(s.batch) {
			return fmt.Errorf("%w: beam_idx[%d] = %d, want 0 to %d", op.ErrIndex, b, from, s.batch-1)
		}
	}
	return nil
}

// begin takes a step that check admits: it reorders, keeps the first pos positions, and makes room for the new ones.
func (c *kvCache) begin(s cacheShape, pos, steps int, beam []int64) {
	if c.seqs == nil || s != c.cacheShape {
		c.reset(s)
	}
	c.keep(pages(pos), beam)
	if need := c.batch * pages(pos+steps); need > c.total {
		c.grow(max(need, min(2*c.total, c.batch*pages(c.capacity))))
	}
	for b := range c.seqs {
		if pos%pageLen != 0 {
			c.unshare(&c.seqs[b][pos/pageLen])
		}
		for range pages(pos+steps) - pages(pos) {
			c.seqs[b] = append(c.seqs[b], c.take())
		}
	}
	c.length = pos + steps
}

// hold makes keys [B, G, Tk, D] and values [B, G, Tk, Dv] all that the cache holds.
func (c *kvCache) hold(t *team, k, v op.Tensor) {
	c.capacity = k.Shape[2]
	c.begin(cacheShape{k.Shape[0], k.Shape[1], k.Shape[3], v.Shape[3]}, 0, c.capacity, nil)
	c.append(t, contiguous(k), contiguous(v), c.capacity)
}

// pages returns how many pages n positions take.
func pages(n int) int { return (n + pageLen - 1) / pageLen }

// smallCache is how many elements a cache takes at once, before they are needed.
const smallCache = 1 << 20

// reset empties the cache for steps of another shape.
func (c *kvCache) reset(s cacheShape) {
	*c = kvCache{nr: c.nr, capacity: c.capacity, cacheShape: s}
	c.seqs, c.spare = make([][]*page, s.batch), make([][]*page, s.batch)
	if most := pages(c.capacity); s.batch*most <= smallCache/c.pageSize() {
		c.grow(s.batch * most)
		for b := range s.batch {
			c.seqs[b], c.spare[b] = make([]*page, 0, most), make([]*page, 0, most)
		}
	}
}

// keep makes every sequence the first n pages of sequence beam[b], of itself where beam is empty.
func (c *kvCache) keep(n int, beam []int64) {
	for b := range c.spare {
		from := b
		if len(beam) > 0 {
			from = int(beam[b])
		}
		c.spare[b] = append(c.spare[b][:0], c.seqs[from][:n]...)
		for _, p := range c.spare[b] {
			p.refs++
		}
	}
	for b, seq := range c.seqs {
		for _, p := range seq {
			c.release(p)
		}
		c.seqs[b] = seq[:0]
	}
	c.seqs, c.spare = c.spare, c.seqs
}

// restart empties the cache for so many sequences. Its pages stay.
func (c *kvCache) restart(sequences int) {
	if c.seqs != nil {
		c.length = 0
		c.fork(make([]int64, sequences))
	}
}

// fork makes sequence b a copy of the old sequence parents[b], of any number of them. Copies share pages: what is copied now is the table of
// pages, and a page that is not full when it is written to next.
func (c *kvCache) fork(parents []int64) {
	n := len(parents)
	c.spare = slices.Grow(c.spare[:0], n)[:n]
	c.keep(pages(c.length), parents)
	c.spare = slices.Grow(c.spare[:0], n)[:n] // it was the old table, of another length
	c.batch = n
}

func (c *kvCache) release(p *page) {
	if p.refs--; p.refs == 0 {
		c.free = append(c.free, p)
	}
}

// unshare gives the holder of *p a copy of its own where others hold the page too.
func (c *kvCache) unshare(p **page) {
	old := *p
	if old.refs == 1 {
		return
	}
	own := c.take()
	copy(own.k, old.k)
	copy(own.v, old.v)
	copy(own.special, old.special)
	c.release(old)
	*p = own
}

// take returns a page that nobody holds. There is one: at most as many are held as the sequences would have if they shared none.
func (c *kvCache) take() *page {
	p := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	p.refs = 1
	clear(p.special)
	return p
}

// grow makes pages until there are total.
func (c *kvCache) grow(total int) {
	n, size, keys := total-c.total, c.pageSize(), c.kvHeads*pageLen*c.headDim
	data, made, special := make([]float32, n*size), make([]page, n), make([]bool, n*c.kvHeads)
	c.free = append(make([]*page, 0, total), c.free...)
	for i := range made {
		mine := data[i*size : (i+1)*size]
		made[i] = page{k: mine[:keys], v: mine[keys:], special: special[i*c.kvHeads : (i+1)*c.kvHeads]}
		c.free = append(c.free, &made[i])
	}
	c.total = total
}

// pageSize is the number of elements of a page.
func (c *kvCache) pageSize() int { return c.kvHeads * pageLen * (c.headDim + c.valueStride()) }

// valueStride is the number of columns of the values' panels: valueDim, filled up to whole panels.
func (c *kvCache) valueStride() int { return (c.valueDim + c.nr - 1) / c.nr * c.nr }

// keyPanel returns a B-panel [headDim, NR] of a page: nr keys of KV head g, from the given panel's first.
func (c *kvCache) keyPanel(p *page, g, panel int) []float32 {
	size := c.headDim * c.nr
	return p.k[(g*pageLen/c.nr+panel)*size:][:size]
}

// valuePanel returns a B-panel [pageLen, NR] of a page: nr columns of the values of KV head g.
func (c *kvCache) valuePanel(p *page, g, panel int) []float32 {
	size := pageLen * c.nr
	return p.v[g*pageLen*c.valueStride()+panel*size:][:size]
}

// cacheAppend is the task of writing a step's keys and values, an item for each sequence and KV head.
type cacheAppend struct {
	c          *kvCache
	k, v       heads
	pos, steps int
}

// append writes the keys and values of the last steps positions: those that begin made room for.
func (c *kvCache) append(t *team, k, v heads, steps int) {
	c.task = cacheAppend{c, k, v, c.length - steps, steps}
	t.run(c.batch*c.kvHeads, 2*steps*(c.headDim+c.valueDim), &c.task)
	c.task = cacheAppend{}
}

func (a *cacheAppend) do(_, lo, hi int) {
	c := a.c
	for item := lo; item < hi; item++ {
		b, g := item/c.kvHeads, item%c.kvHeads
		for t := range a.steps {
			j := (a.pos + t) % pageLen
			p := c.seqs[b][(a.pos+t)/pageLen]
			packRow(c.keyPanel(p, g, j/c.nr), j%c.nr, c.nr, a.k.at(b, g, t), c.headDim, 1)
			v := a.v.at(b, g, t)[:c.valueDim]
			for col := 0; col < len(v); col += c.nr {
				copy(c.valuePanel(p, g, col/c.nr)[j*c.nr:], v[col:min(col+c.nr, len(v))])
			}
			p.special[g] = p.special[g] || anySpecial(v)
		}
	}
}

// anySpecial reports whether x holds a NaN or an infinity: then and only then is the sum of 0 x NaN.
func anySpecial(x []float32) bool {
	var s float32
	for _, v := range x {
		s += 0 * v
	}
	return s != 0
}

var _ = register("attention.cached", withEngine(newAttentionCached))

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
	k.run(contiguous(a.Out), contiguous(a.Q), a.Q.Shape[1], k.cache, m, scoring{scale: a.EffectiveScale()}, nil)
	return nil
}
