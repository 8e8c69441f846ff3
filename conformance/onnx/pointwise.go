package onnx

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

func matMul(c *call) []op.Tensor {
	a, b := c.floats(0), c.floats(1)
	require(len(a.Shape) > 0 && len(b.Shape) > 0, "a product of scalars")
	vectorA, vectorB := len(a.Shape) == 1, len(b.Shape) == 1
	if vectorA {
		a = reshaped(a, 1, a.Len())
	}
	if vectorB {
		b = reshaped(b, b.Len(), 1)
	}
	na, nb := len(a.Shape)-2, len(b.Shape)-2
	batch := common(a.Shape[:na], b.Shape[:nb])
	a = broadcast(a, append(bounded(batch...)[:len(batch):len(batch)], a.Shape[na:]...)...)
	b = broadcast(b, append(batch[:len(batch):len(batch)], b.Shape[nb:]...)...)
	y := c.matmul(nil, a, b)
	shape := batch[:len(batch):len(batch)]
	if !vectorA {
		shape = append(shape, y.Shape[len(batch)])
	}
	if !vectorB {
		shape = append(shape, y.Shape[len(batch)+1])
	}
	return []op.Tensor{reshaped(y, shape...)}
}

// gemm is alpha A B + beta C: linear where that is A B and a bias, and matmul and a combination where it is not.
func gemm(c *call) []op.Tensor {
	a, b, bias := c.floats(0), c.floats(1), c.optional(2)
	require(len(a.Shape) == 2 && len(b.Shape) == 2, "Gemm of %v and %v", a.Shape, b.Shape)
	alpha, beta := c.real("alpha", 1), c.real("beta", 1)
	transA, transB := c.integer("transA", 0) != 0, c.integer("transB", 0) != 0
	if bias.Present() && alpha == 1 && beta == 1 && !transA && (len(bias.Shape) < 2 || bias.Shape[0] == 1) {
		w := b
		if transB {
			w = transposed(b, 1, 0)
		}
		row := reshaped(broadcast(bias, 1, w.Shape[1]), w.Shape[1])
		bounded(a.Shape[0], w.Shape[1])
		return []op.Tensor{c.one("linear", nil, []op.Tensor{w, row}, a)}
	}
	y := c.matmul(attrs{"transpose_a": transA, "transpose_b": transB}, a, b)
	switch {
	case bias.Present():
		y = c.combined([]float64{alpha, beta}, y, broadcast(bias, y.Shape...))
	case alpha != 1:
		y = c.combined([]float64{alpha}, y)
	}
	return []op.Tensor{y}
}

func relu(c *call) []op.Tensor { return []op.Tensor{c.one("relu", nil, nil, c.floats(0))} }

func gelu(c *call) []op.Tensor {
	return []op.Tensor{c.one("gelu", attrs{"approximate": c.text("approximate", "none")}, nil, c.floats(0))}
}

// erf inverts gelu(z) + gelu(-z) = z erf(z / sqrt 2), with z = sqrt 2 x.
func erf(c *call) []op.Tensor {
	x := c.floats(0)
	z := c.combined([]float64{math.Sqrt2}, x)
	y := c.combined([]float64{1, 1}, c.one("gelu", nil, nil, z), c.one("gelu", nil, nil, negated(z)))
	for i, v := range z.F64 {
		switch {
		case v == 0:
			y.F64[i] = 0
		case math.IsInf(v, 0):
			y.F64[i] = math.Copysign(1, v)
		default:
			y.F64[i] /= v
		}
	}
	return []op.Tensor{y}
}

// negated returns -x, which is exact.
func negated(x op.Tensor) op.Tensor {
	y := op.New(op.F64, x.Shape...)
	for i, v := range x.F64 {
		y.F64[i] = -v
	}
	return y
}

// tanh is a score of attention after a soft cap of 1: one query x, one key 1.
func tanh(c *call) []op.Tensor {
	x := c.floats(0)
	s := c.one("attention.scores", attrs{"stage": "capped", "scale": 1, "softcap": 1}, nil,
		reshaped(x, 1, 1, x.Len(), 1), filled(op.F64, 1, 1, 1, 1, 1), op.Tensor{})
	return []op.Tensor{reshaped(s, x.Shape...)}
}

// swish is x sigmoid(alpha x): attention of the query 1 over the keys x and 0, with the same values and scale alpha.
func swish(c *call) []op.Tensor {
	x := c.floats(0)
	alpha, n := c.real("alpha", 1), x.Len()
	support(alpha != 0, "Swish with alpha 0")
	keys := op.New(op.F64, bounded(n, 1, 2, 1)...)
	for i, v := range x.F64 {
		keys.F64[2*i] = v
	}
	y := c.one("attention", attrs{"scale": alpha}, nil, filled(op.F64, 1, n, 1, 1, 1), keys, keys, op.Tensor{})
	return []op.Tensor{reshaped(y, x.Shape...)}
}
