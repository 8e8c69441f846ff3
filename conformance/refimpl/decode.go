package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var (
	_ = offer("greedy", func(functions) op.Implementation { return op.Greedy(greedy) })
	_ = offer("distribution", func(f functions) op.Implementation { return op.Distribution(f.distribution) })
	_ = offer("sample", func(functions) op.Implementation { return op.Sample(sample) })
)

func greedy(a op.GreedyArgs) error {
	for i, row := range vectors(a.Logits) {
		token, err := reference.Greedy(row)
		if err != nil {
			return err
		}
		a.Token.I64[i] = int64(token)
	}
	return nil
}

func (f functions) distribution(a op.DistributionArgs) error {
	out := matrix(a.Probs)
	for i, row := range vectors(a.Logits) {
		p, err := f.Distribution(row, reference.Sampling(a.SamplingAttrs))
		if err != nil {
			return err
		}
		copy(out.Row(i), p)
	}
	return nil
}

func sample(a op.SampleArgs) error {
	draws := ints(a.Draws)
	for i, row := range vectors(a.Logits) {
		token, err := reference.Sample(row, reference.Sampling(a.SamplingAttrs), draws[i])
		if err != nil {
			return err
		}
		a.Token.I64[i] = int64(token)
	}
	return nil
}
