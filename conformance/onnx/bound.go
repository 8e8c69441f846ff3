package onnx

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// bounds returns, for each output, how far its elements may be off: see the package's documentation.
func (c *Case) bounds(set dataSet, f op.Formats) ([]func(i int) float64, error) {
	stored := coarsest(set)
	from := op.Origin{Inputs: stored, Roundoff: stored.UnitRoundoff()}
	kinds := []oracle.Kind{oracle.Acc}
	if f.Storage.UnitRoundoff() > stored.UnitRoundoff() {
		kinds = append(kinds, oracle.In)
	}
	exact, gauges, err := oracle.Random.Propagate(func(p reference.Primitives, each func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		in := inputs(set)
		for i, t := range in {
			in[i] = each(t)
		}
		return c.evaluate(newSession(refimpl.With(p)), in)
	}, oracle.Probes, kinds...)
	if err != nil {
		return nil, fmt.Errorf("the reference: %w", err)
	}
	bounds := make([]func(int) float64, len(exact))
	for n := range exact {
		bounds[n] = func(i int) float64 {
			g := op.Gauge{Acc: gauges[n].Acc[i], Eta: 2}
			if gauges[n].In != nil {
				g.In = gauges[n].In[i]
			}
			return f.Bound(exact[n].At(i), g, from)
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
