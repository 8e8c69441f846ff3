package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// distribution is what softmax, log-softmax, cross-entropy and attention share: p = softmax(x) and how well its terms are known.
type distribution struct {
	p    []float64
	z    []float64 // z_j: error of exp(x_j - m), relative to it
	max  float64   // m
	logS float64   // log sum_j exp(x_j - m)
	tiny float64   // how many terms may underflow in some format: those below 2^-14, the smallest normal of float16
}

// distribute returns the distribution of x, where incoming, if not nil, is the gauge of x itself.
//
//	z_j = E_j + |x_j - m| + eps
//
// the error of x, the rounding of x_j - m, and the error of exp.
func distribute(x, incoming []float64) distribution {
	d := distribution{p: reference.Softmax(x), z: make([]float64, len(x)), max: math.Inf(-1)}
	for _, v := range x {
		d.max = math.Max(d.max, v)
	}
	sum := 0.0
	for j, v := range x {
		if math.IsInf(v, -1) { // an exact 0
			continue
		}
		term := math.Exp(v - d.max)
		sum += term
		if term < 0x1p-14 {
			d.tiny++
		}
		d.z[j] = math.Abs(v-d.max) + eps
		if incoming != nil {
			d.z[j] += incoming[j]
		}
	}
	d.logS = math.Log(sum)
	return d
}

// expect returns sum_j p_j f(j) over the j whose p_j is not 0.
func (d distribution) expect(f func(j int) float64) float64 {
	sum := 0.0
	for j, p := range d.p {
		if p != 0 {
			sum += p * f(j)
		}
	}
	return sum
}

// Softmax gauges p = softmax(x), with z of its terms as in distribute.
//
//	Acc = p_i ((1 - p_i) z_i + sum_{j != i} p_j z_j + c(n) + 1)
//	In  = p_i (exp(u s_i) - 1)/u, at most 2^11        s_i = (1 - p_i) |x_i| + sum_{j != i} p_j |x_j|
//	Eta = 2 + p_i tiny
//
// dp_i = p_i (dx_i - sum_j p_j dx_j) is the Jacobian; c(n) is the sum, 1 the division. In is p_i s_i to first order. Rounding large
// logits to a narrow format moves them by more than 1, where the first order says nothing: hence the exponential, with the roundoff
// u = 2^-8 of bfloat16, and the limit, the inverse of float16's, at which a bound accepts every probability.
func (m Model) Softmax(x []float64) Gauges { return m.softmax(x, nil, magnitude(x)) }

// softmax gauges softmax of x, whose own gauges are acc and in.
func (m Model) softmax(x, acc, in []float64) Gauges {
	const u = 0x1p-8
	d := distribute(x, acc)
	meanZ := d.expect(func(j int) float64 { return d.z[j] })
	meanX := d.expect(func(j int) float64 { return in[j] })
	g := newGauges(len(x))
	for i, p := range d.p {
		g.Eta[i] = 2 + p*d.tiny
		if p == 0 {
			continue
		}
		g.Acc[i] = p * (d.z[i] + meanZ - 2*p*d.z[i] + m.c(len(x)) + 1)
		g.In[i] = min(p*math.Expm1(u*(in[i]+meanX-2*p*in[i]))/u, 1<<11)
	}
	return g
}

// LogSoftmax gauges y_i = (x_i - m) - log S, with z as in distribute.
//
//	Acc = |x_i - m| + sum_j p_j z_j + c(n) + eps |log S|
//	In  = (1 - p_i) |x_i| + sum_{j != i} p_j |x_j|
//	Eta = tiny
//
// A relative error of S is an absolute one of its logarithm.
func (m Model) LogSoftmax(x []float64) Gauges {
	d := distribute(x, nil)
	errLogS := d.expect(func(j int) float64 { return d.z[j] }) + m.c(len(x)) + eps*math.Abs(d.logS)
	meanX := d.expect(func(j int) float64 { return math.Abs(x[j]) })
	g := newGauges(len(x))
	for i, v := range x {
		g.Acc[i] = math.Abs(v-d.max) + errLogS
		g.In[i] = math.Abs(v)*(1-2*d.p[i]) + meanX
		g.Eta[i] = d.tiny
	}
	return g
}

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
