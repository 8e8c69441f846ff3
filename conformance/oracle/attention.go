package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// score is one scaled product q.k with what the mask makes of it, and how well each stage is known. With x = scale q.k and a soft cap c:
//
//	x:      Acc = c(D) |scale| |q||k| + |x|                                        the sum, and the rounding of scale
//	        In  = 2 |scale| |q||k|
//	capped: Acc = (1 - tanh^2 x/c) (Acc of x, + |x|) + (eps + 2) |capped|          the division, the function, c's rounding and the product
//	        In  = (1 - tanh^2 x/c) In
//	masked: Acc = Acc of capped + |masked|, In = In of capped + |bias|            the sum with the bias
//
// Without a soft cap capped is x. Without a bias the last |masked| stands for the rounding of the product by scale.
type score struct {
	x, xAcc, xIn                float64
	capped, cappedAcc, cappedIn float64
	masked, maskedAcc, maskedIn float64
}

func (m Model) score(q, k []float64, scale, bias float64, mask reference.Mask) score {
	dot, abs := 0.0, 0.0
	for n, x := range q {
		dot += x * k[n]
		abs += math.Abs(x * k[n])
	}
	s := score{x: scale * dot}
	s.xAcc, s.xIn = m.c(len(q))*math.Abs(scale)*abs+math.Abs(s.x), 2*math.Abs(scale)*abs
	s.capped, s.cappedAcc, s.cappedIn = s.x, s.xAcc, s.xIn
	if c := mask.Softcap; c != 0 {
		s.capped = mask.Cap(s.x)
		slope := 1 / math.Cosh(s.x/c) / math.Cosh(s.x/c)
		if slope == 0 { // also where the product is infinite, and so its error
			s.cappedAcc, s.cappedIn = 0, 0
		} else {
			s.cappedAcc, s.cappedIn = slope*(s.xAcc+math.Abs(s.x)), slope*s.xIn
		}
		s.cappedAcc += (eps + 2) * math.Abs(s.capped)
	}
	s.masked = s.capped + bias
	s.maskedAcc, s.maskedIn = s.cappedAcc+math.Abs(s.masked), s.cappedIn+math.Abs(bias)
	return s
}

// scores returns the keys that query i sees, and its scores there.
func (m Model) scores(i int, q, k reference.Matrix, scale float64, mask reference.Mask) (visible []int, scores []score) {
	for j := range k.Rows {
		if mask.Visible(i, j, q.Rows, k.Rows) {
			visible = append(visible, j)
			scores = append(scores, m.score(q.Row(i), k.Row(j), scale, mask.BiasAt(i, j, k.Rows), mask))
		}
	}
	return visible, scores
}

// column returns one member of each score.
func column(scores []score, f func(score) float64) []float64 {
	out := make([]float64, len(scores))
	for n, s := range scores {
		out[n] = f(s)
	}
	return out
}

func masked(s score) float64 { return s.masked }

func maskedAcc(s score) float64 { return s.maskedAcc }

func maskedIn(s score) float64 { return s.maskedIn }

// Attention gauges attention of one head as one function: chaining softmax and a product would count the error of p without the sum that
// it keeps. Over the T visible keys, with the scores s_j and their gauges E_j and In_j:
//
//	z_j = E_j + |s_j - m| + eps
//	Acc = sum_j p_j z_j |v_j - o| + c(T) sum_j p_j |v_j| + (c(T) + 2) |o|
//	In  = sum_j p_j In_j |v_j - o| + sum_j p_j |v_j|
//	Eta = T + sum over the keys that may underflow of |v_j - o|
//
// do = sum_j p_j (v_j - o) ds_j is the Jacobian of softmax applied to v. c(T) sum p|v| is the sum over values, c(T)|o| the sum of the
// weights, 2|o| the division and a rescaling. A query without visible keys has gauge 0: its result is an exact 0.
func (m Model) Attention(q, k, v reference.Matrix, scale float64, mask reference.Mask) Gauges {
	return join(q.Rows, func(i int) Gauges { return m.attentionRow(i, q, k, v, scale, mask) })
}

