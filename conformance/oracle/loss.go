package oracle

import (
	"math"
	"slices"

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

// reduced gauges the reduction of losses whose gauges are rows: each is rounded before it is summed.
func (m Model) reduced(losses []float64, rows Gauges, targets []int, ignoreIndex int, r reference.Reduction) Gauges {
	own := m.Reduce(losses, targets, ignoreIndex, r)
	total := func(x []float64) float64 { return reference.Reduce(x, targets, ignoreIndex, r)[0] }
	rounded := slices.Clone(rows.Acc)
	for i, loss := range losses {
		rounded[i] += math.Abs(loss)
	}
	return Gauges{
		Acc: []float64{total(rounded) + own.Acc[0]},
		In:  []float64{total(rows.In)},
		Eta: []float64{total(rows.Eta) + own.Eta[0]},
	}
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

var _ = replace(func(f *reference.Primitives, h hook) {
	f.CrossEntropy = func(logits []float64, target int) float64 {
		return h.one([]float64{reference.CrossEntropy(logits, target)}, func(m Model) Gauges { return m.CrossEntropy(logits, target, nil) })[0]
	}
	f.CrossEntropyGrad = func(logits []float64, target int, dloss float64) []float64 {
		return h.one(reference.CrossEntropyGrad(logits, target, dloss), func(m Model) Gauges { return m.CrossEntropyGrad(logits, target, dloss) })
	}
	f.Reduce = func(losses []float64, targets []int, ignoreIndex int, r reference.Reduction) []float64 {
		total := func(in [][]float64) []float64 { return reference.Reduce(in[0], targets, ignoreIndex, r) }
		in := [][]float64{losses}
		if r == reference.ReduceNone {
			return total(in)
		}
		return h(call{
			out: [][]float64{total(in)},
			own: func(m Model) []Gauges { return []Gauges{m.Reduce(losses, targets, ignoreIndex, r)} },
			summed: &sum{in: in, again: total, gauges: func(m Model, in [][]float64, g []Gauges) Gauges {
				return m.reduced(in[0], g[0], targets, ignoreIndex, r)
			}},
		})[0]
	}
	f.ReduceGrad = func(dloss []float64, targets []int, ignoreIndex int, r reference.Reduction) []float64 {
		return h.moved(reference.ReduceGrad(dloss, targets, ignoreIndex, r))
	}
})
