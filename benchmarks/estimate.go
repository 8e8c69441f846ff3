package benchmarks

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

// estimate is a matrix of float64 values, each with a gauge: how far rounding may carry it, in units of roundoff (SPEC.md, appendix A).
//
// A primitive that gets values with gauges e adds its own to them, as independent errors add:
//
//	E_i = sqrt( sum_k (dy_i/dx_k e_k)^2 + (Acc_i + |y_i|)^2 )
//
// Acc is the primitive's own gauge and |y| the rounding of its result, which the next one reads. It is gauge.MonteCarlo's model of a
// composite, with the sum of squares carried instead of drawn, errors of different elements taken as independent, and so at the cost of
// one evaluation. With exact inputs E = Acc + |y|, the bound of the single op.
type estimate struct {
	reference.Matrix
	e []float64
}

func newEstimate(rows, cols int) estimate {
	return estimate{reference.NewMatrix(rows, cols), make([]float64, rows*cols)}
}

// exact returns the tensor's vectors along its last axis as values without error.
func exact(t op.Tensor) estimate {
	cols := t.Shape[len(t.Shape)-1]
	x := newEstimate(t.Len()/cols, cols)
	for i := range x.Data {
		x.Data[i] = t.At(i)
	}
	return x
}

// gather returns element (i, j) = x(rows[i], cols[j]).
func (x estimate) gather(rows, cols []int) estimate {
	y := newEstimate(len(rows), len(cols))
	for i, r := range rows {
		for j, c := range cols {
			y.Data[i*len(cols)+j], y.e[i*len(cols)+j] = x.At(r, c), x.e[r*x.Cols+c]
		}
	}
	return y
}

// span returns lo, lo+1, ..., hi-1.
func span(lo, hi int) []int {
	s := make([]int, hi-lo)
	for i := range s {
		s[i] = lo + i
	}
	return s
}

// finish adds the primitive's own gauge, and the rounding of the result, to the sum of squares in y.e.
func (y estimate) finish(acc []float64) estimate {
	for i, square := range y.e {
		own := math.Abs(y.Data[i])
		if acc != nil {
			own += acc[i]
		}
		y.e[i] = math.Sqrt(square + own*own)
	}
	return y
}

// linear returns columns cols of x W + b; b may be absent. The gauge is that of gauge.Linear, with c(n) = sqrt n.
func (x estimate) linear(w, b op.Tensor, cols []int) estimate {
	y := newEstimate(x.Rows, len(cols))
	acc := make([]float64, len(y.Data))
	terms := x.Cols
	if b.Present() {
		terms++
	}
	const tile = 64 // rows and columns whose sums stay in the cache
	rowTiles, colTiles := (x.Rows+tile-1)/tile, (len(cols)+tile-1)/tile
	parallel(rowTiles*colTiles, func(n int) {
		top, left := n/colTiles*tile, n%colTiles*tile
		bottom, tileCols := min(top+tile, x.Rows), cols[left:min(left+tile, len(cols))]
		wk := make([]float64, len(tileCols))
		for k := range x.Cols {
			for j, c := range tileCols {
				wk[j] = w.At(k*w.Shape[len(w.Shape)-1] + c)
			}
			for i := top; i < bottom; i++ {
				at := i*y.Cols + left
				y.addProduct(acc, at, x.At(i, k), x.e[i*x.Cols+k], wk)
			}
		}
	})
	growth := math.Sqrt(float64(terms))
	for i := range acc {
		if b.Present() {
			bias := b.At(cols[i%len(cols)])
			y.Data[i] += bias
			acc[i] += math.Abs(bias)
		}
		acc[i] *= growth
	}
	return y.finish(acc)
}

// addProduct adds x w to the values from position at on, |x w| to acc there, and (e w)^2 to the sums of squares.
func (y estimate) addProduct(acc []float64, at int, x, e float64, w []float64) {
	values, abs, squares := y.Data[at:at+len(w)], acc[at:at+len(w)], y.e[at:at+len(w)]
	for j, wj := range w {
		p := float64(x * wj)
		values[j] += p
		abs[j] += math.Abs(p)
	}
	if e == 0 {
		return
	}
	for j, wj := range w {
		squares[j] += (e * wj) * (e * wj)
	}
}

