package onnx

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// Evaluations is how often a translation is evaluated with perturbations for a bound.
const Evaluations = 32

// unit is the size of one unit of roundoff in a perturbed evaluation, as in SPEC.md A.9.
const unit = 0x1p-30

// lambda is the factor on a gauge, as in SPEC.md A.
const lambda = 2

// gauges returns, for each output, how far its elements may be off: see the package's documentation.
func (c *Case) gauges(set dataSet, got []op.Tensor, f op.Formats) ([]func(i int) float64, error) {
	stored := coarsest(set)
	own := max(f.Storage.UnitRoundoff(), f.Accumulate.UnitRoundoff())
	exact, err := c.evaluate(newSession(refimpl.New()), inputs(set))
	if err != nil {
		return nil, fmt.Errorf("the reference: %w", err)
	}
	acc, err := c.measure(set, exact, false)
	if err != nil {
		return nil, err
	}
	narrowing := f.Storage.UnitRoundoff() > stored.UnitRoundoff() // inputs are rounded on their way to the implementation
	var in [][]float64
	if narrowing {
		if in, err = c.measure(set, exact, true); err != nil {
			return nil, err
		}
	}
	bounds := make([]func(int) float64, len(exact))
	for n := range exact {
		bounds[n] = func(i int) float64 {
			w := exact[n].At(i)
			b := lambda * (own + stored.UnitRoundoff()) * (acc[n][i] + math.Abs(w))
			if narrowing {
				b += lambda * f.Storage.UnitRoundoff() * in[n][i]
			}
			return b + 2*max(stored.SmallestNormal(), f.Storage.SmallestNormal())
		}
	}
	return bounds, nil
}

// coarsest returns the coarsest float format of a set of inputs and outputs: the one that the stored results were computed in.
func coarsest(set dataSet) op.Format {
	format := op.Float64Format
	for _, ts := range [][]tensor{set.inputs, set.outputs} {
		for _, t := range ts {
			if f := elements[t.kind].format; f != "" && f.UnitRoundoff() > format.UnitRoundoff() {
				format = f
			}
		}
	}
	return format
}

// measure returns the root mean square deviation of each output from the exact one, in units of the perturbation: of every op's results,
// or of the inputs.
func (c *Case) measure(set dataSet, exact []op.Tensor, ofInputs bool) ([][]float64, error) {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	n := &noise{exact: refimpl.New(), gauges: refimpl.With(accumulation()), rng: rand.New(rand.NewPCG(h.Sum64(), 0)), on: !ofInputs}
	rms := make([][]float64, len(exact))
	for i, t := range exact {
		rms[i] = make([]float64, t.Len())
	}
	for range Evaluations {
		in := inputs(set)
		if ofInputs {
			for i, t := range in {
				in[i] = n.jitter(t)
			}
		}
		got, err := c.evaluate(newSession(n), in)
		if err != nil {
			return nil, fmt.Errorf("a perturbed reference: %w", err)
		}
		for i, t := range exact {
			for j := range t.F64 {
				if d := (got[i].F64[j] - t.F64[j]) / unit; !math.IsNaN(d) && !math.IsInf(d, 0) {
					rms[i][j] += d * d / Evaluations
				}
			}
		}
	}
	for i := range rms {
		for j, sum := range rms[i] {
			rms[i][j] = math.Sqrt(sum)
		}
	}
	return rms, nil
}

// accumulation returns functions that give the gauge of each op's results in the place of the results. An optimizer is opened for one step.
func accumulation() refimpl.Functions {
	f := oracle.Random.Functions(oracle.Acc)
	f.Adam = func(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) reference.AdamState {
		param, m, v := oracle.Adam(s, grad, lr, t, c)
		return reference.AdamState{Param: param.Acc, M: m.Acc, V: v.Acc}
	}
	f.SGD = func(s reference.SGDState, grad []float64, lr float64, c reference.SGDConfig) reference.SGDState {
		param, velocity := oracle.SGD(s, grad, lr, c)
		return reference.SGDState{Param: param.Acc, Velocity: velocity.Acc}
	}
	return f
}

// noise is the reference, with each result y of an op perturbed by unit xi (Acc + |y|): Acc is the op's own gauge (SPEC.md A) and xi
// standard normal.
type noise struct {
	exact, gauges op.Implementation
	rng           *rand.Rand
	on            bool
}

func (n *noise) Formats() op.Formats { return op.FormatsOf(n.exact) }

func (n *noise) Open(spec op.Spec) (op.Kernel, error) {
	k, err := n.exact.Open(spec)
	if err != nil || !n.on {
		return k, err
	}
	return &noisyKernel{n, spec, k}, nil
}

type noisyKernel struct {
	*noise
	spec  op.Spec
	exact op.Kernel
}

func (k *noisyKernel) Run(dst, src []op.Tensor) error {
	if err := k.exact.Run(dst, src); err != nil {
		return err
	}
	switch k.spec.Op {
	case "embedding", "greedy": // exact
		return nil
	}
	g, err := op.Shapes(k.spec, src, op.F64)
	if err != nil {
		return err
	}
	gauges, err := k.gauges.Open(k.spec)
	if err != nil {
		return err
	}
	if err := gauges.Run(g, src); err != nil {
		return err
	}
	for i, t := range dst {
		for j, y := range t.F64 {
			if d := k.rng.NormFloat64() * unit * (g[i].F64[j] + math.Abs(y)); !math.IsNaN(d) && !math.IsInf(d, 0) {
				t.F64[j] += d
			}
		}
	}
	return nil
}

// jitter returns a float input with each element perturbed by its own magnitude.
func (n *noise) jitter(t op.Tensor) op.Tensor {
	if t.DType != op.F64 {
		return t
	}
	out := op.New(op.F64, t.Shape...)
	for i, x := range t.F64 {
		if out.F64[i] = x + n.rng.NormFloat64()*unit*math.Abs(x); math.IsInf(x, 0) {
			out.F64[i] = x
		}
	}
	return out
}
