package oracle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// Evaluations is how often MonteCarlo evaluates a composite for each gauge.
const Evaluations = 64

// step is the size of one unit of roundoff in a perturbed evaluation: so small that the response is linear, and so large that float64's
// own roundoff is a millionth of it.
const step = 0x1p-30

// Evaluation computes the results of a composite with the functions f. It passes every float input through jitter.
type Evaluation func(f reference.Primitives, jitter func(op.Tensor) op.Tensor) ([]op.Tensor, error)

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
	exact, err := eval(reference.Exact, keep)
	if err != nil {
		return nil, err
	}
	var rms [3][][]float64
	for kind, n := range []noise{{pick: acc, own: 1}, {own: 1, inputs: true}, {pick: eta}} {
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
func (m Model) Perturbed(seed uint64, size float64) reference.Primitives {
	return hooked(noise{model: m, pick: acc, own: 1, size: size, rng: rand.New(rand.NewPCG(seed, 0))}.hook)
}

// noise perturbs functions and inputs.
type noise struct {
	model  Model
	rng    *rand.Rand
	size   float64
	pick   func(Gauges) []float64 // of a function's gauges; nil for none
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
		got, err := eval(hooked(n.hook), jitter)
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

// hook perturbs the results of a call by the gauges that are picked, and by the results themselves.
func (n noise) hook(c call) [][]float64 {
	if c.own == nil {
		return c.out
	}
	var gauges []Gauges
	if n.pick != nil {
		gauges = c.own(n.model)
	}
	for k, y := range c.out {
		for i, v := range y {
			g := n.own * math.Abs(v)
			if gauges != nil {
				g += n.pick(gauges[k])[i]
			}
			if x := n.xi(g); x != 0 {
				y[i] = v + x
			}
		}
	}
	return c.out
}

func acc(g Gauges) []float64 { return g.Acc }
func eta(g Gauges) []float64 { return g.Eta }
