package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("rotary", func(f functions) op.Implementation {
	return op.Rotary(func(a op.RotaryArgs) error { return turned(a.RotaryInputs, a.X, a.Y, f.Rotary) })
})

var _ = offer("rotary.grad", func(f functions) op.Implementation {
	return op.RotaryGrad(func(a op.RotaryGradArgs) error { return turned(a.RotaryInputs, a.DY, a.DX, f.RotaryGrad) })
})

// turned applies a rotation to each head of each item of a batch.
func turned(a op.RotaryInputs, from, to op.Tensor, rotate func(x reference.Matrix, pos []int, c reference.RotaryConfig) (reference.Matrix, error)) error {
	heads, seq, d := from.Shape[1], from.Shape[2], from.Shape[3]
	c := reference.RotaryConfig{Pairing: reference.Pairing(a.Pairing), Dims: a.Rotated(), Base: a.Base}
	for i := range from.Shape[0] * heads {
		pos := make([]int, seq)
		for t := range pos {
			pos[t] = int(a.Position(i/heads, t))
		}
		at := i * seq * d
		y, err := rotate(reference.Matrix{Rows: seq, Cols: d, Data: from.F64[at : at+seq*d]}, pos, c)
		if err != nil {
			return err
		}
		store(to.F64[at:at+seq*d], y)
	}
	return nil
}
