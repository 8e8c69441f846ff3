package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

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
