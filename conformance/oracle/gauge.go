// Package oracle says what any op must give, whole or in part, and how far rounding may carry each element of it: SPEC.md, appendix A. It
// computes in float64, through the equations of package reference alone. The generator of golden vectors, ONNX's node tests and benchmarks
// are its clients; the bound that follows from a gauge is op.Formats.Bound.
//
// A gauge is a first-order error bound with the roundoff left out, so that one number serves every floating-point format. The bound of
// an element y is
//
//	2 (u_acc Acc + u_sto |y| + u_sto In) + Eta * smallest normal
//
// where u_acc and u_sto are the unit roundoffs in which an implementation accumulates and stores, and In counts only where the storage
// is narrower than the inputs. The rounding of the result itself, |y|, is not part of Acc.
//
// The gauges of single ops are formulas, the methods of Model: see Derive. Those of composites are measured for golden vectors, by MonteCarlo, and
// propagated everywhere else, by Propagate. Use is one use of an op; Evaluate gives all of it, and Sample some elements at the cost of the
// smaller calls that hold them.
package oracle

import (
	"math"

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
