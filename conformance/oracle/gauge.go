// Package oracle computes how far rounding may carry each element of a result: SPEC.md, appendix A.
//
// A gauge is a first-order error bound with the roundoff left out, so that one number serves every floating-point format. The bound of
// an element y is
//
//	2 (u_acc Acc + u_sto |y| + u_sto In) + Eta * smallest normal
//
// where u_acc and u_sto are the unit roundoffs in which an implementation accumulates and stores, and In counts only where the storage
// is narrower than the inputs. The rounding of the result itself, |y|, is not part of Acc.
//
// The gauges of single ops are formulas: the methods of Model. Those of composites are measured, by MonteCarlo.
package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// Gauges are the gauges of the elements of one result.
type Gauges struct {
	Acc []float64 // of the arithmetic, in units of the accumulation format's roundoff
	In  []float64 // of rounding every input to the storage format, in units of its roundoff
	Eta []float64 // how many smallest normals underflow may add
}

// eps is the relative error, in units of roundoff, that the elementary functions exp, log, erf and tanh may have.
const eps = 4

// Model says how the rounding error of a sum grows with the number of its terms.
type Model struct{ c func(terms int) float64 }

var (
	// Random is the model of sums whose rounding errors have mean zero: the square root of the number of terms (Higham and Mary 2019).
	Random = Model{func(terms int) float64 { return math.Sqrt(float64(terms)) }}
	// Biased is the proved bound, the number of terms. Sums of equal or lognormal terms come close to it.
	Biased = Model{func(terms int) float64 { return float64(terms) }}
)

// Acc, In and Eta pick one gauge: see Model.Functions.
func Acc(g Gauges) []float64 { return g.Acc }

func In(g Gauges) []float64 { return g.In }

func Eta(g Gauges) []float64 { return g.Eta }

// Functions returns functions that give, in place of each result, the gauge of it that pick selects. An op computed with them gives its
// gauges: refimpl.With(m.Functions(gauge.Acc)). It means nothing for composites.
func (m Model) Functions(pick func(Gauges) []float64) refimpl.Functions {
	matrix := func(rows, cols int, g Gauges) reference.Matrix {
		return reference.Matrix{Rows: rows, Cols: cols, Data: pick(g)}
	}
	f := refimpl.Functions{
		Primitives: reference.Primitives{
			Linear: func(x, w reference.Matrix, b []float64) reference.Matrix {
				return matrix(x.Rows, w.Cols, m.Linear(x, w, b))
			},
			LayerNorm: func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
				return matrix(x.Rows, x.Cols, m.LayerNorm(x, gamma, beta, eps))
			},
			Activate: func(a reference.Activation, x reference.Matrix) reference.Matrix {
				return matrix(x.Rows, x.Cols, Activate(a, x))
			},
			Attention: func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
				return matrix(q.Rows, v.Cols, m.Attention(q, k, v, scale, mask))
			},
			LogSoftmax: func(x []float64) []float64 { return pick(m.LogSoftmax(x)) },
			Embed:      reference.Embedding, // exact: whatever stands here is not used, but its errors are
			Sinusoid: func(pos []int, dModel int) (reference.Matrix, error) {
				if _, err := reference.SinusoidalPositions(pos, dModel); err != nil {
					return reference.Matrix{}, err
				}
				return matrix(len(pos), dModel, Sinusoid(pos, dModel)), nil
			},
		},
		Distribution: func(logits []float64, s reference.Sampling) ([]float64, error) {
			g, err := m.Distribution(logits, s)
			return pick(g), err
		},
		MatMul:           func(a, b reference.Matrix) reference.Matrix { return matrix(a.Rows, b.Cols, m.Linear(a, b, nil)) },
		Softmax:          func(x []float64) []float64 { return pick(m.Softmax(x)) },
		LearnedPositions: reference.LearnedPositions,
		AttentionScores: func(q, k reference.Matrix, scale float64, mask reference.Mask, stage reference.Stage) reference.Matrix {
			return matrix(q.Rows, k.Rows, m.AttentionScores(q, k, scale, mask, stage))
		},
		Loss: func(logits reference.Matrix, targets []int, ignoreIndex int, r reference.Reduction) ([]float64, error) {
			g, err := m.Loss(logits, targets, ignoreIndex, r)
			return pick(g), err
		},
	}
	m.gradients(&f, pick)
	m.training(&f, pick)
	return f
}

// newGauges returns gauges of n elements, all 0.
func newGauges(n int) Gauges {
	return Gauges{Acc: make([]float64, n), In: make([]float64, n), Eta: make([]float64, n)}
}

// join returns the gauges of rows, one after the other.
func join(rows int, row func(i int) Gauges) Gauges {
	var all Gauges
	for i := range rows {
		g := row(i)
		all.Acc = append(all.Acc, g.Acc...)
		all.In = append(all.In, g.In...)
		all.Eta = append(all.Eta, g.Eta...)
	}
	return all
}

// magnitude returns |x|, element by element; nil for nil.
func magnitude(x []float64) []float64 {
	if x == nil {
		return nil
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Abs(v)
	}
	return y
}

func magnitudes(m reference.Matrix) reference.Matrix {
	m.Data = magnitude(m.Data)
	return m
}

// mean returns the mean of f over the elements of x.
func mean(x []float64, f func(float64) float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += f(v)
	}
	return sum / float64(len(x))
}

// Gauges of training: SPEC.md, A.11. Weights and rates are formed in float64, so their gauges count units of its roundoff, double.
const double = 0x1p-29

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

// training sets the functions of training to ones that give their gauges.
func (m Model) training(f *refimpl.Functions, pick func(Gauges) []float64) {
	f.Init = func(draws []int, in, out int, c reference.InitConfig) (reference.Matrix, error) {
		g, err := Init(draws, in, out, c)
		return reference.Matrix{Rows: in, Cols: out, Data: pick(g)}, err
	}
	f.Rate = func(s reference.Schedule, t int) (float64, error) {
		g, err := Rate(s, t)
		return pick(g)[0], err
	}
	f.ClipValue = func(x []float64, limit float64) []float64 { return pick(ClipValue(x, limit)) }
	f.ClipNorm = func(maxNorm, eps float64, gs ...[]float64) (picked [][]float64, norm float64, err error) {
		ys, length, err := m.ClipNorm(maxNorm, eps, gs...)
		if err != nil {
			return nil, 0, err
		}
		for _, y := range ys {
			picked = append(picked, pick(y))
		}
		return picked, pick(length)[0], nil
	}
}
