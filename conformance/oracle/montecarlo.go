package oracle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// Evaluations is how often MonteCarlo evaluates a composite for each gauge.
const Evaluations = 64

// step is the size of one unit of roundoff in a perturbed evaluation: so small that the response is linear, and so large that float64's
// own roundoff is a millionth of it.
const step = 0x1p-30

// Evaluation computes the results of a composite with the functions f. It passes every float input through jitter.
type Evaluation func(f refimpl.Functions, jitter func(op.Tensor) op.Tensor) ([]op.Tensor, error)

// MonteCarlo measures the gauges of a composite's results (Monte Carlo arithmetic, Parker 1997): the root mean square, over Evaluations
// perturbed evaluations, of the deviation from the exact one, in units of the perturbation. Every result y of a primitive is perturbed
// by xi times
//
//	Acc: the primitive's own Acc, and |y|, since what goes from one primitive to the next is stored
//	In:  |y|, and every input x of the composite by xi |x|
//	Eta: the primitive's own Eta
//
// with xi standard normal and independent for each element. Absolute values passed through every layer would exceed the errors that occur
// by many orders of magnitude: errors of different signs cancel, and absolute values cannot.
//
// A gauge that is not 0 is at least half of its row's median, so that an element where the errors happen to cancel is not held to none.
func (m Model) MonteCarlo(seed uint64, eval Evaluation) ([]Gauges, error) {
	exact, err := eval(refimpl.Exact, keep)
	if err != nil {
		return nil, err
	}
	var rms [3][][]float64
	for kind, n := range []noise{{pick: Acc, own: 1}, {own: 1, inputs: true}, {pick: Eta}} {
		n.model, n.size, n.rng = m, step, rand.New(rand.NewPCG(seed, uint64(kind)))
		if rms[kind], err = n.measure(exact, eval); err != nil {
			return nil, err
		}
	}
	gauges := make([]Gauges, len(exact))
	for i := range gauges {
		gauges[i] = Gauges{Acc: rms[0][i], In: rms[1][i], Eta: rms[2][i]}
	}
	return gauges, nil
}

func keep(t op.Tensor) op.Tensor { return t }

// Perturbed returns the functions of composites with errors of size times their gauges.
func (m Model) Perturbed(seed uint64, size float64) refimpl.Functions {
	return noise{model: m, pick: Acc, own: 1, size: size, rng: rand.New(rand.NewPCG(seed, 0))}.functions()
}

// noise perturbs functions and inputs.
type noise struct {
	model  Model
	rng    *rand.Rand
	size   float64
	pick   func(Gauges) []float64 // of a primitive's gauges; nil for none
	own    float64                // times |y|
	inputs bool
}

func (n noise) measure(exact []op.Tensor, eval Evaluation) ([][]float64, error) {
	rms := make([][]float64, len(exact))
	for i, t := range exact {
		rms[i] = make([]float64, t.Len())
	}
	jitter := keep
	if n.inputs {
		jitter = n.jitter
	}
	for range Evaluations {
		got, err := eval(n.functions(), jitter)
		if err != nil {
			return nil, fmt.Errorf("perturbed evaluation: %w", err)
		}
		for i, t := range got {
			for j, y := range t.F64 {
				d := (y - exact[i].F64[j]) / n.size
				rms[i][j] += d * d / Evaluations
			}
		}
	}
	for i, t := range exact {
		for j, sum := range rms[i] {
			rms[i][j] = math.Sqrt(sum)
		}
		floor(rms[i], t.Shape)
	}
	return rms, nil
}

// floor raises the gauges of each row that are not 0 to at least half of their median.
func floor(g []float64, shape []int) {
	if len(g) == 0 { // of a result that is absent
		return
	}
	cols := len(g)
	if len(shape) > 0 {
		cols = shape[len(shape)-1]
	}
	for row := range slices.Chunk(g, cols) {
		sorted := slices.DeleteFunc(slices.Clone(row), func(x float64) bool { return !(x > 0) })
		if len(sorted) == 0 {
			continue
		}
		slices.Sort(sorted)
		half := sorted[len(sorted)/2] / 2
		for i, x := range row {
			if x > 0 {
				row[i] = max(x, half)
			}
		}
	}
}

