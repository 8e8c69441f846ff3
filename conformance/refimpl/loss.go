package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("cross_entropy", func(f functions) op.Implementation { return op.CrossEntropy(f.crossEntropy) })
var _ = offer("cross_entropy.grad", func(f functions) op.Implementation { return op.CrossEntropyGrad(f.crossEntropyGrad) })

func (f functions) crossEntropy(a op.CrossEntropyArgs) error {
	targets := ints(a.Targets)
	losses, err := f.CrossEntropyRows(matrix(a.Logits), targets, a.IgnoreIndex)
	if err != nil {
		return err
	}
	copy(a.Loss.F64, f.Reduce(losses, targets, a.IgnoreIndex, reference.Reduction(a.Reduction)))
	return nil
}

func (f functions) crossEntropyGrad(a op.CrossEntropyGradArgs) error {
	targets := ints(a.Targets)
	dlosses := f.ReduceGrad(a.DLoss.F64, targets, a.IgnoreIndex, reference.Reduction(a.Reduction))
	dlogits, err := f.CrossEntropyRowsGrad(matrix(a.Logits), targets, a.IgnoreIndex, dlosses)
	store(a.DLogits.F64, dlogits)
	return err
}
