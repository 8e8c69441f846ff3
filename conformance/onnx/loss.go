package onnx

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// lossRows are the inputs of a loss, classes last: x is [rows, classes].
type lossRows struct {
	x       op.Tensor
	targets op.Tensor // as the node has them
	ignored []bool
	weights []float64 // by class; nil where there are none
}

func (c *call) lossRows() lossRows {
	x, targets, w := c.floats(0), c.ints(1), c.optional(2)
	rank := len(x.Shape)
	require(rank >= 2, "scores of shape %v", x.Shape)
	l := lossRows{x: rows(moved(x, 1, rank-1), rank-1), targets: targets, ignored: make([]bool, targets.Len())}
	classes := x.Shape[1]
	require(l.x.Shape[0] == targets.Len(), "scores of shape %v for targets of shape %v", x.Shape, targets.Shape)
	if w.Present() {
		require(w.DType == op.F64 && w.Len() == classes, "%d weights for %d classes", w.Len(), classes)
		l.weights = w.F64
	}
	ignore, some := c.attrs["ignore_index"]
	for r, t := range targets.I64 {
		l.ignored[r] = some && t == ignore.i
		require(l.ignored[r] || 0 <= t && t < int64(classes), "target %d of %d classes", t, classes)
	}
	return l
}

// ids returns the targets, 0 where they are ignored.
func (l lossRows) ids() []int64 {
	ids := slices.Clone(l.targets.I64)
	for r, ignored := range l.ignored {
		if ignored {
			ids[r] = 0
		}
	}
	return ids
}

// reduce weighs the losses of rows that are not ignored, and reduces them as the node asks for.
func (c *call) reduce(l lossRows, losses op.Tensor) op.Tensor {
	n := len(l.ignored)
	counted := filled(op.F64, 1, n)
	if l.weights != nil {
		counted = reshaped(c.lookup(floats(l.weights, len(l.weights), 1), l.ids()), n)
	}
	losses = reshaped(picked(losses, losses.Shape, func(i int) int { return i }), n)
	for r, ignored := range l.ignored {
		if ignored {
			losses.F64[r], counted.F64[r] = 0, 0
		}
	}
	if l.weights != nil {
		losses = c.product(losses, counted)
	}
	total := func(t op.Tensor) float64 { return c.rowSums(reshaped(t, 1, n)).F64[0] }
	switch r := c.text("reduction", "mean"); r {
	case "none":
		return reshaped(losses, l.targets.Shape...)
	case "sum":
		return floats([]float64{total(losses)})
	case "mean":
		return floats([]float64{total(losses) / total(counted)})
	default:
		support(false, "reduction %q", r)
		return op.Tensor{}
	}
}

// negativeLogLikelihood looks up the target's element of each row.
func negativeLogLikelihood(c *call) []op.Tensor {
	l := c.lossRows()
	at := l.ids()
	for r := range at {
		at[r] += int64(r * l.x.Shape[1])
	}
	return []op.Tensor{c.reduce(l, negated(c.lookup(reshaped(l.x, l.x.Len(), 1), at)))}
}

// softmaxCrossEntropy is cross_entropy, with class weights on the rows' losses where there are any.
func softmaxCrossEntropy(c *call) []op.Tensor {
	l := c.lossRows()
	a := attrs{"reduction": c.text("reduction", "mean"), "ignore_index": math.MinInt32}
	if ignore, ok := c.attrs["ignore_index"]; ok {
		a["ignore_index"] = ignore.i
	}
	targets := reshaped(l.targets, l.targets.Len())
	out := make([]op.Tensor, 2)
	if l.weights == nil {
		loss := c.one("cross_entropy", a, nil, l.x, targets)
		if a["reduction"] == "none" {
			loss = reshaped(loss, l.targets.Shape...)
		}
		out[0] = loss
	} else {
		a["reduction"] = "none"
		out[0] = c.reduce(l, c.one("cross_entropy", a, nil, l.x, targets))
	}
	if c.wants(1) {
		out[1] = c.alongAxis("log_softmax", c.floats(0), 1)
	}
	return out
}
