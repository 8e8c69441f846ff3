package benchmarks

import (
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

// attendGrad returns the gradients of attention of all rows of q over k and v. With the errors eps of the scores and eta of do_i . v_j, and
// means under p,
//
//	d(p_ij)  = p_ij (eps_j - mean eps)
//	d(ds_ij) = ds_ij (eps_j - mean eps) - p_ij sum_l ds_il eps_l + p_ij (eta_j - mean eta)
//	d(dq_i)  = scale sum_l (eps_l (ds_il (k_l - mean k) - p_il dq_i/scale) + eta_l p_il (k_l - mean k) + ds_il dk_l)
//
// Errors of different queries are taken as independent.
func (q estimate) attendGrad(k, v, do estimate, scale float64, causal bool, window int) (dq, dk, dv estimate) {
	mask := reference.Mask{Causal: causal, Window: window}
	dq.Matrix, dk.Matrix, dv.Matrix = reference.AttentionGrad(q.Matrix, k.Matrix, v.Matrix, do.Matrix, scale, mask)
	dq.e, dk.e, dv.e = make([]float64, len(q.e)), make([]float64, len(k.e)), make([]float64, len(v.e))
	for i := range q.Rows {
		lo, hi := visible(i+k.Rows-q.Rows, k.Rows, causal, window)
		r := newGradRow(q.gather([]int{i}, span(0, q.Cols)), k.gather(span(lo, hi), span(0, k.Cols)), v.gather(span(lo, hi), span(0, v.Cols)),
			do.gather([]int{i}, span(0, v.Cols)), scale)
		r.query(dq.e[i*q.Cols:(i+1)*q.Cols], dq.Row(i))
		for n := range r.p {
			variance := r.variance(n)
			for c, x := range q.Row(i) {
				e := q.e[i*q.Cols+c]
				dk.e[(lo+n)*k.Cols+c] += scale * scale * (variance*x*x + r.ds[n]*r.ds[n]*e*e)
			}
			for c, x := range do.Row(i) {
				e := do.e[i*v.Cols+c]
				dv.e[(lo+n)*v.Cols+c] += r.p[n] * r.p[n] * (max(0, r.eps[n]*(1-2*r.p[n])+r.pp)*x*x + e*e)
			}
		}
	}
	ownQ, ownK, ownV := gauge.Random.AttentionGrad(q.Matrix, k.Matrix, v.Matrix, do.Matrix, scale, mask)
	return dq.finish(ownQ.Acc), dk.finish(ownK.Acc), dv.finish(ownV.Acc)
}

// gradRow is one query and the keys that it sees.
type gradRow struct {
	k                estimate
	scale            float64
	p, ds            []float64
	eps, eta         []float64 // variances of the scores and of do . v
	pp, pd, dd, pEta float64   // sums of p^2 eps, p ds eps, ds^2 eps, p^2 eta
	meanK            []float64
}

func newGradRow(q, k, v, do estimate, scale float64) *gradRow {
	r := &gradRow{k: k, scale: scale, eps: make([]float64, k.Rows), eta: make([]float64, k.Rows), meanK: make([]float64, k.Cols)}
	scores, dp, mean := make([]float64, k.Rows), make([]float64, k.Rows), 0.0
	for j := range scores {
		s, e := dot(q, k.part(j, 0, k.Cols))
		scores[j], r.eps[j] = scale*s, scale*scale*e
		dp[j], r.eta[j] = dot(do, v.part(j, 0, v.Cols))
	}
	r.p = reference.Softmax(scores)
	for j, p := range r.p {
		mean += p * dp[j]
		for c, x := range k.Row(j) {
			r.meanK[c] += p * x
		}
	}
	for j, p := range r.p {
		ds := p * (dp[j] - mean)
		r.ds = append(r.ds, ds)
		r.pp, r.pd, r.dd, r.pEta = r.pp+p*p*r.eps[j], r.pd+p*ds*r.eps[j], r.dd+ds*ds*r.eps[j], r.pEta+p*p*r.eta[j]
	}
	return r
}

// dot returns the product of two vectors and its variance.
func dot(x, y estimate) (value, variance float64) {
	for c, a := range x.Data {
		b := y.Data[c]
		value += a * b
		variance += x.e[c]*b*x.e[c]*b + a*y.e[c]*a*y.e[c]
	}
	return value, variance
}

// query adds the variances of dq.
func (r *gradRow) query(variances, dq []float64) {
	for l, p := range r.p {
		for c := range dq {
			spread, e := r.k.At(l, c)-r.meanK[c], r.k.e[l*r.k.Cols+c]
			score := r.ds[l]*spread - p*dq[c]/r.scale
			variances[c] += r.scale * r.scale * (r.eps[l]*score*score + r.eta[l]*p*p*spread*spread + r.ds[l]*r.ds[l]*e*e)
		}
	}
}

// variance returns that of ds_n.
func (r *gradRow) variance(n int) float64 {
	p, ds := r.p[n], r.ds[n]
	scores := r.eps[n]*ds*ds*(1-4*p) + ds*ds*r.pp + 2*ds*p*r.pd + p*p*r.dd
	return max(0, scores) + p*p*max(0, r.eta[n]*(1-2*p)+r.pEta)
}
