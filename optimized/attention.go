package optimized

import (
	"math"
	"math/bits"

	"github.com/assaykit/assay/optimized/internal/kernel"
)

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

// hide gives the keys of a page that are not seen a score of -Inf.
func hide(s []float32, seen uint64) {
	for hidden := ^seen & (1<<len(s) - 1); hidden != 0; hidden &= hidden - 1 {
		s[bits.TrailingZeros64(hidden)] = float32(math.Inf(-1))
	}
}

// attentionScratch is the state of one tile.
type attentionScratch struct {
	queries   []float32 // packed
	scores    []float32 // [rows, pageLen]
	weights   []float32 // packed
	acc       []float32 // [rows, valueStride]: sums of weighted values, relative to the running maximum
	few       []float32 // weights of the keys that one row sees, and their values
	fewValues []float32
	max       []float64 // running maximum by row
	sum       []float64 // sum of exponentials by row, relative to the maximum
	seen      []uint64  // keys of the page that each row sees
	any       []bool    // whether a row has seen a key
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

// attentionTile is a tile while it is computed.
type attentionTile struct {
	*attention
	*attentionScratch
	b, g        int // batch item and KV head
	first, rows int // of the matrix of queries that share the KV head
}

// query returns the query head and position of a row of the tile.
func (t *attentionTile) query(r int) (h, i int) {
	row := t.first + r
	return t.g*t.group + row%t.group, row / t.group
}

func (t *attentionTile) compute() {
	t.begin()
	_, top := t.query(0)
	_, bottom := t.query(t.rows - 1)
	lo, _ := t.mask.keys(top)
	_, hi := t.mask.keys(bottom)
	for first := lo / pageLen * pageLen; first < hi; first += pageLen {
		t.addPage(t.c.seqs[t.b][first/pageLen], first, min(pageLen, hi-first))
	}
	t.end()
}

func (t *attentionTile) begin() {
	d := t.c.headDim
	grow(&t.queries, t.rows*d)
	for r := range t.rows {
		h, i := t.query(r)
		at, step := slot(r, t.rows, t.kern.MR, d)
		packRow(t.queries, at, step, t.q.at(t.b, h, i), d, 1)
	}
	clear(grow(&t.acc, t.rows*t.c.valueStride()))
	grow(&t.scores, t.rows*pageLen)
	grow(&t.weights, t.rows*pageLen)
	grow(&t.few, pageLen)
	grow(&t.fewValues, pageLen*t.kern.NR)
	if t.seen == nil {
		t.max, t.sum = make([]float64, t.tileRows), make([]float64, t.tileRows)
		t.seen, t.any = make([]uint64, t.tileRows), make([]bool, t.tileRows)
	}
	for r := range t.rows {
		t.max[r], t.sum[r], t.any[r] = math.Inf(-1), 0, false
	}
}

// addPage adds the first n keys of a page, the positions from first, to the running sums.
func (t *attentionTile) addPage(p *page, first, n int) {
	clear(t.scores)
	for panel := 0; panel*t.kern.NR < n; panel++ {
		multiply(&t.kern, t.rows, t.c.headDim, t.queries, t.c.keyPanel(p, t.g, panel), t.scores[panel*t.kern.NR:], pageLen)
	}
	for r := range t.rows {
		t.addScores(r, first, n)
	}
	for panel := range t.c.valueStride() / t.kern.NR {
		values, acc := t.c.valuePanel(p, t.g, panel), t.acc[panel*t.kern.NR:]
		if p.special[t.g] {
			multiplySeen(&t.kern, t.rows, n, t.weights, t.seen, values, acc, t.c.valueStride(), t.few, t.fewValues)
		} else {
			multiply(&t.kern, t.rows, n, t.weights, values, acc, t.c.valueStride())
		}
	}
}

// addScores turns a row's scores for a page into weights, and brings what the row has summed up to the new maximum.
func (t *attentionTile) addScores(r, first, n int) {
	s := t.scores[r*pageLen:][:n]
	h, i := t.query(r)
	seen, bias := t.mask.visible(t.b, h, i, first, n)
	t.seen[r] = seen
	t.any[r] = t.any[r] || seen != 0
	t.scoring.apply(s, bias)
	hide(s, seen)

	old := t.max[r]
	m := max(old, maximum(s))
	at, step := slot(r, t.rows, t.kern.MR, n)
	if math.IsInf(m, -1) {
		m = 0 // then every weight is 0 and not NaN
	} else if m > old {
		t.rescale(r, float32(expNegative(old-m)))
		t.max[r] = m
	}
	sum := 0.0
	for _, v := range s {
		e := expNegative(float64(v) - m)
		sum += e
		t.weights[at] = float32(e * t.unit)
		at += step
	}
	t.sum[r] += sum
}

// rescale multiplies what a row has summed up.
func (t *attentionTile) rescale(r int, factor float32) {
	t.sum[r] *= float64(factor)
	acc := t.acc[r*t.c.valueStride():][:t.c.valueStride()]
	for i := range acc {
		acc[i] *= factor
	}
}

// multiplySeen is multiply for a panel of B whose values are not all finite: it leaves out those that a row does not see, since 0 * NaN is
// NaN. What it adds has the same bits: a weight of 0 adds nothing to finite values. few and fewB are scratch, for kb weights and as many
// rows of B.
func multiplySeen(kern *kernel.Kernel, rows, kb int, a []float32, seen []uint64, panel, c []float32, ldc int, few, fewB []float32) {
	nr := kern.NR
	for r := range rows {
		at, step := slot(r, rows, kern.MR, kb)
		k := 0
		for rest := seen[r]; rest != 0; rest &= rest - 1 {
			j := bits.TrailingZeros64(rest)
			few[k] = a[at+j*step]
			copy(fewB[k*nr:(k+1)*nr], panel[j*nr:])
			k++
		}
		if k > 0 {
			kern.Row(k, few, fewB, c[r*ldc:])
		}
	}
}

// end writes the rows' quotients.
func (t *attentionTile) end() {
	for r := range t.rows {
		h, i := t.query(r)
		if t.stats != nil {
			t.stats[((t.b*t.c.kvHeads+t.g)*t.group+h%t.group)*t.mask.seqQ+i] = rowStat{t.max[r], t.sum[r]}
		}
		out := t.out.at(t.b, h, i)[:t.c.valueDim]
		if !t.any[r] {
			clear(out)
			continue
		}
		sum := t.sum[r] * t.unit
		for col, v := range t.acc[r*t.c.valueStride():][:len(out)] {
			out[col] = float32(float64(v) / sum)
		}
	}
}
