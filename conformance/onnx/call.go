package onnx

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// call is one evaluation of a node.
type call struct {
	*session
	node
	version int64 // of the operator set
	in      []op.Tensor
}

// operators are the translations, by ONNX's names. Each returns the node's outputs; the zero Tensor for one that it does not make.
var operators = map[string]func(*call) []op.Tensor{
	"Adagrad": adagrad, "Adam": adam, "ArgMax": argMax, "Attention": attention, "Erf": erf, "Gather": gather, "Gelu": gelu, "Gemm": gemm,
	"LayerNormalization": layerNormalization, "LogSoftmax": logSoftmax, "MatMul": matMul, "Momentum": momentum,
	"NegativeLogLikelihoodLoss": negativeLogLikelihood, "RMSNormalization": rmsNormalization, "ReduceLogSumExp": reduceLogSumExp, "Relu": relu,
	"RotaryEmbedding": rotaryEmbedding, "Softmax": softmax, "SoftmaxCrossEntropyLoss": softmaxCrossEntropy, "Swish": swish, "Tanh": tanh,
	"TensorScatter": tensorScatter, "TopK": topK,
}

// optional returns an input, the zero Tensor where it is absent.
func (c *call) optional(i int) op.Tensor {
	if i < len(c.in) {
		return c.in[i]
	}
	return op.Tensor{}
}

// floats and ints return an input that must be there.

func (c *call) floats(i int) op.Tensor {
	t := c.optional(i)
	support(t.Present() && t.DType == op.F64, "input %d is not there, or not of a float type", i)
	return t
}

func (c *call) ints(i int) op.Tensor {
	t := c.optional(i)
	support(t.Present() && t.DType == op.I64, "input %d is not there, or not of an integer type", i)
	return t
}

// scalar returns the only element of an input.
func (c *call) scalar(i int) float64 {
	t := c.optional(i)
	require(t.Len() == 1, "input %d has %d elements, want one", i, t.Len())
	return t.At(0)
}

func (c *call) wants(output int) bool { return output < len(c.outputs) && c.outputs[output] != "" }

// integer, real and text return an attribute, or its default.

func (c *call) integer(name string, otherwise int64) int64 {
	if a, ok := c.attrs[name]; ok {
		return a.i
	}
	return otherwise
}

func (c *call) real(name string, otherwise float64) float64 {
	a, ok := c.attrs[name]
	if !ok {
		return otherwise
	}
	require(!math.IsNaN(a.f) && !math.IsInf(a.f, 0), "attribute %s is %v", name, a.f)
	return a.f
}

func (c *call) text(name, otherwise string) string {
	if a, ok := c.attrs[name]; ok {
		return a.s
	}
	return otherwise
}

// axis returns an axis attribute, counted from the first.
func (c *call) axis(otherwise int64, rank int) int { return axisOf(c.integer("axis", otherwise), rank) }

// The arithmetic of translations, made of the op matmul: so it is the implementation's, and what rounding does in it is known.

// one runs an op with one result.
func (c *call) one(name string, a attrs, consts []op.Tensor, src ...op.Tensor) op.Tensor {
	return c.call(name, a, consts, src)[0]
}

// matmul is the op matmul of matrices, or of as many on both sides.
func (c *call) matmul(a attrs, x, y op.Tensor) op.Tensor {
	require(len(x.Shape) >= 2 && len(y.Shape) >= 2, "a product of %v and %v", x.Shape, y.Shape)
	rows, cols := x.Shape[len(x.Shape)-2], y.Shape[len(y.Shape)-1]
	if a["transpose_a"] == true {
		rows = x.Shape[len(x.Shape)-1]
	}
	if a["transpose_b"] == true {
		cols = y.Shape[len(y.Shape)-2]
	}
	bounded(append(slices.Clone(x.Shape[:len(x.Shape)-2]), rows, cols)...)
	return c.one("matmul", a, nil, x, y)
}

// combined returns sum_k coefficients_k terms_k, element by element. All terms have one shape.
func (c *call) combined(coefficients []float64, terms ...op.Tensor) op.Tensor {
	columns := make([]op.Tensor, len(terms))
	for k, t := range terms {
		columns[k] = reshaped(t, t.Len(), 1)
	}
	return reshaped(c.matmul(nil, concat(1, columns...), floats(coefficients, len(terms), 1)), terms[0].Shape...)
}

// product returns x y, element by element.
func (c *call) product(x, y op.Tensor) op.Tensor {
	n := x.Len()
	return reshaped(c.matmul(nil, reshaped(x, n, 1, 1), reshaped(y, n, 1, 1)), x.Shape...)
}

// rowSums returns the sums of the rows of x [rows, n] as [rows].
func (c *call) rowSums(x op.Tensor) op.Tensor {
	return reshaped(c.matmul(nil, x, filled(op.F64, 1, x.Shape[1], 1)), x.Shape[0])
}

// lookup returns rows of a table [V, d] as [n, d].
func (c *call) lookup(table op.Tensor, ids []int64) op.Tensor {
	bounded(len(ids), table.Shape[1])
	for _, id := range ids {
		require(0 <= id && id < int64(table.Shape[0]), "index %d of %d", id, table.Shape[0])
	}
	return c.one("embedding", nil, []op.Tensor{table}, op.Int64(ids, len(ids)))
}

// alongAxis applies an op that works on rows to the vectors along an axis.
func (c *call) alongAxis(name string, x op.Tensor, axis int) op.Tensor {
	return moved(c.one(name, nil, nil, moved(x, axis, len(x.Shape)-1)), len(x.Shape)-1, axis)
}

// rows cuts a tensor in two before an axis: [product of the axes before, product of the others].
func rows(t op.Tensor, axis int) op.Tensor {
	return reshaped(t, size(t.Shape[:axis]), size(t.Shape[axis:]))
}
