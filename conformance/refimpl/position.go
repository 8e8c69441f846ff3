package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("sinusoidal_positions", func(f functions) op.Implementation { return op.SinusoidalPositions(f.sinusoidalPositions) })
var _ = offer("learned_positions", func(f functions) op.Implementation { return op.LearnedPositions(f.learnedPositions) })

func (f functions) sinusoidalPositions(a op.SinusoidalPositionsArgs) error {
	y, err := f.Sinusoid(ints(a.Pos), a.DModel)
	store(a.Y.F64, y)
	return err
}

func (f functions) learnedPositions(a op.LearnedPositionsArgs) error {
	y, err := f.LearnedPositions(ints(a.Pos), matrix(a.Table))
	store(a.Y.F64, y)
	return err
}