// parallel calls f(0) to f(n-1), as many at once as there are processors.
func parallel(n int, f func(int)) {
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for first := range workers {
		wg.Go(func() {
			for i := first; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

func (x estimate) plus(y estimate) estimate {
	sum := estimate{reference.Add(x.Matrix, y.Matrix), make([]float64, len(x.e))}
	for i := range sum.e {
		sum.e[i] = x.e[i]*x.e[i] + y.e[i]*y.e[i]
	}
	return sum.finish(nil)
}

// layerNorm applies LayerNorm to each row. With z the normalised row, dy_i/dx_j = gamma_i/sigma (1_ij - (1 + z_i z_j)/d).
func (x estimate) layerNorm(gamma, beta []float64, eps float64) estimate {
	y := estimate{reference.LayerNormRows(x.Matrix, gamma, beta, eps), make([]float64, len(x.e))}
	d := float64(x.Cols)
	ones, zeros := slices.Repeat([]float64{1}, x.Cols), make([]float64, x.Cols)
	for i := range x.Rows {
		z := reference.LayerNorm(x.Row(i), ones, zeros, eps)
		mean, variance := 0.0, 0.0
		for _, v := range x.Row(i) {
			mean += v / d
		}
		for _, v := range x.Row(i) {
			variance += (v - mean) * (v - mean) / d
		}
		e := x.e[i*x.Cols : (i+1)*x.Cols]
		var s0, s1, s2 float64 // sums of e^2, e^2 z and e^2 z^2
		for j, ej := range e {
			s0, s1, s2 = s0+ej*ej, s1+ej*ej*z[j], s2+ej*ej*z[j]*z[j]
		}
		for j, ej := range e {
			square := ej*ej*(1-2*(1+z[j]*z[j])/d) + (s0+2*z[j]*s1+z[j]*z[j]*s2)/(d*d)
			y.e[i*x.Cols+j] = gamma[j] * gamma[j] / (variance + eps) * max(square, 0)
		}
	}
	return y.finish(gauge.Random.LayerNorm(x.Matrix, gamma, beta, eps).Acc)
}

// activate applies an activation. Its derivative is a difference quotient: a gauge needs no more.
func (x estimate) activate(act reference.Activation) estimate {
	const h = 1e-4
	shifted := reference.NewMatrix(x.Rows, x.Cols)
	for i, v := range x.Data {
		shifted.Data[i] = v + h
	}
	y := estimate{act.Apply(x.Matrix), make([]float64, len(x.e))}
	for i, v := range act.Apply(shifted).Data {
		slope := (v - y.Data[i]) / h
		y.e[i] = slope * slope * x.e[i] * x.e[i]
	}
	return y.finish(gauge.Activate(act, x.Matrix).Acc)
}

// attend returns attention of one query q over all rows of k and v.
//
//	do = sum_j p_j (v_j - o) ds_j + sum_j p_j dv_j,   ds_j = scale (k_j dq + q dk_j)
func (q estimate) attend(k, v estimate, scale float64) estimate {
	o := estimate{reference.Attention(q.Matrix, k.Matrix, v.Matrix, scale, reference.Mask{}), make([]float64, v.Cols)}
	scores, square := make([]float64, k.Rows), make([]float64, k.Rows)
	for j := range scores {
		for n, qn := range q.Data {
			kn, eq, ek := k.At(j, n), q.e[n], k.e[j*k.Cols+n]
			scores[j] += scale * qn * kn
			square[j] += scale * scale * (eq*eq*kn*kn + qn*qn*ek*ek)
		}
	}
	for j, p := range reference.Softmax(scores) {
		for c, vc := range v.Row(j) {
			spread, ev := vc-o.Data[c], v.e[j*v.Cols+c]
			o.e[c] += p * p * (spread*spread*square[j] + ev*ev)
		}
	}
	return o.finish(gauge.Random.Attention(q.Matrix, k.Matrix, v.Matrix, scale, reference.Mask{}).Acc)
}
