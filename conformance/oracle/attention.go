package oracle

import (
	"math"

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

func masked(s score) float64    { return s.masked }
func maskedAcc(s score) float64 { return s.maskedAcc }
func maskedIn(s score) float64  { return s.maskedIn }

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
