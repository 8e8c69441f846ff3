package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// gradients are the gradients of SPEC.md as one would write them in float32, every intermediate result rounded.
func (sum summation) gradients(f *refimpl.Functions) {
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
