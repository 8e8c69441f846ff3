package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

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

// pick returns some columns of a matrix.
func pick(m matrix, columns []int) matrix {
	if len(columns) == m.cols {
		return m
	}
	picked := newMatrix(m.rows, len(columns))
	for i := range m.rows {
		row, from := picked.row(i), m.row(i)
		for n, j := range columns {
			row[n] = from[j]
		}
	}
	return picked
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

func boolMask(m bool) (visible bool, bias float32)     { return m, 0 }
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

func (p *plain) mhaOp(a op.MHAArgs) error {
	w := projections{rowsOf(a.Wq), rowsOf(a.Wk), rowsOf(a.Wv), rowsOf(a.Wo), a.Bq.F32, a.Bk.F32, a.Bv.F32, a.Bo.F32, a.Heads, a.KVHeads}
	headDim := a.Wq.Shape[1] / a.Heads
	s := setting{a.Causal, a.Window, p.scale(a.Scale, scaling{headDim, headDim, a.Heads}), 0, a.Mask}
	copy(a.Y.F32, p.mha(rowsOf(a.X), a.X.Shape[0], w, s, nil).data)
	return nil
}

// projections are the weights of multi-head attention.
type projections struct {
	wq, wk, wv, wo matrix
	bq, bk, bv, bo []float32
	heads, kvHeads int
}

// mha is multi-head self-attention of x, [B*T, d]. extend, where it is not nil, returns the keys and values to attend over, given the new ones.
func (p *plain) mha(x matrix, batch int, w projections, s setting, extend func(k, v []matrix) ([]matrix, []matrix)) matrix {
	p.amendMHA(&w, &s)
	q := p.split(p.linear(x, w.wq, w.bq), batch, w.heads)
	k := p.split(p.linear(x, w.wk, w.bk), batch, w.kvHeads)
	v := p.split(p.linear(x, w.wv, w.bv), batch, w.kvHeads)
	if extend != nil {
		k, v = extend(k, v)
	}
	out := make([]matrix, len(q))
	for n := range out {
		out[n] = newMatrix(q[n].rows, v[0].cols)
	}
	p.attention(out, q, k, v, batch, s)
	return p.linear(p.merge(out, batch), w.wo, w.bo)
}

// split cuts [B*T, heads*D] into the matrices of [B, heads, T, D].
func (p *plain) split(x matrix, batch, heads int) []matrix {
	seqLen, headDim := x.rows/batch, x.cols/heads
	out := make([]matrix, batch*heads)
	for n := range out {
		out[n] = newMatrix(seqLen, headDim)
		for t := range seqLen {
			for c := range headDim {
				out[n].row(t)[c] = x.row(n/heads*seqLen + t)[p.headColumn(n%heads, c, heads, headDim)]
			}
		}
	}
	return out
}

// merge is the inverse of split.
func (p *plain) merge(parts []matrix, batch int) matrix {
	heads, seqLen, headDim := len(parts)/batch, parts[0].rows, parts[0].cols
	x := newMatrix(batch*seqLen, heads*headDim)
	for n := range parts {
		for t := range seqLen {
			for c := range headDim {
				x.row(n/heads*seqLen + t)[p.headColumn(n%heads, c, heads, headDim)] = parts[n].row(t)[c]
			}
		}
	}
	return x
}
