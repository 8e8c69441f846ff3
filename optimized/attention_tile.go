package optimized

import (
	"math"
	"math/bits"

	"github.com/assaykit/assay/optimized/internal/kernel"
)

// attentionTile is a tile while it is computed.
type attentionTile struct {
	*attention
	*attentionScratch
	b, g        int // batch item and KV head
	first, rows int // of the matrix of queries that share the KV head
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
