package optimized

import (
	"math"
	"math/bits"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized/internal/kernel"
)

var _ = register("attention", withEngine(newAttentionOp))

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
	k.cache.hold(k.team, a.K, a.V)
	m := newMask(d.SeqQ, d.SeqK, a.Causal, a.Window, a.Mask)
	k.run(contiguous(a.Out), contiguous(a.Q), d.Heads, k.cache, m, scoring{a.EffectiveScale(), a.Softcap}, nil)
	return nil
}

var _ = register("attention.grad", withGradients(newAttentionGradOp))

// attentionGradOp is the op attention.grad: the forward pass again, for its result and its rows' statistics, and then the gradient.
type attentionGradOp struct {
	*engine
	cache *kvCache
	out   []float32
	stats []rowStat
}

func newAttentionGradOp(e *engine, _ op.AttentionGradArgs) *attentionGradOp {
	return &attentionGradOp{engine: e, cache: newKVCache(e.kern.NR, 0)}
}

func (k *attentionGradOp) Run(a op.AttentionGradArgs) error {
	d := a.Dims()
	grow(&k.stats, d.Batch*d.Heads*d.SeqQ)
	out := contiguous(a.DOut)
	out.data = grow(&k.out, a.DOut.Len())
	m := newMask(d.SeqQ, d.SeqK, a.Causal, a.Window, a.Mask)
	k.cache.hold(k.team, a.K, a.V)
	scores := scoring{a.EffectiveScale(), a.Softcap}
	k.attn.run(out, contiguous(a.Q), d.Heads, k.cache, m, scores, k.stats)
	k.grad.attn.run(attentionSaved{
		q: contiguous(a.Q), k: contiguous(a.K), v: contiguous(a.V), out: out,
		dout: contiguous(a.DOut), dq: contiguous(a.DQ), dk: contiguous(a.DK), dv: contiguous(a.DV),
		stats: k.stats, mask: m, scoring: scores,
		batch: d.Batch, heads: d.Heads, kvHeads: d.KVHeads, headDim: d.HeadDim, valueDim: d.ValueDim,
	})
	return nil
}

// tileRows is how many rows of queries are worked on together: their scores against a page, and their sums, should stay in the
// first-level cache.
const tileRows = 32

// attention computes o_i = sum_j p_ij v_j, p_i = softmax_j(cap(scale q_i . k_j) + bias_ij) over the keys that query i sees, page by page with a
// running maximum (Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022). It belongs to one kernel.
//
// Queries of the heads that share a KV head are rows of one matrix, ordered by position, and cut into tiles. Pages that causal or window
// hide from a whole tile are not read. Pages begin at multiples of pageLen whatever the queries, so a query's result has the same bits in
// a prefill and in a decoding step, unless weights underflow.
//
// Special values. A hidden key has score -Inf and weight 0, and its value is never multiplied where values are not finite: such pages are
// summed key by key. While a row has seen only scores of -Inf its maximum stays -Inf and their weights are 0: so they are if a finite score
// follows, and if none does, the sum of weights is 0 and the row 0/0 = NaN. A NaN score makes weight, sum and row NaN, and so does +Inf,
// by Inf - Inf. A row that sees no key is 0.
//
// Weights are multiplied by a power of two that is at most one over the number of keys, so that sums of finite values overflow only where
// the result nearly does.
type attention struct {
	team *team
	kern kernel.Kernel
	work []attentionScratch // by worker

	// the call that runs now
	mask     mask
	scoring  scoring
	unit     float64 // the weight of the largest score
	q, out   heads
	stats    []rowStat // [batch, heads, seqQ]; nil where they are not wanted
	c        *kvCache
	group    int // query heads to a KV head
	tileRows int
	tiles    int // to each KV head
}

func newAttention(t *team, kern kernel.Kernel) *attention {
	return &attention{team: t, kern: kern, work: make([]attentionScratch, t.workers), tileRows: max(1, tileRows/kern.MR) * kern.MR}
}

// run computes the heads of out from those of q, over all that the cache holds. It leaves the rows' statistics in stats, which may be nil.
func (a *attention) run(out, q heads, numHeads int, c *kvCache, m mask, s scoring, stats []rowStat) {
	a.out, a.q, a.c, a.mask, a.scoring, a.stats = out, q, c, m, s, stats
	a.unit = math.Ldexp(1, -bits.Len(uint(m.seqK-1)))
	a.group = numHeads / c.kvHeads
	a.tiles = (m.seqQ*a.group + a.tileRows - 1) / a.tileRows
	rows := min(a.tileRows, m.seqQ*a.group)
	a.team.run(c.batch*c.kvHeads*a.tiles, rows*m.seqK*(2*c.headDim+2*c.valueDim+costExp), a)
	a.out, a.q, a.c, a.mask, a.stats = heads{}, heads{}, nil, mask{}, nil
}

