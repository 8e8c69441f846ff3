package gauge

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Attention gauges attention of one head as one function: chaining softmax and a product would count the error of p without the sum that
// it keeps. Over the T visible keys, with s_j = scale q.k_j + bias_j:
//
//	E_j = c(D) |scale| |q||k_j| + |scale q.k_j| + |s_j|
//	z_j = E_j + |s_j - m| + eps
//	Acc = sum_j p_j z_j |v_j - o| + c(T) sum_j p_j |v_j| + (c(T) + 2) |o|
//	In  = sum_j p_j (2 |scale| |q||k_j| + |bias_j|) |v_j - o| + sum_j p_j |v_j|
//	Eta = T + sum over the keys that may underflow of |v_j - o|
//
// do = sum_j p_j (v_j - o) ds_j is the Jacobian of softmax applied to v. E_j is the product, the scaling, and the sum with the bias
// or, without one, the rounding of scale. c(T) sum p|v| is the sum over values, c(T)|o| the sum of the weights, 2|o| the division and a rescaling.
// A query without visible keys has gauge 0: its result is an exact 0.
func (m Model) Attention(q, k, v reference.Matrix, scale float64, mask reference.Mask) Gauges {
	return join(q.Rows, func(i int) Gauges { return m.attentionRow(i, q, k, v, scale, mask) })
}

func (m Model) attentionRow(i int, q, k, v reference.Matrix, scale float64, mask reference.Mask) Gauges {
	var visible []int
	var scores, errScore, in []float64
	for j := range k.Rows {
		if !mask.Visible(i, j, q.Rows, k.Rows) {
			continue
		}
		dot, abs := 0.0, 0.0
		for n, x := range q.Row(i) {
			dot += x * k.At(j, n)
			abs += math.Abs(x * k.At(j, n))
		}
		bias := mask.BiasAt(i, j, k.Rows)
		s := scale*dot + bias
		visible = append(visible, j)
		scores = append(scores, s)
		errScore = append(errScore, m.c(q.Cols)*math.Abs(scale)*abs+math.Abs(scale*dot)+math.Abs(s))
		in = append(in, 2*math.Abs(scale)*abs+math.Abs(bias))
	}
	g := newGauges(v.Cols)
	if len(visible) == 0 {
		return g
	}
	d := distribute(scores, errScore)
	c := m.c(len(visible))
	for col := range v.Cols {
		value := func(n int) float64 { return v.At(visible[n], col) }
		o := d.expect(value)
		spread := func(n int) float64 { return math.Abs(value(n) - o) }
		absV := d.expect(func(n int) float64 { return math.Abs(value(n)) })
		g.Acc[col] = d.expect(func(n int) float64 { return d.z[n] * spread(n) }) + c*absV + (c+2)*math.Abs(o)
		g.In[col] = d.expect(func(n int) float64 { return in[n] * spread(n) }) + absV
		g.Eta[col] = float64(len(visible))
		for n, s := range scores {
			if math.Exp(s-d.max) < 0x1p-14 {
				g.Eta[col] += spread(n)
			}
		}
	}
	return g
}
