package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("softmax", func(f functions) op.Implementation {
	return op.Softmax(func(a op.SoftmaxArgs) error { return eachRow(a.Y, a.X, f.Softmax) })
})

var _ = offer("softmax.grad", func(f functions) op.Implementation {
	return op.SoftmaxGrad(func(a op.SoftmaxGradArgs) error { return eachPair(a.DX, a.X, a.DY, f.SoftmaxGrad) })
})

var _ = offer("log_softmax", func(f functions) op.Implementation {
	return op.LogSoftmax(func(a op.LogSoftmaxArgs) error { return eachRow(a.Y, a.X, f.LogSoftmax) })
})

var _ = offer("log_softmax.grad", func(f functions) op.Implementation {
	return op.LogSoftmaxGrad(func(a op.LogSoftmaxGradArgs) error { return eachPair(a.DX, a.X, a.DY, f.LogSoftmaxGrad) })
})

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
