package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// attentionParts are the decisions in which attention goes wrong.
type attentionParts struct {
	scale     func(attr *float64, s scaling) float64
	kvHead    func(h, heads, kvHeads int) int
	visible   func(i, j, tq, tk int, causal bool, window int) bool
	maskPlane func(b, h int, shape []int) int
	boolMask  func(m bool) (visible bool, bias float32)
	floatMask func(m float32) (visible bool, bias float32)
	score     func(dot, scale, softcap, bias float32) float32
	hidden    func() (score float32, takesPart bool)      // what a hidden key contributes
	attend    func(out, scores []float32, columns matrix) // columns of the values
	weigh     func(p, v []float32) float32                // sum over the visible keys
	probs     func(p []float32)                           // what is done to the weights before they are used
	emptyRow  func(out []float32)
	tiles     func(keys int) int // how many keys the tiles of online cover
	rescale   func(old, next float32) float32
	blockMax  func(old, tile float32) float32

	// Scores as a result of their own.
	stage       func(name string) string
	hiddenScore func(stage string) float32

	backward   func(s setting) setting                                 // what the backward pass of attention takes the forward's setting for
	delta      func(probs, dp []float32, doutO func() float32) float32 // sum p dp, which is dout . out
	capSlope   func(scaled, softcap float32) float32
	scaleGrads func(scale float32) (dq, dk float32)
	addHead    func(dst, part matrix)
	emptyGrad  func(dq []float32)
	seenBy     func(queries []int, q matrix) []int // the queries that a key's gradient sums over
}

var _ = parts(func(p *plain) {
	p.attentionParts = attentionParts{
		scale: attentionScale, kvHead: kvHead, visible: visible, maskPlane: maskPlane, boolMask: boolMask, floatMask: floatMask, score: score,
		hidden: func() (float32, bool) { return 0, false }, attend: p.attendRow, weigh: func(w, v []float32) float32 { return p.dot(w, v) },
		probs: func([]float32) {}, emptyRow: func(out []float32) { clear(out) },
		tiles: func(keys int) int { return keys }, rescale: rescale, blockMax: func(old, tile float32) float32 { return max(old, tile) },

		stage: func(name string) string { return name }, hiddenScore: hiddenScore,

		backward: func(s setting) setting { return s }, delta: func(probs, dp []float32, _ func() float32) float32 { return p.dot(probs, dp) },
		capSlope: capSlope, scaleGrads: func(scale float32) (dq, dk float32) { return scale, scale }, addHead: addHead,
		emptyGrad: func(dq []float32) { clear(dq) }, seenBy: func(queries []int, _ matrix) []int { return queries },
	}
})

// setting is what all heads of an attention share.
type setting struct {
	causal  bool
	window  int
	scale   float64
	softcap float64
	mask    op.Tensor
}

// scaling holds the lengths that a default scale may be made of.
type scaling struct{ headDim, valueDim, heads int }

// attentionScale is the attribute, or 1/sqrt(D) where it is absent, formed in float64.
func attentionScale(attr *float64, s scaling) float64 {
	if attr != nil {
		return *attr
	}
	return 1 / math.Sqrt(float64(s.headDim))
}

var _ = offer((*plain).attentionOp)

func (p *plain) attentionOp(a op.AttentionArgs) error {
	d := a.Dims()
	s := setting{a.Causal, a.Window, p.scale(a.Scale, scaling{d.HeadDim, d.ValueDim, d.Heads}), a.Softcap, a.Mask}
	p.attention(planes(a.Out), planes(a.Q), planes(a.K), planes(a.V), d.Batch, s)
	return nil
}

