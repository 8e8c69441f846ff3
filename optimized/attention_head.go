package optimized

import (
	"math"
	"math/bits"
)

// attentionGradHead is a KV head while its gradient is computed.
type attentionGradHead struct {
	*attentionGrad
	*attentionGradScratch
	b, g int // batch item and KV head
}

// attentionGradScratch is what one worker holds of a KV head and of a tile. Panels are packed as the micro-kernel reads them.
type attentionGradScratch struct {
	keys, keysT, valuesT []float32 // by page: B [pageLen, headDim], and transposes, B [headDim, pageLen] and B [valueDim, pageLen]
	special              []bool    // by page: some key is not finite
	dk, dv               []float32 // sums [seqK, keyStride] and [seqK, valueStride]

	queriesA, doutA    []float32 // of the tile: A [rows, headDim] and A [rows, valueDim]
	queriesB, doutB    []float32 // B [rows, headDim] and B [rows, valueDim]
	specialQ, specialO bool      // some query, some upstream gradient is not finite
	dq                 []float32 // sums [rows, keyStride]
	delta              []float64 // D_i by row

	scores, dweights []float32 // of the tile and a page: [rows, pageLen], q k^T and do v^T, then p and ds
	weightsT         []float32 // p^T, A [n, rows]
	ds, dsT          []float32 // A [rows, n] and A [n, rows]
	seen             []uint64  // keys of the page by row
	seenBy           []uint64  // rows of the tile by key
	few, fewB        []float32
}

func (t *attentionGradHead) compute() {
	t.begin()
	for first := 0; first < t.mask.seqQ*t.group; first += t.tileRows {
		rows := min(t.tileRows, t.mask.seqQ*t.group-first)
		t.beginTile(first, rows)
		_, top := t.query(first)
		_, bottom := t.query(first + rows - 1)
		lo, _ := t.mask.keys(top)
		_, hi := t.mask.keys(bottom)
		for page := lo / pageLen; page*pageLen < hi; page++ {
			t.addPage(first, rows, page, min(pageLen, hi-page*pageLen))
		}
		for r := range rows {
			h, i := t.query(first + r)
			copy(t.attentionSaved.dq.at(t.b, h, i)[:t.headDim], t.attentionGradScratch.dq[r*t.keyStride:])
		}
	}
	for j := range t.mask.seqK {
		copy(t.attentionSaved.dk.at(t.b, t.g, j)[:t.headDim], t.attentionGradScratch.dk[j*t.keyStride:])
		copy(t.attentionSaved.dv.at(t.b, t.g, j)[:t.valueDim], t.attentionGradScratch.dv[j*t.valueStride:])
	}
}

// query returns the query head and position of a row of the matrix of queries that share the KV head.
func (t *attentionGradHead) query(row int) (h, i int) {
	return t.g*t.group + row%t.group, row / t.group
}

// begin packs keys and values.
func (t *attentionGradHead) begin() {
	n := pages(t.mask.seqK)
	grow(&t.keys, n*pageLen*t.keyStride)
	grow(&t.keysT, n*pageLen*t.headDim)
	grow(&t.valuesT, n*pageLen*t.valueDim)
	clear(grow(&t.attentionGradScratch.dk, t.mask.seqK*t.keyStride))
	clear(grow(&t.attentionGradScratch.dv, t.mask.seqK*t.valueStride))
	t.special = t.special[:0]
	for first := 0; first < t.mask.seqK; first += pageLen {
		rows, special := min(pageLen, t.mask.seqK-first), false
		k := t.vectors(t.k, first, rows, t.headDim)
		v := t.vectors(t.v, first, rows, t.valueDim)
		packPanels(t.keys[first*t.keyStride:], k, pageLen, t.kern.NR)
		packPanels(t.keysT[first*t.headDim:], k.transposed(), t.headDim, t.kern.NR)
		packPanels(t.valuesT[first*t.valueDim:], v.transposed(), t.valueDim, t.kern.NR)
		for r := range rows {
			special = special || anySpecial(t.k.at(t.b, t.g, first+r)[:t.headDim])
		}
		t.special = append(t.special, special)
	}
	if t.seen == nil {
		t.delta, t.seen, t.seenBy = make([]float64, t.tileRows), make([]uint64, t.tileRows), make([]uint64, pageLen)
	}
}

// vectors returns a run of the KV head's vectors as a matrix.
func (t *attentionGradHead) vectors(h heads, first, rows, dim int) view {
	return view{h.at(t.b, t.g, first), rows, dim, h.row, 1}
}

// packPanels packs a matrix as panels of nr columns that are stride rows long.
func packPanels(dst []float32, src view, stride, nr int) {
	for j := 0; j < src.cols; j += nr {
		src.part(0, j, src.rows, min(nr, src.cols-j)).interleave(dst[j*stride:], nr)
	}
}

