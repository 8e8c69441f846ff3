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

// known is how well each p_i of a distribution of n terms is known: the relative errors rel of the arithmetic and in of the inputs, whose
// gauges are incoming, and eta of underflow.
//
//	rel_i = (1 - p_i) z_i + sum_{j != i} p_j z_j + c(n) + 1
//	in_i  = (exp(u s_i) - 1)/u, at most 2^11        s_i = incoming_i + sum_j p_j incoming_j
//	eta_i = 2 + p_i tiny
//
// These are the terms of Softmax, divided by p_i.
type known struct{ rel, in, eta []float64 }

func (m Model) known(d distribution, incoming []float64) known {
	const u = 0x1p-8
	n := len(d.p)
	k := known{make([]float64, n), make([]float64, n), make([]float64, n)}
	meanZ := d.expect(func(j int) float64 { return d.z[j] })
	meanIn := d.expect(func(j int) float64 { return incoming[j] })
	for i, p := range d.p {
		if p == 0 {
			k.eta[i] = 2
			continue
		}
		k.rel[i] = d.z[i] + meanZ - 2*p*d.z[i] + m.c(n) + 1
		k.in[i] = min(math.Expm1(u*(incoming[i]+meanIn))/u, 1<<11)
		k.eta[i] = 2 + p*d.tiny
	}
	return k
}

// jacobian gauges dx_i = p_i (dy_i - D) with D = sum_j p_j dy_j, the gradient of softmax, for a dy that is off by E_j, whose terms have the
// magnitude A_j >= |dy_j|, and that inputs move by J_j. With k as in known:
//
//	Acc = p_i ((rel_i + 1) |dy_i - D| + |dy_i| + E_i + sum_j p_j (z_j |dy_j - D| + E_j + (2 c(n) + 3) A_j))
//	In  = p_i (in_i |dy_i - D| + J_i + sum_j p_j (in_j |dy_j - D| + J_j))
//	Eta = 1 + eta_i |dy_i - D| + p_i (n + sum_j eta_j |dy_j - D|)
//
// An error common to all exponentials leaves D but for the sum's own, and reaches dx only through p_i. 2 c(n) is the sum of the weights and
// that of D; the rest are the rounding of each p_j and, where D is formed from the output of attention, that output's division and
// rescaling. |dy_i| admits p_i dy_i - p_i D.
func (m Model) jacobian(d distribution, k known, dy, errDY, magnitudes, inDY []float64) Gauges {
	n := len(dy)
	mean := d.expect(func(j int) float64 { return dy[j] })
	spread := func(j int) float64 { return math.Abs(dy[j] - mean) }
	errMean := d.expect(func(j int) float64 { return d.z[j]*spread(j) + errDY[j] + (2*m.c(n)+3)*magnitudes[j] })
	inMean := d.expect(func(j int) float64 { return k.in[j]*spread(j) + inDY[j] })
	etaMean := float64(n)
	for j := range dy {
		etaMean += k.eta[j] * spread(j)
	}
	g := newGauges(n)
	for i, p := range d.p {
		g.Eta[i] = 1 + k.eta[i]*spread(i) + p*etaMean
		if p == 0 {
			continue
		}
		g.Acc[i] = p * ((k.rel[i]+1)*spread(i) + math.Abs(dy[i]) + errDY[i] + errMean)
		g.In[i] = p * (k.in[i]*spread(i) + inDY[i] + inMean)
	}
	return g
}

// SoftmaxGrad gauges the gradient of softmax at inputs x and dy: see jacobian.
func (m Model) SoftmaxGrad(x, dy []float64) Gauges {
	d := distribute(x, nil)
	return m.jacobian(d, m.known(d, magnitude(x)), dy, make([]float64, len(dy)), magnitude(dy), magnitude(dy))
}

// LogSoftmaxGrad gauges dx_i = dy_i - p_i s with s = sum_j dy_j, and k as in known.
//
//	Acc = p_i (|s| (rel_i + |x_i - m| + eps |log S| + 1) + c(n) sum_j |dy_j|)
//	In  = |dy_i| + p_i (|s| in_i + sum_j |dy_j|)
//	Eta = 1 + eta_i |s|
//
// |x_i - m| + eps |log S| admits p_i = exp(y_i).
func (m Model) LogSoftmaxGrad(x, dy []float64) Gauges {
	d := distribute(x, nil)
	k := m.known(d, magnitude(x))
	sum, abs := 0.0, 0.0
	for _, v := range dy {
		sum += v
		abs += math.Abs(v)
	}
	sum = math.Abs(sum)
	g := newGauges(len(x))
	for i, p := range d.p {
		g.In[i] = math.Abs(dy[i])
		g.Eta[i] = 1 + k.eta[i]*sum
		if p == 0 {
			continue
		}
		g.Acc[i] = p * (sum*(k.rel[i]+math.Abs(x[i]-d.max)+eps*math.Abs(d.logS)+1) + m.c(len(x))*abs)
		g.In[i] += p * (sum*k.in[i] + abs)
	}
	return g
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Softmax = func(x []float64) []float64 {
		return h.one(reference.Softmax(x), func(m Model) Gauges { return m.Softmax(x) })
	}
	f.SoftmaxGrad = func(x, dy []float64) []float64 {
		return h.one(reference.SoftmaxGrad(x, dy), func(m Model) Gauges { return m.SoftmaxGrad(x, dy) })
	}
	f.LogSoftmax = func(x []float64) []float64 {
		return h.one(reference.LogSoftmax(x), func(m Model) Gauges { return m.LogSoftmax(x) })
	}
	f.LogSoftmaxGrad = func(x, dy []float64) []float64 {
		return h.one(reference.LogSoftmaxGrad(x, dy), func(m Model) Gauges { return m.LogSoftmaxGrad(x, dy) })
	}
})

// Rows are independent, in gradients too.
var _, _, _, _ = cut("softmax", byRows), cut("softmax.grad", byRows), cut("log_softmax", byRows), cut("log_softmax.grad", byRows)