// attention computes every head of every batch item. The matrices are those of [B, H, Tq, D], [B, G, Tk, D] and [B, G, Tk, Dv].
func (p *plain) attention(out, q, k, v []matrix, batch int, s setting) {
	heads, kvHeads := len(q)/batch, len(k)/batch
	for n := range q {
		b, h := n/heads, n%heads
		g := b*kvHeads + p.kvHead(h, heads, kvHeads)
		p.head(out[n], q[n], k[g], v[g], p.planeOf(s.mask, b, h), s)
		p.storeAll(out[n].data)
	}
}

// kvHead is the KV head of query head h: heads that share are neighbours.
func kvHead(h, heads, kvHeads int) int { return h / (heads / kvHeads) }

func (p *plain) head(out, q, k, v matrix, admits func(at int) (bool, float32), s setting) {
	columns := transposed(v)
	for i := range q.rows {
		keys, scores := p.seen(q, k, i, admits, s)
		if len(keys) == 0 {
			p.emptyRow(out.row(i))
			continue
		}
		p.attend(out.row(i), scores, pick(columns, keys))
	}
}

// seen returns the keys that take part in query i's row, and their scores.
func (p *plain) seen(q, k matrix, i int, admits func(at int) (bool, float32), s setting) (keys []int, scores []float32) {
	for j := range k.rows {
		admitted, bias := admits(i*k.rows + j)
		var value float32
		takesPart := true
		if admitted && p.visible(i, j, q.rows, k.rows, s.causal, s.window) {
			value = p.score(p.dot(q.row(i), k.row(j)), float32(s.scale), float32(s.softcap), bias)
		} else {
			value, takesPart = p.hidden()
		}
		if takesPart {
			keys, scores = append(keys, j), append(scores, value)
		}
	}
	return keys, scores
}

// visible reports whether query i sees key j. The last query stands at the last key.
func visible(i, j, tq, tk int, causal bool, window int) bool {
	pos := i + tk - tq
	return (!causal || j <= pos) && within(pos-j, causal, window)
}

// within reports whether a key is in the window of a query that stands some keys behind it.
func within(distance int, causal bool, window int) bool {
	return window == 0 || distance < window && (causal || -distance < window)
}

func score(dot, scale, softcap, bias float32) float32 {
	return capped(float32(dot*scale), softcap) + bias
}

// capped is a scaled score after the soft cap.
func capped(x, softcap float32) float32 {
	if softcap == 0 {
		return x
	}
	return float32(softcap * tanh32(x/softcap))
}

// planeOf returns what the mask says of the score at a position of one head's plane.
func (p *plain) planeOf(mask op.Tensor, b, h int) func(at int) (visible bool, bias float32) {
	if !mask.Present() {
		return func(int) (bool, float32) { return true, 0 }
	}
	start := p.maskPlane(b, h, mask.Shape) * mask.Shape[2] * mask.Shape[3]
	if mask.DType == op.Bool {
		return func(at int) (bool, float32) { return p.boolMask(mask.Bool[start+at]) }
	}
	return func(at int) (bool, float32) { return p.floatMask(mask.F32[start+at]) }
}

// maskPlane is the plane of a mask [B|1, H|1, Tq, Tk] for a batch item and head.
func maskPlane(b, h int, shape []int) int { return min(b, shape[0]-1)*shape[1] + min(h, shape[1]-1) }

func boolMask(m bool) (visible bool, bias float32) { return m, 0 }

func floatMask(m float32) (visible bool, bias float32) { return m != -inf, m }

// attendRow is softmax, then the weighted sum of each column of the values.
func (p *plain) attendRow(out, scores []float32, columns matrix) {
	p.softmax(scores)
	p.probs(scores)
	for c := range out {
		out[c] = p.weigh(scores, columns.row(c))
	}
}

// tile is how many keys online takes at a time.
const tile = 16