// jitter returns a float input with each element perturbed by its own magnitude.
func (n noise) jitter(t op.Tensor) op.Tensor {
	if t.DType != op.F64 {
		return t
	}
	out := op.New(op.F64, t.Shape...)
	for i, x := range t.F64 {
		out.F64[i] = x + n.xi(math.Abs(x))
	}
	return out
}

// xi returns a draw of the perturbation whose standard deviation is the gauge g. An infinite value has an infinite gauge, and stays.
func (n noise) xi(g float64) float64 {
	if x := n.rng.NormFloat64() * g * n.size; !math.IsNaN(x) && !math.IsInf(x, 0) {
		return x
	}
	return 0
}

// perturb adds noise to the results y of a primitive, in place.
func (n noise) perturb(y []float64, gauges func() Gauges) {
	var picked []float64
	if n.pick != nil {
		picked = n.pick(gauges())
	}
	for i, v := range y {
		g := n.own * math.Abs(v)
		if picked != nil {
			g += picked[i]
		}
		if x := n.xi(g); x != 0 {
			y[i] = v + x
		}
	}
}

// functions returns the functions of SPEC.md that composites are built from, perturbed.
func (n noise) functions() refimpl.Functions {
	matrix := func(y reference.Matrix, gauges func() Gauges) reference.Matrix {
		n.perturb(y.Data, gauges)
		return y
	}
	nothing := func(y reference.Matrix) func() Gauges {
		return func() Gauges {
			g := newGauges(len(y.Data))
			for i := range g.Eta {
				g.Eta[i] = 1
			}
			return g
		}
	}
	f := refimpl.Exact
	f.Linear = func(x, w reference.Matrix, b []float64) reference.Matrix {
		return matrix(reference.Linear(x, w, b), func() Gauges { return n.model.Linear(x, w, b) })
	}
	f.LayerNorm = func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
		return matrix(reference.LayerNormRows(x, gamma, beta, eps), func() Gauges { return n.model.LayerNorm(x, gamma, beta, eps) })
	}
	f.Activate = func(a reference.Activation, x reference.Matrix) reference.Matrix {
		return matrix(a.Apply(x), func() Gauges { return Activate(a, x) })
	}
	f.Attention = func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
		return matrix(reference.Attention(q, k, v, scale, mask), func() Gauges { return n.model.Attention(q, k, v, scale, mask) })
	}
	f.Add = func(a, b reference.Matrix) reference.Matrix {
		y := reference.Add(a, b)
		return matrix(y, nothing(y))
	}
	f.ScaleBy = func(x reference.Matrix, s float64) reference.Matrix {
		y := reference.ScaleBy(x, s)
		return matrix(y, func() Gauges {
			g := nothing(y)()
			g.Acc = magnitude(y.Data) // the rounding of s
			return g
		})
	}
	f.Sinusoid = func(pos []int, dModel int) (reference.Matrix, error) {
		y, err := reference.SinusoidalPositions(pos, dModel)
		if err != nil {
			return y, err
		}
		return matrix(y, func() Gauges { return Sinusoid(pos, dModel) }), nil
	}
	f.LogSoftmax = func(x []float64) []float64 {
		y := reference.LogSoftmax(x)
		n.perturb(y, func() Gauges { return n.model.LogSoftmax(x) })
		return y
	}
	f.Score = func(logs []float64, length int, p reference.LengthPenalty) float64 {
		score := []float64{reference.Score(logs, length, p)}
		n.perturb(score, func() Gauges { return n.model.Score(logs, length, p) })
		return score[0]
	}
	f.CrossEntropy = func(logits []float64, target int) float64 {
		loss := []float64{reference.CrossEntropy(logits, target)}
		n.perturb(loss, func() Gauges { return n.model.CrossEntropy(logits, target, nil) })
		return loss[0]
	}
	f.Reduce = func(losses []float64, targets []int, ignoreIndex int, r reference.Reduction) []float64 {
		y := reference.Reduce(losses, targets, ignoreIndex, r)
		if r != reference.ReduceNone {
			n.perturb(y, func() Gauges { return n.model.Reduce(losses, targets, ignoreIndex, r) })
		}
		return y
	}
	n.gradients(&f)
	n.training(&f)
	return f
}

