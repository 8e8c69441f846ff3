package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

func (f Functions) crossEntropy(a op.CrossEntropyArgs) error {
	loss, err := f.Loss(matrix(a.Logits), ints(a.Targets), a.IgnoreIndex, reference.Reduction(a.Reduction))
	copy(a.Loss.F64, loss)
	return err
}

func (f Functions) crossEntropyGrad(a op.CrossEntropyGradArgs) error {
	targets := ints(a.Targets)
	dlosses := f.ReduceGrad(a.DLoss.F64, targets, a.IgnoreIndex, reference.Reduction(a.Reduction))
	dlogits, err := f.CrossEntropyRowsGrad(matrix(a.Logits), targets, a.IgnoreIndex, dlosses)
	store(a.DLogits.F64, dlogits)
	return err
}