func (m Model) attentionRow(i int, q, k, v reference.Matrix, scale float64, mask reference.Mask) Gauges {
	visible, scores := m.scores(i, q, k, scale, mask)
	g := newGauges(v.Cols)
	if len(visible) == 0 {
		return g
	}
	d := distribute(column(scores, masked), column(scores, maskedAcc))
	c := m.c(len(visible))
	for col := range v.Cols {
		value := func(n int) float64 { return v.At(visible[n], col) }
		o := d.expect(value)
		spread := func(n int) float64 { return math.Abs(value(n) - o) }
		absV := d.expect(func(n int) float64 { return math.Abs(value(n)) })
		g.Acc[col] = d.expect(func(n int) float64 { return d.z[n] * spread(n) }) + c*absV + (c+2)*math.Abs(o)
		g.In[col] = d.expect(func(n int) float64 { return scores[n].maskedIn * spread(n) }) + absV
		g.Eta[col] = float64(len(visible))
		for n, s := range scores {
			if math.Exp(s.masked-d.max) < 0x1p-14 {
				g.Eta[col] += spread(n)
			}
		}
	}
	return g
}

// AttentionScores gauges the op attention.scores. The first three stages are those of a score, with the rounding of the result left out
// of none: Eta = D + 1, the products and the result. The weights are softmax of scores that carry their gauges; hidden keys have gauge 0.
func (m Model) AttentionScores(q, k reference.Matrix, scale float64, mask reference.Mask, stage reference.Stage) Gauges {
	return join(q.Rows, func(i int) Gauges {
		g := newGauges(k.Rows)
		shown := mask
		if stage == reference.StageScores || stage == reference.StageCapped {
			shown = reference.Mask{Softcap: mask.Softcap}
		}
		visible, scores := m.scores(i, q, k, scale, shown)
		weights := m.softmax(column(scores, masked), column(scores, maskedAcc), column(scores, maskedIn))
		for n, j := range visible {
			s := scores[n]
			g.Eta[j] = float64(q.Cols) + 1
			switch stage {
			case reference.StageScores:
				g.Acc[j], g.In[j] = s.xAcc, s.xIn
			case reference.StageCapped:
				g.Acc[j], g.In[j] = s.cappedAcc, s.cappedIn
			case reference.StageMasked:
				g.Acc[j], g.In[j] = s.maskedAcc, s.maskedIn
			case reference.StageWeights:
				g.Acc[j], g.In[j], g.Eta[j] = weights.Acc[n], weights.In[n], weights.Eta[n]
			}
		}
		return g
	})
}