// beginTile packs the tile's queries and upstream gradients, and computes the latters' products with the results.
func (t *attentionGradHead) beginTile(first, rows int) {
	grow(&t.queriesA, rows*t.headDim)
	grow(&t.doutA, rows*t.valueDim)
	grow(&t.queriesB, rows*t.keyStride)
	grow(&t.doutB, rows*t.valueStride)
	clear(grow(&t.attentionGradScratch.dq, rows*t.keyStride))
	grow(&t.scores, rows*pageLen)
	grow(&t.dweights, rows*pageLen)
	grow(&t.weightsT, rows*pageLen)
	grow(&t.ds, rows*pageLen)
	grow(&t.dsT, rows*pageLen)
	grow(&t.few, pageLen)
	grow(&t.fewB, pageLen*t.kern.NR)
	t.specialQ, t.specialO = false, false
	for r := range rows {
		h, i := t.query(first + r)
		q, o, do := t.q.at(t.b, h, i)[:t.headDim], t.out.at(t.b, h, i)[:t.valueDim], t.dout.at(t.b, h, i)[:t.valueDim]
		t.packRow(t.queriesA, t.queriesB, q, r, rows)
		t.packRow(t.doutA, t.doutB, do, r, rows)
		t.specialQ = t.specialQ || anySpecial(q)
		t.specialO = t.specialO || anySpecial(do)
		if t.delta[r] = dot(do, o); anySpecial(do) { // then do . v_j is infinite or NaN for every key, and so is its mean
			t.delta[r] = math.NaN()
		}
	}
}

// packRow packs row r of a tile as a row of an A-panel and of B-panels.
func (t *attentionGradHead) packRow(a, b, x []float32, r, rows int) {
	at, step := slot(r, rows, t.kern.MR, len(x))
	packRow(a, at, step, x, len(x), 1)
	nr := t.kern.NR
	for j := 0; j < len(x); j += nr {
		copy(b[j*rows+r*nr:j*rows+(r+1)*nr], x[j:min(j+nr, len(x))])
	}
}

// addPage adds to all sums what the tile's rows and the first n keys of a page give.
func (t *attentionGradHead) addPage(first, rows, page, n int) {
	nr, begin := t.kern.NR, page*pageLen
	clear(t.scores)
	clear(t.dweights)
	for j := 0; j < n; j += nr {
		multiply(&t.kern, rows, t.headDim, t.queriesA, t.keysT[(begin+j)*t.headDim:], t.scores[j:], pageLen)
		multiply(&t.kern, rows, t.valueDim, t.doutA, t.valuesT[(begin+j)*t.valueDim:], t.dweights[j:], pageLen)
	}
	clear(t.seenBy)
	for r := range rows {
		t.differentiate(first, r, begin, n)
	}
	p, ds := view{t.scores, rows, n, pageLen, 1}, view{t.dweights, rows, n, pageLen, 1}
	packRows(t.weightsT, p.transposed(), t.kern.MR)
	packRows(t.dsT, ds.transposed(), t.kern.MR)
	packRows(t.ds, ds, t.kern.MR)
	for p := range t.keyPanels {
		t.product(t.special[page], rows, n, t.ds, t.seen, t.keys[begin*t.keyStride+p*pageLen*nr:], t.attentionGradScratch.dq[p*nr:], t.keyStride)
		t.product(t.specialQ, n, rows, t.dsT, t.seenBy, t.queriesB[p*rows*nr:], t.attentionGradScratch.dk[begin*t.keyStride+p*nr:], t.keyStride)
	}
	for p := range t.valuesPanels {
		t.product(t.specialO, n, rows, t.weightsT, t.seenBy, t.doutB[p*rows*nr:], t.attentionGradScratch.dv[begin*t.valueStride+p*nr:], t.valueStride)
	}
}

// product adds to c the product of a packed A [rows, kb] and a B-panel; of special values in B only with those that seen admits by row.
func (t *attentionGradHead) product(special bool, rows, kb int, a []float32, seen []uint64, panel, c []float32, ldc int) {
	if special {
		multiplySeen(&t.kern, rows, kb, a, seen, panel, c, ldc, t.few, t.fewB)
	} else {
		multiply(&t.kern, rows, kb, a, panel, c, ldc)
	}
}

// differentiate turns the scores of row r into weights, and the weights' gradients into those of the products q . k.
func (t *attentionGradHead) differentiate(first, r, begin, n int) {
	h, i := t.query(first + r)
	seen, bias := t.mask.visible(t.b, h, i, begin, n)
	t.seen[r] = seen
	for rest := seen; rest != 0; rest &= rest - 1 {
		t.seenBy[bits.TrailingZeros64(rest)] |= 1 << r
	}
	stat, delta := t.stats[(t.b*t.heads+h)*t.mask.seqQ+i], t.delta[r]
	max, inv := stat.max, 1/stat.sum
	if math.IsInf(max, -1) {
		max = 0
	}
	scores, dweights := t.scores[r*pageLen:][:n], t.dweights[r*pageLen:][:n]
	var slopes [pageLen]float64 // of scores by products
	if t.scoring.softcap != 0 {
		t.scoring.slopes(slopes[:n], scores)
	}
	t.scoring.apply(scores, bias)
	for j, s := range scores {
		if seen>>j&1 == 0 {
			scores[j], dweights[j] = 0, 0
			continue
		}
		slope := t.scoring.scale
		if t.scoring.softcap != 0 {
			slope = slopes[j]
		}
		w := expNegative(float64(s)-max) * inv
		scores[j], dweights[j] = float32(w), float32(w*(float64(dweights[j])-delta)*slope)
	}
}
