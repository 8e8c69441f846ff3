package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

func (f Functions) sinusoidalPositions(a op.SinusoidalPositionsArgs) error {
	y, err := f.Sinusoid(ints(a.Pos), a.DModel)
	store(a.Y.F64, y)
	return err
}

func (f Functions) learnedPositions(a op.LearnedPositionsArgs) error {
	y, err := f.LearnedPositions(ints(a.Pos), matrix(a.Table))
	store(a.Y.F64, y)
	return err
}