// AttentionGrad gauges the gradients of attention of one head. For query i over its T visible keys, with x_j the scaled product, s_j the
// score, and E_j and In_j the gauges of s_j as in Attention, p and rel_j as in known, A_j = |do||v_j| and F_j = c(Dv) A_j the error
// of dp_j = do.v_j:
//
//	E_ds   = jacobian, with errors F and magnitudes A
//	E_dx   = E_ds, and with a soft cap c and t = tanh(x/c)
//	         (1 - t^2) E_ds + |ds| (2|t| ((1 - t^2) (E_x + |x|)/c + eps |t|) + 1) + |dx|
//	dq:      Acc = |scale| sum_j (E_dx |k_j| + (c(T) + 2) |dx k_j|)
//	dk_j:    Acc = |scale| sum_i (E_dx |q_i| + (c(N) + 2) |dx q_i|)
//	dv_j:    Acc = sum_i p_j |do_i| (rel_j + 1 + c(N))
//
// N is the number of queries that see key j. The magnitudes A_j in the place of |dp_j| admit D = do.o in the place of sum p_j dp_j. In and
// Eta follow likewise. A pair that is hidden adds nothing.
func (m Model) AttentionGrad(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv Gauges) {
	magnitude := math.Abs(scale)
	dq, dk, dv = newGauges(len(q.Data)), newGauges(len(k.Data)), newGauges(len(v.Data))
	seen := make([]int, k.Rows)                                              // N
	sumK, sumV := make([]float64, len(k.Data)), make([]float64, len(v.Data)) // of |scale dx q| and of p |do|
	for i := range q.Rows {
		visible, scores := m.scores(i, q, k, scale, mask)
		if len(visible) == 0 {
			continue
		}
		p, ds := m.scoreGrads(visible, scores, v, do.Row(i), mask)
		c := m.c(len(visible))
		for n, j := range visible {
			seen[j]++
			for e, x := range k.Row(j) {
				at := i*q.Cols + e
				product := magnitude * math.Abs(ds.size[n]*x)
				dq.Acc[at] += magnitude*ds.Acc[n]*math.Abs(x) + (c+2)*product
				dq.In[at] += magnitude*ds.In[n]*math.Abs(x) + product
				dq.Eta[at] += magnitude*ds.Eta[n]*math.Abs(x) + 2
			}
			for e, x := range q.Row(i) {
				at := j*k.Cols + e
				product := magnitude * math.Abs(ds.size[n]*x)
				sumK[at] += product
				dk.Acc[at] += magnitude*ds.Acc[n]*math.Abs(x) + 2*product
				dk.In[at] += magnitude*ds.In[n]*math.Abs(x) + product
				dk.Eta[at] += magnitude*ds.Eta[n]*math.Abs(x) + 2
			}
			for e, x := range do.Row(i) {
				at := j*v.Cols + e
				product := p.p[n] * math.Abs(x)
				sumV[at] += product
				dv.Acc[at] += (p.rel[n] + 1) * product
				dv.In[at] += (p.in[n] + 1) * product
				dv.Eta[at] += p.eta[n]*math.Abs(x) + 1
			}
		}
	}
	for at, sum := range sumK {
		dk.Acc[at] += m.c(seen[at/k.Cols]) * sum
	}
	for at, sum := range sumV {
		dv.Acc[at] += m.c(seen[at/v.Cols]) * sum
	}
	return dq, dk, dv
}

// weights are the p of a row and how well they are known.
type weights struct {
	p []float64
	known
}

// scoreGradient is the size and the gauges of dx, the gradient of the scaled products of a row.
type scoreGradient struct {
	size []float64
	Gauges
}

func (m Model) scoreGrads(visible []int, scores []score, v reference.Matrix, do []float64, mask reference.Mask) (weights, scoreGradient) {
	d := distribute(column(scores, masked), column(scores, maskedAcc))
	k := m.known(d, column(scores, maskedIn))
	n := len(visible)
	dp, errDP, magnitudes, inDP := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for at, j := range visible {
		for e, x := range do {
			dp[at] += x * v.At(j, e)
			magnitudes[at] += math.Abs(x * v.At(j, e))
		}
		errDP[at], inDP[at] = m.c(len(do))*magnitudes[at], 2*magnitudes[at]
	}
	ds := scoreGradient{make([]float64, n), m.jacobian(d, k, dp, errDP, magnitudes, inDP)}
	mean := d.expect(func(at int) float64 { return dp[at] })
	for at, s := range scores {
		size := math.Abs(d.p[at] * (dp[at] - mean))
		ds.size[at] = size
		if c := mask.Softcap; c != 0 {
			cosh := math.Cosh(s.x / c)
			t, sech2 := math.Tanh(math.Abs(s.x)/c), 1/cosh/cosh
			moved, inMoved := 0.0, 0.0 // by the error of x, which may be infinite where sech2 is 0
			if sech2 > 0 {
				moved, inMoved = sech2*(s.xAcc+math.Abs(s.x))/c, sech2*s.xIn/c
			}
			ds.size[at] = sech2 * size
			ds.Acc[at] = sech2*ds.Acc[at] + size*(2*t*(moved+eps*t)+1) + ds.size[at]
			ds.In[at] = sech2*ds.In[at] + size*2*t*inMoved
			ds.Eta[at]++
		}
	}
	return weights{d.p, k}, ds
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Attention = func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
		o := reference.Attention(q, k, v, scale, mask)
		return like(o, h.one(o.Data, func(m Model) Gauges { return m.Attention(q, k, v, scale, mask) }))
	}
	f.AttentionGrad = func(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
		dq, dk, dv = reference.AttentionGrad(q, k, v, do, scale, mask)
		y := h(call{out: [][]float64{dq.Data, dk.Data, dv.Data}, own: func(m Model) []Gauges {
			gq, gk, gv := m.AttentionGrad(q, k, v, do, scale, mask)
			return []Gauges{gq, gk, gv}
		}})
		return like(dq, y[0]), like(dk, y[1]), like(dv, y[2])
	}
	f.AttentionScores = func(q, k reference.Matrix, scale float64, mask reference.Mask, stage reference.Stage) reference.Matrix {
		s := reference.AttentionScores(q, k, scale, mask, stage)
		return like(s, h.one(s.Data, func(m Model) Gauges { return m.AttentionScores(q, k, scale, mask, stage) }))
	}
})

