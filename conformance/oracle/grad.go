package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// LinearGrad gauges the gradients of y = x W + b, which are products with the transposes and a sum of rows: see Linear.
//
//	db: Acc = c(T) sum_t |dy_tj|,  In = sum_t |dy_tj|,  Eta = 0
func (m Model) LinearGrad(x, w, dy reference.Matrix) (dx, dw, db Gauges) {
	db = newGauges(dy.Cols)
	for i, d := range dy.Data {
		db.In[i%dy.Cols] += math.Abs(d)
	}
	for j, sum := range db.In {
		db.Acc[j] = m.c(dy.Rows) * sum
	}
	return m.Linear(dy, w.T(), nil), m.Linear(x.T(), dy, nil), db
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

// ActivateGrad gauges dx = act'(x) dy, element by element.
//
//	relu:  Acc = 0, In = |dx|, Eta = 0
//	gelu:  Acc = |dy| (1 + |erf| + |x| exp(-x^2/2) + |x| phi (x^2 + eps + 3) + |act'|)
//	tanh:  Acc = |dy| (1 + |tanh u| + 5/2 |u| (1 - tanh^2 u) + 1/2 |x u'| ((2 eps + 1) tanh^2 u + (10 |u| + 6) (1 - tanh^2 u)) + |act'|)
//	       In  = |dy| (|act'| + |act'' x|) and Eta = 1 + |dy| (3 + M) for both
//
// The first two terms are the error of the function and of 1 + erf or 1 + tanh, which cancels for negative x, and the rounding of its
// argument: see Activate. The next is x phi(x), whose exponent is rounded, or the second product of the tanh form, where 1 - tanh^2 may
// cancel. M multiplies exp(-x^2/2) or 1 - tanh^2 u where they underflow: |x|, at most 40, and |x u'|/2, at most 1000, since they are 0 in
// float64 beyond.
func ActivateGrad(a reference.Activation, x, dy reference.Matrix) Gauges {
	g := newGauges(len(x.Data))
	for i, v := range x.Data {
		abs, up := math.Abs(v), math.Abs(dy.Data[i])
		multiplier := min(abs, 40)
		if math.IsInf(abs, 0) { // an exact limit
			g.In[i] = up
			continue
		}
		switch a {
		case reference.ActReLU:
			g.In[i] = math.Abs(reference.ReLUGrad(v, up))
			continue
		case reference.ActGELU:
			phi := math.Exp(-v*v/2) / math.Sqrt(2*math.Pi)
			slope := math.Abs(reference.GELUGrad(v, 1))
			g.Acc[i], g.In[i] = up*(1+math.Abs(math.Erf(v/math.Sqrt2))+slope), up*slope
			if phi != 0 { // where it is 0, x^2 may overflow
				g.Acc[i] += up * abs * phi * (math.Sqrt(2*math.Pi) + v*v + eps + 3)
				g.In[i] += up * phi * math.Abs(v*(2-v*v))
			}
		case reference.ActGELUTanh:
			const k = 0.044715
			root := math.Sqrt(2 / math.Pi)
			u, du, ddu := root*(v+k*v*v*v), root*(1+3*k*v*v), root*6*k*v
			up2, down2 := 1/(1+math.Exp(-2*u)), 1/(1+math.Exp(2*u))
			t, sech2 := up2-down2, 4*up2*down2
			slope := math.Abs(reference.GELUTanhGrad(v, 1))
			multiplier = min(math.Abs(v*du)/2, 1000)
			g.Acc[i], g.In[i] = up*(1+math.Abs(t)+slope), up*slope
			if sech2 > 0x1p-60 { // beyond, tanh is 1 in every format, and what multiplies 1 - tanh^2 may overflow
				g.Acc[i] += up * (2.5*math.Abs(u)*sech2 + math.Abs(v*du)/2*((2*eps+1)*t*t+(10*math.Abs(u)+6)*sech2))
				g.In[i] += up * abs * math.Abs(du*sech2+v/2*sech2*(ddu-2*t*du*du))
			}
		}
		g.Eta[i] = 1 + up*(3+multiplier)
	}
	return g
}

// LayerNormGrad gauges the gradients of layer normalization, row by row. With g = dy gamma, z = (x - mu)/sigma, and E_d, E_v and sigma as in
// LayerNorm; a = mean g, b = mean g z:
//
//	E_z    = E_d/sigma + |z| (E_v/(2 sigma^2) + 3)
//	E_a    = (c(d) + 1) mean|g| + |a|
//	E_b    = |a| (c(d) mean|x| + |mu|)/sigma + mean(|g z| (E_v/(2 sigma^2) + 6)) + c(d) mean|g z| + |b|
//	dx:      Acc = (|g_i| + E_a + E_z |b| + |z_i| E_b + 2 (|g_i| + |a| + 2 |z_i b|))/sigma + |dx_i| (E_v/(2 sigma^2) + 3)
//	dgamma:  Acc = sum_t |dy| E_z + c(T) sum_t |dy z|
//	dbeta:   Acc = c(T) sum_t |dy|
//
// Of E_d, what the error of the mean does is the same for all elements of a row, and reaches b only as a times that: the rest is
// the 6, with the rounding of g, of the product and of z. In follows with the errors of the inputs in the place of those of the arithmetic.
func (m Model) LayerNormGrad(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx, dgamma, dbeta Gauges) {
	n := x.Cols
	dgamma, dbeta = newGauges(n), newGauges(n)
	products := make([]float64, n) // sum_t |dy z|
	dx = join(x.Rows, func(t int) Gauges {
		row, up := x.Row(t), dy.Row(t)
		mu := mean(row, func(v float64) float64 { return v })
		meanAbs := mean(row, math.Abs)
		variance := mean(row, func(v float64) float64 { return (v - mu) * (v - mu) })
		square := variance + eps
		sigma := math.Sqrt(square)
		relSigma := (m.c(n) + 3) * variance / (2 * square)
		inSigma := mean(row, func(v float64) float64 { return math.Abs((v - mu) * v) }) / square
		shift := (m.c(n)*meanAbs + math.Abs(mu)) / sigma

		z, errZ, inZ, grad := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		var a, b, absG, absGZ, inB float64
		for i, v := range row {
			z[i], grad[i] = (v-mu)/sigma, up[i]*gamma[i]
			errZ[i] = shift + math.Abs(z[i])*(relSigma+4)
			inZ[i] = (math.Abs(v)+meanAbs)/sigma + math.Abs(z[i])*inSigma
			a += grad[i] / float64(n)
			b += grad[i] * z[i] / float64(n)
			absG += math.Abs(grad[i]) / float64(n)
			absGZ += math.Abs(grad[i]*z[i]) / float64(n)
			inB += math.Abs(grad[i]) * (inZ[i] + 2*math.Abs(z[i])) / float64(n)

			etaZ := 2/sigma + math.Abs(z[i])/(2*square)
			products[i] += math.Abs(up[i] * z[i])
			dgamma.Acc[i] += math.Abs(up[i]) * errZ[i]
			dgamma.In[i] += math.Abs(up[i]) * (inZ[i] + math.Abs(z[i]))
			dgamma.Eta[i] += 1 + math.Abs(up[i])*etaZ
			dbeta.In[i] += math.Abs(up[i])
		}
		a, b = math.Abs(a), math.Abs(b)
		errA := (m.c(n)+1)*absG + a
		errB := a*shift + absGZ*(relSigma+6+m.c(n)) + b
		exact, _, _ := reference.LayerNormGrad(row, gamma, eps, up)
		g := newGauges(n)
		for i := range row {
			absZ, size := math.Abs(z[i]), math.Abs(grad[i])
			g.Acc[i] = (size+errA+errZ[i]*b+absZ*errB+2*(size+a+2*absZ*b))/sigma + math.Abs(exact[i])*(relSigma+3)
			g.In[i] = (2*size+2*absG+inZ[i]*b+absZ*inB)/sigma + math.Abs(exact[i])*inSigma
			g.Eta[i] = 1 + (3+3*absZ+b*(2/sigma+absZ/(2*square)))/sigma
		}
		return g
	})
	for i := range n {
		dgamma.Acc[i] += m.c(x.Rows) * products[i]
		dbeta.Acc[i] = m.c(x.Rows) * dbeta.In[i]
	}
	return dx, dgamma, dbeta
}

// EmbeddingGrad gauges the rows of dtable, sums of the n_v rows of dy that belong to id v.
//
//	Acc = c(n_v) sum |dy|, 0 where n_v = 1
//	In  = sum |dy|, Eta = 0
func (m Model) EmbeddingGrad(ids []int, rows int, dy reference.Matrix) Gauges {
	g := newGauges(rows * dy.Cols)
	counts := make([]int, rows)
	for t, id := range ids {
		counts[id]++
		for j, d := range dy.Row(t) {
			g.In[id*dy.Cols+j] += math.Abs(d)
		}
	}
	for i, sum := range g.In {
		if n := counts[i/dy.Cols]; n > 1 {
			g.Acc[i] = m.c(n) * sum
		}
	}
	return g
}

// gradients are the gradients among Model.Functions.
func (m Model) gradients(f *refimpl.Functions, pick func(Gauges) []float64) {
	matrix := func(rows, cols int, g Gauges) reference.Matrix {
		return reference.Matrix{Rows: rows, Cols: cols, Data: pick(g)}
	}
	f.MatMulGrad = func(a, b, dc reference.Matrix) (da, db reference.Matrix) {
		ga, gb, _ := m.LinearGrad(a, b, dc)
		return matrix(a.Rows, a.Cols, ga), matrix(b.Rows, b.Cols, gb)
	}
	f.LinearGrad = func(x, w reference.Matrix, _ []float64, dy reference.Matrix) (dx, dw reference.Matrix, db []float64) {
		gx, gw, gb := m.LinearGrad(x, w, dy)
		return matrix(x.Rows, x.Cols, gx), matrix(w.Rows, w.Cols, gw), pick(gb)
	}
	f.SoftmaxGrad = func(x, dy []float64) []float64 { return pick(m.SoftmaxGrad(x, dy)) }
	f.LogSoftmaxGrad = func(x, dy []float64) []float64 { return pick(m.LogSoftmaxGrad(x, dy)) }
	f.ActivateGrad = func(a reference.Activation, x, dy reference.Matrix) reference.Matrix {
		return matrix(x.Rows, x.Cols, ActivateGrad(a, x, dy))
	}
	f.LayerNormGrad = func(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma, dbeta []float64) {
		gx, gg, gb := m.LayerNormGrad(x, gamma, eps, dy)
		return matrix(x.Rows, x.Cols, gx), pick(gg), pick(gb)
	}
	f.EmbedGrad = func(ids []int, rows int, dy reference.Matrix) (reference.Matrix, error) {
		if _, err := reference.EmbeddingGrad(ids, rows, dy); err != nil {
			return reference.Matrix{}, err
		}
		return matrix(rows, dy.Cols, m.EmbeddingGrad(ids, rows, dy)), nil
	}
	f.AttentionGrad = func(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
		gq, gk, gv := m.AttentionGrad(q, k, v, do, scale, mask)
		return matrix(q.Rows, q.Cols, gq), matrix(k.Rows, k.Cols, gk), matrix(v.Rows, v.Cols, gv)
	}
	f.Add = reference.Add // of the heads that share keys: their gauges add
	f.CrossEntropyGrad = func(logits []float64, target int, dloss float64) []float64 {
		return pick(m.CrossEntropyGrad(logits, target, dloss))
	}
	f.ReduceGrad = reference.ReduceGrad
}
