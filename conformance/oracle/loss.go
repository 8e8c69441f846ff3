package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// CrossEntropy gauges the loss log S - (x_t - m) of one row, with z as in distribute. E are the gauges of the logits, nil where they are
// inputs.
//
//	Acc = sum_j |p_j - 1_t| E.Acc_j + sum_j p_j z_j + c(V) + eps |log S| + |x_t - m|
//	In  = sum_j |p_j - 1_t| E.In_j, and |x_j| in the place of E.In_j for inputs
//	Eta = tiny + sum_j |p_j - 1_t| E.Eta_j
//
// dloss = sum_j (p_j - 1_t) dx_j; the rest is log-softmax.
func (m Model) CrossEntropy(x []float64, target int, logits *Gauges) Gauges {
	d := distribute(x, nil)
	if logits == nil {
		logits = &Gauges{Acc: make([]float64, len(x)), In: magnitude(x), Eta: make([]float64, len(x))}
	}
	derivative := func(e []float64) float64 {
		return d.expect(func(j int) float64 { return e[j] }) + (1-2*d.p[target])*e[target]
	}
	own := d.expect(func(j int) float64 { return d.z[j] }) + m.c(len(x)) + eps*math.Abs(d.logS) + math.Abs(x[target]-d.max)
	return Gauges{
		Acc: []float64{derivative(logits.Acc) + own},
		In:  []float64{derivative(logits.In)},
		Eta: []float64{derivative(logits.Eta) + d.tiny},
	}
}

// Loss gauges the op cross_entropy: the CrossEntropy of each row that is not ignored, and Reduce.
func (m Model) Loss(logits reference.Matrix, targets []int, ignoreIndex int, r reference.Reduction) (Gauges, error) {
	losses, err := reference.CrossEntropyRows(logits, targets, ignoreIndex)
	if err != nil {
		return Gauges{}, err
	}
	rows := join(len(targets), func(i int) Gauges {
		if targets[i] == ignoreIndex {
			return newGauges(1)
		}
		return m.CrossEntropy(logits.Row(i), targets[i], nil)
	})
	if r == reference.ReduceNone {
		return rows, nil
	}
	own := m.Reduce(losses, targets, ignoreIndex, r)
	total := func(x []float64) float64 { return reference.Reduce(x, targets, ignoreIndex, r)[0] }
	for i, loss := range losses {
		rows.Acc[i] += math.Abs(loss) // each loss is rounded before it is summed
	}
	return Gauges{
		Acc: []float64{total(rows.Acc) + own.Acc[0]},
		In:  []float64{total(rows.In)},
		Eta: []float64{total(rows.Eta) + own.Eta[0]},
	}, nil
}

// Reduce gauges the reduction of exact losses.
//
//	none: 0
//	sum:  Acc = c(N) sum|loss|              N: how many are not ignored
//	mean: Acc = (c(N) + 1) sum|loss| / N    the division too
//
// In = 0, since losses are no inputs; Eta = 1.
func (m Model) Reduce(losses []float64, targets []int, ignoreIndex int, r reference.Reduction) Gauges {
	if r == reference.ReduceNone {
		return newGauges(len(losses))
	}
	terms := 0
	for _, t := range targets {
		if t != ignoreIndex {
			terms++
		}
	}
	factor := m.c(max(terms, 1))
	if r == reference.ReduceMean {
		factor++
	}
	g := newGauges(1)
	g.Acc[0] = factor * reference.Reduce(magnitude(losses), targets, ignoreIndex, r)[0]
	g.Eta[0] = 1
	return g
}

// CrossEntropyGrad gauges dx_j = (p_j - 1[j=t]) dloss of one row, with k as in known.
//
//	Acc = |dloss| (p_j (rel_j + |x_j - m| + eps |log S|) + 3 |p_j - 1[j=t]|)
//	In  = |dloss| (p_j in_j + |p_j - 1[j=t]|)
//	Eta = 1 + |dloss| eta_j
//
// The first term admits p_j = exp(log p_j), and p_t - 1 although it cancels; the 3 are the subtraction, the division of dloss by the number of
// targets, and one more product.
func (m Model) CrossEntropyGrad(x []float64, target int, dloss float64) Gauges {
	d := distribute(x, nil)
	k := m.known(d, magnitude(x))
	exact := reference.CrossEntropyGrad(x, target, 1)
	up := math.Abs(dloss)
	g := newGauges(len(x))
	for j, p := range d.p {
		size := math.Abs(exact[j])
		g.Acc[j], g.In[j], g.Eta[j] = 3*up*size, up*size, 1+up*k.eta[j]
		if p != 0 {
			g.Acc[j] += up * p * (k.rel[j] + math.Abs(x[j]-d.max) + eps*math.Abs(d.logS))
			g.In[j] += up * p * k.in[j]
		}
	}
	return g
}
