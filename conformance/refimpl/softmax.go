package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

func eachRow(y, x op.Tensor, f func([]float64) []float64) error {
	out := matrix(y)
	for i, row := range vectors(x) {
		copy(out.Row(i), f(row))
	}
	return nil
}

func eachPair(dx, x, dy op.Tensor, f func(x, dy []float64) []float64) error {
	out, xs := matrix(dx), vectors(x)
	for i, row := range vectors(dy) {
		copy(out.Row(i), f(xs[i], row))
	}
	return nil
}