func (a *attention) do(worker, lo, hi int) {
	for item := lo; item < hi; item++ {
		bg, tile := item/a.tiles, item%a.tiles
		first := tile * a.tileRows
		t := attentionTile{a, &a.work[worker], bg / a.c.kvHeads, bg % a.c.kvHeads, first, min(a.tileRows, a.mask.seqQ*a.group-first)}
		t.compute()
	}
}

// rowStat is what attention leaves of a query's scores for its gradient: p_ij = exp(s_ij - max) / sum.
type rowStat struct{ max, sum float64 }

// attentionGrad computes the gradient of attention (FlashAttention-2, Dao 2023, algorithm 2), with scores and weights anew, tile by tile,
// from q, k and the rows' statistics:
//
//	dv_j  = sum_i p_ij do_i
//	ds_ij = scale p_ij (do_i . v_j - D_i),   D_i = do_i . o_i
//	dq_i  = sum_j ds_ij k_j,   dk_j = sum_i ds_ij q_i
//
// With a soft cap, scale in ds is multiplied by its derivative.
//
// An item of work is a KV head with the queries that share it, so that every sum is made by one worker, in one order: over keys for a
// query, over tiles for a key.
//
// Special values. A hidden key has p = ds = 0, and is left out where 0 would be multiplied by something that is not finite, as in the
// forward pass.
type attentionGrad struct {
	team *team
	kern kernel.Kernel
	work []attentionGradScratch // by worker

	attentionSaved // the call that runs now
	tileRows       int
}

// attentionSaved is a forward pass, and where its gradient comes from and goes to.
type attentionSaved struct {
	q, k, v, out            heads
	dout, dq, dk, dv        heads
	stats                   []rowStat // [batch, heads, seqQ]
	mask                    mask
	scoring                 scoring
	batch, heads, kvHeads   int
	headDim, valueDim       int
	group                   int // query heads to a KV head
	keyStride, valueStride  int // headDim and valueDim, filled up to whole panels
	keyPanels, valuesPanels int
}

func newAttentionGrad(t *team, kern kernel.Kernel) *attentionGrad {
	return &attentionGrad{team: t, kern: kern, work: make([]attentionGradScratch, t.workers), tileRows: max(1, tileRows/kern.MR) * kern.MR}
}

// run overwrites dq, dk and dv.
func (a *attentionGrad) run(s attentionSaved) {
	nr := a.kern.NR
	s.group = s.heads / s.kvHeads
	s.keyPanels, s.valuesPanels = (s.headDim+nr-1)/nr, (s.valueDim+nr-1)/nr
	s.keyStride, s.valueStride = s.keyPanels*nr, s.valuesPanels*nr
	a.attentionSaved = s
	a.team.run(s.batch*s.kvHeads, s.group*s.mask.seqQ*s.mask.seqK*(6*s.headDim+4*s.valueDim+costExp), a)
	a.attentionSaved = attentionSaved{}
}

func (a *attentionGrad) do(worker, lo, hi int) {
	for item := lo; item < hi; item++ {
		h := attentionGradHead{a, &a.work[worker], item / a.kvHeads, item % a.kvHeads}
		h.compute()
	}
}

// scoring is what turns the product of a query and a key into its score, before it is hidden or not.
type scoring struct {
	scale   float64
	softcap float64 // 0: off
}

// apply computes cap(scale s_j) + bias_j in place, cap(x) = softcap tanh(x / softcap); bias may be nil.
func (c scoring) apply(s, bias []float32) {
	switch {
	case c.softcap != 0:
		c.applyCapped(s, bias)
	case bias == nil:
		for j, v := range s {
			s[j] = float32(float64(v) * c.scale)
		}
	default:
		for j, v := range s {
			s[j] = float32(float64(v)*c.scale + float64(bias[j]))
		}
	}
}

func (c scoring) applyCapped(s, bias []float32) {
	inner := c.scale / c.softcap
	for j, v := range s {
		x := c.softcap * tanh(float64(v)*inner)
		if bias != nil {
			x += float64(bias[j])
		}
		s[j] = float32(x)
	}
}

// slopes computes the derivatives of apply under a soft cap: scale (1 - tanh(z)^2), z = scale s_j / softcap, as scale 4 e / (1 + e)^2 with
// e = exp(-2|z|).
func (c scoring) slopes(d []float64, s []float32) {
	for j, v := range s {
		e := expNegative(-2 * math.Abs(float64(v)*c.scale/c.softcap))
		d[j] = c.scale * 4 * e / ((1 + e) * (1 + e))
	}
}

// hide gives the keys of a page that are not seen a score of -Inf.
func hide(s []float32, seen uint64) {
	for hidden := ^seen & (1<<len(s) - 1); hidden != 0; hidden &= hidden - 1 {
		s[bits.TrailingZeros64(hidden)] = float32(math.Inf(-1))
	}
}

// dot returns the sum of the products of x and as many elements of y.
func dot(x, y []float32) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}