var (
	_ = cut("attention", cutAttention)
	_ = cut("attention.grad", cutAttentionGrad)
)

// cutAttention keeps the queries: see attending.
func cutAttention(u Use, wanted [][]int) ([]piece, error) {
	q, v := u.Steps[0].Src[0], u.Steps[0].Src[2]
	u.live = queries(wanted[0], v.Shape[3], q.Shape[2])
	return []piece{{u, wanted}}, nil
}

// queries returns those of the n-th head, heads counted over the batch, that have elements of a result [B H T width].
func queries(wanted []int, width, seq int) func(n int) []int {
	of := map[int][]int{}
	for _, row := range gridOf(wanted, width).rows {
		of[row/seq] = append(of[row/seq], row%seq)
	}
	return func(n int) []int { return of[n] }
}

// cutAttentionGrad keeps the heads of keys that have wanted elements, and the queries that share them. Within a head dk and dv are sums over
// queries, and nothing is cut.
func cutAttentionGrad(u Use, wanted [][]int) ([]piece, error) {
	src := u.Steps[0].Src
	q, k, v, mask := src[0], src[1], src[2], src[3]
	heads, kvHeads := q.Shape[1], k.Shape[1]
	group := heads / kvHeads
	plane := []int{q.Shape[2] * q.Shape[3], k.Shape[2] * k.Shape[3], v.Shape[2] * v.Shape[3]} // elements of a head of each result
	of := func(result, element int) int {                                                     // the head of keys, counted over the batch
		if result == 0 {
			return element / plane[0] / group
		}
		return element / plane[result]
	}
	var needed []int
	for i, at := range wanted {
		for _, e := range at {
			needed = append(needed, of(i, e))
		}
	}
	var pieces []piece
	for _, g := range ascending(needed) {
		part := func(t op.Tensor, first, count int) op.Tensor {
			return gather2(t, span(first, first+count))
		}
		var m op.Tensor
		if mask.Present() {
			var planes []int
			for h := g * group; h < (g+1)*group; h++ {
				planes = append(planes, min(h/heads, mask.Shape[0]-1)*mask.Shape[1]+min(h%heads, mask.Shape[1]-1))
			}
			m = gather2(mask, planes)
		}
		p := piece{Use: Once(u.Spec, []op.Tensor{part(q, g*group, group), part(k, g, 1), part(v, g, 1), m, part(src[4], g*group, group)})}
		for i, at := range wanted {
			first := g * plane[i]
			if i == 0 {
				first *= group
			}
			places := none(len(at))
			for n, e := range at {
				if of(i, e) == g {
					places[n] = e - first
				}
			}
			p.at = append(p.at, places)
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

// gather2 returns planes of a tensor [B H R C], counted over the batch, as [1 len(planes) R C].
func gather2(t op.Tensor, planes []int) op.Tensor {
	rows, cols := t.Shape[2], t.Shape[3]
	return pick(t, func(put func(int)) {
		for _, p := range planes {
			for i := range rows * cols {
				put(p*rows*cols + i)
			}
		}
	}, 1, len(planes), rows, cols)
}