// online attends in one pass over tiles of keys (Milakov and Gimelshein 2018): the sum and the output are those of the keys seen so far,
// relative to the largest score so far, and are rescaled when it grows.
func (p *plain) online(out, scores []float32, columns matrix) {
	m, sum := -inf, float32(0)
	clear(out)
	for start := 0; start < p.tiles(len(scores)); start += tile {
		end := min(start+tile, len(scores))
		next := p.blockMax(m, p.rowMax(scores[start:end]))
		base := next
		if base == -inf { // as long as every score is -Inf nothing is added, and the row ends as 0/0
			base = 0
		}
		shrink := p.rescale(m, base)
		w := scores[start:end]
		sum = float32(sum*p.expDiff(m, base)) + p.exponentials(w, base)
		for c := range out {
			out[c] = float32(out[c]*shrink) + p.weigh(w, columns.row(c)[start:end])
		}
		m = next
	}
	p.divide(out, p.denominator(sum))
}

// rescale is the factor of what was summed relative to an old maximum.
func rescale(old, next float32) float32 { return exp32(old - next) }

var _ = offer((*plain).attentionGradOp)

func (p *plain) attentionGradOp(a op.AttentionGradArgs) error {
	d := a.Dims()
	s := setting{a.Causal, a.Window, p.scale(a.Scale, scaling{d.HeadDim, d.ValueDim, d.Heads}), a.Softcap, a.Mask}
	dq, dk, dv := p.attentionGrad(planes(a.Q), planes(a.K), planes(a.V), planes(a.DOut), d.Batch, s)
	for dst, parts := range map[*op.Tensor][]matrix{&a.DQ: dq, &a.DK: dk, &a.DV: dv} {
		for i, m := range planes(*dst) {
			copy(m.data, parts[i].data)
		}
	}
	return nil
}

// attentionGrad is the gradient of attention. Query heads that share a KV head add to its keys and values.
func (p *plain) attentionGrad(q, k, v, dout []matrix, batch int, s setting) (dq, dk, dv []matrix) {
	heads, kvHeads := len(q)/batch, len(k)/batch
	for g := range k {
		dk, dv = append(dk, newMatrix(k[g].rows, k[g].cols)), append(dv, newMatrix(v[g].rows, v[g].cols))
	}
	for n := range q {
		b, h := n/heads, n%heads
		g := b*kvHeads + p.kvHead(h, heads, kvHeads)
		hq, hk, hv := p.headGrad(q[n], k[g], v[g], dout[n], p.planeOf(s.mask, b, h), s)
		p.storeAll(hq.data)
		dq = append(dq, hq)
		p.addHead(dk[g], hk)
		p.addHead(dv[g], hv)
	}
	for g := range dk {
		p.storeAll(dk[g].data)
		p.storeAll(dv[g].data)
	}
	return dq, dk, dv
}

func addHead(dst, part matrix) {
	for i := range dst.data {
		dst.data[i] += part.data[i]
	}
}