// training sets the functions of training to perturbed ones.
func (n noise) training(f *refimpl.Functions) {
	f.Rate = func(s reference.Schedule, t int) (float64, error) {
		y, err := s.Rate(t)
		if err != nil {
			return 0, err
		}
		rate := []float64{y}
		n.perturb(rate, func() Gauges { g, _ := Rate(s, t); return g })
		return rate[0], nil
	}
	f.ClipNorm = func(maxNorm, eps float64, gs ...[]float64) ([][]float64, float64, error) {
		ys, norm, err := reference.ClipNorm(maxNorm, eps, gs...)
		if err != nil {
			return nil, 0, err
		}
		gauges, length, _ := n.model.ClipNorm(maxNorm, eps, gs...)
		for i, y := range ys {
			n.perturb(y, func() Gauges { return gauges[i] })
		}
		result := []float64{norm}
		n.perturb(result, func() Gauges { return length })
		return ys, result[0], nil
	}
	f.Adam = func(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) reference.AdamState {
		next := reference.Adam(s, grad, lr, t, c)
		param, m, v := Adam(s, grad, lr, t, c)
		n.perturb(next.Param, func() Gauges { return param })
		n.perturb(next.M, func() Gauges { return m })
		n.perturb(next.V, func() Gauges { return v })
		return next
	}
	f.SGD = func(s reference.SGDState, grad []float64, lr float64, c reference.SGDConfig) reference.SGDState {
		next := reference.SGD(s, grad, lr, c)
		param, velocity := SGD(s, grad, lr, c)
		n.perturb(next.Param, func() Gauges { return param })
		n.perturb(next.Velocity, func() Gauges { return velocity })
		return next
	}
}

// gradients perturbs the gradients of the functions that composites are built from.
func (n noise) gradients(f *refimpl.Functions) {
	f.LinearGrad = func(x, w reference.Matrix, b []float64, dy reference.Matrix) (dx, dw reference.Matrix, db []float64) {
		dx, dw, db = reference.LinearGrad(x, w, b, dy)
		n.perturbAll(func() (gx, gw, gb Gauges) { return n.model.LinearGrad(x, w, dy) }, dx.Data, dw.Data, db)
		return dx, dw, db
	}
	f.LayerNormGrad = func(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma, dbeta []float64) {
		dx, dgamma, dbeta = reference.LayerNormRowsGrad(x, gamma, eps, dy)
		n.perturbAll(func() (gx, gg, gb Gauges) { return n.model.LayerNormGrad(x, gamma, eps, dy) }, dx.Data, dgamma, dbeta)
		return dx, dgamma, dbeta
	}
	f.ActivateGrad = func(a reference.Activation, x, dy reference.Matrix) reference.Matrix {
		dx := a.ApplyGrad(x, dy)
		n.perturb(dx.Data, func() Gauges { return ActivateGrad(a, x, dy) })
		return dx
	}
	f.AttentionGrad = func(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
		dq, dk, dv = reference.AttentionGrad(q, k, v, do, scale, mask)
		n.perturbAll(func() (gq, gk, gv Gauges) { return n.model.AttentionGrad(q, k, v, do, scale, mask) }, dq.Data, dk.Data, dv.Data)
		return dq, dk, dv
	}
	f.EmbedGrad = func(ids []int, rows int, dy reference.Matrix) (reference.Matrix, error) {
		dtable, err := reference.EmbeddingGrad(ids, rows, dy)
		if err != nil {
			return dtable, err
		}
		n.perturb(dtable.Data, func() Gauges { return n.model.EmbeddingGrad(ids, rows, dy) })
		return dtable, nil
	}
	f.CrossEntropyGrad = func(logits []float64, target int, dloss float64) []float64 {
		dx := reference.CrossEntropyGrad(logits, target, dloss)
		n.perturb(dx, func() Gauges { return n.model.CrossEntropyGrad(logits, target, dloss) })
		return dx
	}
}

// perturbAll perturbs three results that belong together.
func (n noise) perturbAll(gauges func() (a, b, c Gauges), ya, yb, yc []float64) {
	var a, b, c Gauges
	if n.pick != nil {
		a, b, c = gauges()
	}
	n.perturb(ya, func() Gauges { return a })
	n.perturb(yb, func() Gauges { return b })
	n.perturb(yc, func() Gauges { return c })
}
