package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// summation is an order in which terms are added in float32.
type summation func(terms []float32) float32

var summations = map[string]summation{
	"in order": func(terms []float32) float32 {
		var sum float32
		for _, t := range terms {
			sum += t
		}
		return sum
	},
	"reversed": func(terms []float32) float32 {
		var sum float32
		for i := range terms {
			sum += terms[len(terms)-1-i]
		}
		return sum
	},
	"pairwise": pairwise,
	"eight lanes": func(terms []float32) float32 {
		var lanes [8]float32
		for i, t := range terms {
			lanes[i%8] += t
		}
		return pairwise(lanes[:])
	},
}

func pairwise(terms []float32) float32 {
	switch n := len(terms); n {
	case 0:
		return 0
	case 1:
		return terms[0]
	default:
		return pairwise(terms[:n/2]) + pairwise(terms[n/2:])
	}
}

// float32s are the functions of SPEC.md as one would write them in float32, every intermediate result rounded: what the gauges must
// admit.
func (sum summation) float32s() reference.Primitives {
	f := reference.Exact
	f.MatMul = func(a, b reference.Matrix) reference.Matrix { return sum.linear(a, b, nil) }
	f.Linear = sum.linear
	f.Softmax = func(x []float64) []float64 { return wide(sum.softmax(narrow(x))) }
	f.LogSoftmax = sum.logSoftmax
	f.LayerNorm = sum.layerNorm
	f.Activate = activate
	f.Gate = func(a, c reference.Matrix) reference.Matrix {
		return elementwise(a, func(i int, z float32) float32 { return z * sigmoid32(z) * float32(c.Data[i]) })
	}
	f.Attention = sum.attention
	f.Add = func(a, b reference.Matrix) reference.Matrix {
		return elementwise(a, func(i int, x float32) float32 { return x + float32(b.Data[i]) })
	}
	f.ScaleBy = func(x reference.Matrix, s float64) reference.Matrix {
		return elementwise(x, func(_ int, x float32) float32 { return x * float32(s) })
	}
	f.Sinusoid = func(pos []int, dModel int) (reference.Matrix, error) {
		y, err := reference.SinusoidalPositions(pos, dModel)
		return elementwise(y, func(_ int, x float32) float32 { return x }), err
	}
	f.CrossEntropy = sum.crossEntropy
	f.Reduce = func(losses []float64, targets []int, ignoreIndex int, r reference.Reduction) []float64 {
		if r == reference.ReduceNone {
			return losses
		}
		count := 0
		for _, t := range targets {
			if t != ignoreIndex {
				count++
			}
		}
		total := sum(narrow(losses))
		if r == reference.ReduceMean && count > 0 {
			total /= float32(count)
		}
		return []float64{float64(total)}
	}
	sum.gradients(&f)
	return f
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

// sigmoid32 has a power of 2 in the place of exp, whose argument is rounded.
func sigmoid32(z float32) float32 {
	return 1 / (1 + float32(math.Exp2(float64(-z*float32(math.Log2E)))))
}

func elementwise(x reference.Matrix, f func(i int, x float32) float32) reference.Matrix {
	y := reference.NewMatrix(x.Rows, x.Cols)
	for i, v := range x.Data {
		y.Data[i] = float64(f(i, float32(v)))
	}
	return y
}

func (sum summation) dot(x, y []float32) float32 {
	terms := make([]float32, len(x))
	for i := range x {
		terms[i] = x[i] * y[i]
	}
	return sum(terms)
}

func (sum summation) linear(x, w reference.Matrix, b []float64) reference.Matrix {
	y := reference.NewMatrix(x.Rows, w.Cols)
	wt := w.T()
	for i := range x.Rows {
		for j := range w.Cols {
			v := sum.dot(narrow(x.Row(i)), narrow(wt.Row(j)))
			if b != nil {
				v += float32(b[j])
			}
			y.Data[i*y.Cols+j] = float64(v)
		}
	}
	return y
}

func maximum(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func (sum summation) softmax(x []float32) []float32 {
	m := maximum(x)
	p := make([]float32, len(x))
	for i, v := range x {
		p[i] = exp32(v - m)
	}
	total := sum(p)
	for i := range p {
		p[i] /= total
	}
	return p
}

// logSum returns the maximum and the logarithm of the sum of exp(x - maximum).
func (sum summation) logSum(x []float32) (m, logS float32) {
	m = maximum(x)
	terms := make([]float32, len(x))
	for i, v := range x {
		terms[i] = exp32(v - m)
	}
	return m, float32(math.Log(float64(sum(terms))))
}

func (sum summation) logSoftmax(x []float64) []float64 {
	y := narrow(x)
	m, logS := sum.logSum(y)
	for i := range y {
		y[i] = (y[i] - m) - logS
	}
	return wide(y)
}

func (sum summation) crossEntropy(logits []float64, target int) float64 {
	m, logS := sum.logSum(narrow(logits))
	return float64(logS - (float32(logits[target]) - m))
}

func (sum summation) layerNorm(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
	y := reference.NewMatrix(x.Rows, x.Cols)
	for i := range x.Rows {
		row := narrow(x.Row(i))
		mean := sum(row) / float32(len(row))
		for j := range row {
			row[j] -= mean
		}
		variance := sum.dot(row, row) / float32(len(row))
		sigma := float32(math.Sqrt(float64(variance + float32(eps))))
		for j, d := range row {
			y.Data[i*y.Cols+j] = float64(d/sigma*float32(gamma[j]) + float32(beta[j]))
		}
	}
	return y
}

func activate(a reference.Activation, x reference.Matrix) reference.Matrix {
	return elementwise(x, func(_ int, v float32) float32 {
		switch {
		case a == reference.ActReLU:
			return max(v, 0)
		case math.IsInf(float64(v), -1):
			return 0
		case a == reference.ActGELU:
			return v * 0.5 * (1 + float32(math.Erf(float64(v*float32(1/math.Sqrt2)))))
		}
		u := float32(math.Sqrt(2/math.Pi)) * (v + 0.044715*v*v*v)
		return v * 0.5 * (1 + float32(math.Tanh(float64(u))))
	})
}

func (sum summation) attention(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
	o := reference.NewMatrix(q.Rows, v.Cols)
	for i := range q.Rows {
		var visible []int
		var scores []float32
		for j := range k.Rows {
			if mask.Visible(i, j, q.Rows, k.Rows) {
				visible = append(visible, j)
				s := sum.dot(narrow(q.Row(i)), narrow(k.Row(j))) * float32(scale)
				if c := float32(mask.Softcap); c != 0 {
					s = c * float32(math.Tanh(float64(s/c)))
				}
				scores = append(scores, s+float32(mask.BiasAt(i, j, k.Rows)))
			}
		}
		p := sum.softmax(scores)
		for c := range v.Cols {
			terms := make([]float32, len(visible))
			for n, j := range visible {
				terms[n] = p[n] * float32(v.At(j, c))
			}
			o.Data[i*o.Cols+c] = float64(sum(terms))
		}
	}
	return o
}

// gradients are the gradients of SPEC.md as one would write them in float32, every intermediate result rounded.
func (sum summation) gradients(f *reference.Primitives) {
	f.MatMulGrad = func(a, b, dc reference.Matrix) (da, db reference.Matrix) {
		return sum.linear(dc, b.T(), nil), sum.linear(a.T(), dc, nil)
	}
	f.LinearGrad = func(x, w reference.Matrix, b []float64, dy reference.Matrix) (dx, dw reference.Matrix, db []float64) {
		dx, dw = f.MatMulGrad(x, w, dy)
		if b != nil {
			db = sum.columns(dy)
		}
		return dx, dw, db
	}
	f.SoftmaxGrad = func(x, dy []float64) []float64 {
		p, up := sum.softmax(narrow(x)), narrow(dy)
		mean := sum.dot(p, up)
		for i := range p {
			p[i] *= up[i] - mean
		}
		return wide(p)
	}
	f.LogSoftmaxGrad = func(x, dy []float64) []float64 {
		y, up := narrow(f.LogSoftmax(x)), narrow(dy)
		total := sum(narrow(dy))
		for i, v := range y {
			up[i] -= exp32(v) * total
		}
		return wide(up)
	}
	f.LayerNormGrad = sum.layerNormGrad
	f.ActivateGrad = activateGrad
	f.GateGrad = func(a, c, dh reference.Matrix) (da, dc reference.Matrix) {
		da = elementwise(a, func(i int, z float32) float32 {
			s := sigmoid32(z)
			return s * (1 + z*(1-s)) * float32(c.Data[i]) * float32(dh.Data[i])
		})
		return da, f.Gate(a, dh)
	}
	f.AttentionGrad = sum.attentionGrad
	f.EmbedGrad = func(ids []int, rows int, dy reference.Matrix) (reference.Matrix, error) {
		dtable := reference.NewMatrix(rows, dy.Cols)
		for t, id := range ids {
			for j, d := range narrow(dy.Row(t)) {
				dtable.Data[id*dy.Cols+j] = float64(float32(dtable.At(id, j)) + d)
			}
		}
		return dtable, nil
	}
	f.CrossEntropyGrad = func(logits []float64, target int, dloss float64) []float64 {
		m, logS := sum.logSum(narrow(logits))
		dx := narrow(logits)
		for j, x := range dx {
			dx[j] = exp32((x - m) - logS)
			if j == target {
				dx[j]--
			}
			dx[j] *= float32(dloss)
		}
		return wide(dx)
	}
}

// columns returns the sum of each column of m.
func (sum summation) columns(m reference.Matrix) []float64 {
	y := make([]float64, m.Cols)
	t := m.T()
	for j := range y {
		y[j] = float64(sum(narrow(t.Row(j))))
	}
	return y
}

func (sum summation) layerNormGrad(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma,
	dbeta []float64) {
	dx = reference.NewMatrix(x.Rows, x.Cols)
	products := reference.NewMatrix(x.Rows, x.Cols)
	n := float32(x.Cols)
	for t := range x.Rows {
		row, g := narrow(x.Row(t)), narrow(dy.Row(t))
		mean := sum(row) / n
		for j := range row {
			row[j] -= mean
		}
		sigma := float32(math.Sqrt(float64(sum.dot(row, row)/n + float32(eps))))
		for j := range row {
			row[j] /= sigma
			products.Data[t*x.Cols+j] = float64(g[j] * row[j])
			g[j] *= float32(gamma[j])
		}
		meanG, meanGX := sum(g)/n, sum.dot(g, row)/n
		for j := range row {
			dx.Data[t*x.Cols+j] = float64((g[j] - meanG - row[j]*meanGX) / sigma)
		}
	}
	return dx, sum.columns(products), sum.columns(dy)
}

// activateGrad forms 1 + erf, 1 + tanh and 1 - tanh^2, which cancel.
func activateGrad(a reference.Activation, x, dy reference.Matrix) reference.Matrix {
	return elementwise(x, func(i int, v float32) float32 {
		up := float32(dy.Data[i])
		switch a {
		case reference.ActReLU:
			if v > 0 {
				return up
			}
			return 0
		case reference.ActGELU:
			cdf := 0.5 * (1 + float32(math.Erf(float64(v*float32(1/math.Sqrt2)))))
			return up * (cdf + v*exp32(-0.5*v*v)*float32(1/math.Sqrt(2*math.Pi)))
		}
		root := float32(math.Sqrt(2 / math.Pi))
		t := float32(math.Tanh(float64(root * (v + 0.044715*v*v*v))))
		return up * (0.5*(1+t) + 0.5*v*(1-t*t)*root*(1+3*0.044715*v*v))
	})
}

// attentionGrad takes sum_j p_j dp_j from the output, as flash attention does.
func (sum summation) attentionGrad(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
	o := sum.attention(q, k, v, scale, mask)
	p, ds := reference.NewMatrix(q.Rows, k.Rows), reference.NewMatrix(q.Rows, k.Rows)
	for i := range q.Rows {
		var visible []int
		var scores, slopes []float32
		for j := range k.Rows {
			if !mask.Visible(i, j, q.Rows, k.Rows) {
				continue
			}
			s, slope := sum.dot(narrow(q.Row(i)), narrow(k.Row(j)))*float32(scale), float32(1)
			if c := float32(mask.Softcap); c != 0 {
				t := float32(math.Tanh(float64(s / c)))
				s, slope = c*t, 1-t*t
			}
			visible, scores, slopes = append(visible, j), append(scores, s+float32(mask.BiasAt(i, j, k.Rows))), append(slopes, slope)
		}
		mean := sum.dot(narrow(do.Row(i)), narrow(o.Row(i)))
		for n, w := range sum.softmax(scores) {
			j := visible[n]
			p.Data[i*k.Rows+j] = float64(w)
			ds.Data[i*k.Rows+j] = float64(w * (sum.dot(narrow(do.Row(i)), narrow(v.Row(j))) - mean) * slopes[n] * float32(scale))
		}
	}
	return sum.linear(ds, k, nil), sum.linear(ds.T(), q, nil), sum.linear(p.T(), do, nil)
}