// headGrad recomputes the probabilities of one head from the maximum and the sum of the forward pass, as flash attention does (Dao et al.
// 2022, algorithm 4).
func (p *plain) headGrad(q, k, v, dout matrix, admits func(at int) (bool, float32), s setting) (dq, dk, dv matrix) {
	dq, dk, dv = newMatrix(q.rows, q.cols), newMatrix(k.rows, k.cols), newMatrix(v.rows, v.cols)
	probs, dscores := newMatrix(k.rows, q.rows), newMatrix(k.rows, q.rows)
	seenBy := make([][]int, k.rows) // the queries that see each key
	back, backAdmits := p.backward(s), admits
	if !back.mask.Present() {
		backAdmits = func(int) (bool, float32) { return true, 0 }
	}
	for i := range q.rows {
		_, scores := p.seen(q, k, i, admits, s)
		if len(scores) == 0 {
			p.emptyGrad(dq.row(i))
			continue
		}
		m := p.rowMax(scores)
		sum := p.denominator(p.exponentials(scores, m))
		keys, w := p.seen(q, k, i, backAdmits, back)
		dp := make([]float32, len(keys))
		for n, j := range keys {
			w[n] = p.expDiff(w[n], m) / sum
			dp[n] = p.dot(dout.row(i), v.row(j))
		}
		ds := make([]float32, len(keys))
		mean := p.delta(w, dp, func() float32 {
			out := make([]float32, v.cols)
			for c := range out {
				out[c] = p.dot(w, gather(v.column(c), keys))
			}
			return p.dot(dout.row(i), out)
		})
		for n, j := range keys {
			ds[n] = w[n] * (dp[n] - mean)
			if back.softcap != 0 {
				ds[n] *= p.capSlope(float32(p.dot(q.row(i), k.row(j))*float32(s.scale)), float32(back.softcap))
			}
			probs.row(j)[i], dscores.row(j)[i] = w[n], ds[n]
			seenBy[j] = append(seenBy[j], i)
		}
		scale, _ := p.scaleGrads(float32(s.scale))
		for c := range dq.cols {
			dq.row(i)[c] = scale * p.dot(ds, gather(k.column(c), keys))
		}
	}
	_, scale := p.scaleGrads(float32(s.scale))
	for j, queries := range seenBy {
		queries = p.seenBy(queries, q)
		w, ds := gather(probs.row(j), queries), gather(dscores.row(j), queries)
		for c := range dk.cols {
			dk.row(j)[c] = scale * p.dot(ds, gather(q.column(c), queries))
		}
		for c := range dv.cols {
			dv.row(j)[c] = p.dot(w, gather(dout.column(c), queries))
		}
	}
	return dq, dk, dv
}

// capSlope is the derivative of the soft cap.
func capSlope(scaled, softcap float32) float32 {
	t := tanh32(scaled / softcap)
	return 1 - t*t
}

var _ = offer((*plain).scoresOp)

// scoresOp is attention.scores, made of the parts of attention.
func (p *plain) scoresOp(a op.AttentionScoresArgs) error {
	headDim, heads, kvHeads := a.Q.Shape[3], a.Q.Shape[1], a.K.Shape[1]
	set := setting{a.Causal, a.Window, p.scale(a.Scale, scaling{headDim, headDim, heads}), a.Softcap, a.Mask}
	q, k := planes(a.Q), planes(a.K)
	stage := p.stage(a.Stage)
	for n, s := range planes(a.S) {
		b, h := n/heads, n%heads
		keys := k[b*kvHeads+p.kvHead(h, heads, kvHeads)]
		for i := range s.rows {
			p.scoreRow(s.row(i), q[n].row(i), keys, p.planeOf(set.mask, b, h), set, stage, i, s.rows)
		}
		p.storeAll(s.data)
	}
	return nil
}

// scoreRow is a row of scores at a stage.
func (p *plain) scoreRow(row, q []float32, k matrix, admits func(at int) (bool, float32), s setting, stage string, i, tq int) {
	var keys []int
	var scores []float32
	for j := range row {
		dot, scale, softcap := p.dot(q, k.row(j)), float32(s.scale), float32(s.softcap)
		switch stage {
		case "scores":
			row[j] = p.score(dot, scale, 0, 0)
			continue
		case "capped":
			row[j] = p.score(dot, scale, softcap, 0)
			continue
		}
		admitted, bias := admits(i*k.rows + j)
		if admitted && p.visible(i, j, tq, k.rows, s.causal, s.window) {
			keys, scores = append(keys, j), append(scores, p.score(dot, scale, softcap, bias))
			row[j] = scores[len(scores)-1]
		} else {
			row[j] = p.hiddenScore(stage)
		}
	}
	if stage != "weights" {
		return
	}
	if len(keys) == 0 {
		p.emptyRow(row)
		return
	}
	p.softmax(scores)
	p.probs(scores)
	for n, j := range keys {
		row[j] = scores[n]
	}
}

// hiddenScore is what stands for a hidden key.
func hiddenScore(stage string) float32 {
	if stage == "weights" {
		return 0
	}
	return -inf
}
