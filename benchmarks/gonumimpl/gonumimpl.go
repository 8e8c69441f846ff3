// Package gonumimpl is the peer that the optimized kernels are measured against: the forward ops of a decoder as a Go author writes them
// today, in float32, with gonum's blas32.Gemm for every product and plain loops for the rest.
//
// Two properties of gonum's sgemm would break the contract of the boundary, and are worked around:
//
//   - It skips zeros of A, which loses 0*Inf and 0*NaN. Where A holds a zero and B is not finite, a plain loop multiplies instead.
//   - Its product with a transposed B is a dot product that aligns its loads, so its order of summation depends on addresses. B is
//     transposed into a copy, and the product is one of axpy, which is the same at every address.
package gonumimpl

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/assaykit/assay/conformance/op"
)

// New returns the implementation. It takes float tensors of F32 only, and offers neither lookups nor caches, in which gonum has no part.
func New() op.Implementation {
	return float32Only{op.Set(
		op.MatMul(matMul),
		op.Linear(func(a op.LinearArgs) error { linear(matrix(a.X), a.W, a.B, matrix(a.Y)); return nil }),
		op.Softmax(func(a op.SoftmaxArgs) error { return eachRow(a.X, a.Y, softmax) }),
		op.LogSoftmax(func(a op.LogSoftmaxArgs) error { return eachRow(a.X, a.Y, logSoftmax) }),
		op.ReLU(func(a op.ReLUArgs) error { return activate("relu", a.X.F32, a.Y.F32) }),
		op.GELU(gelu),
		op.LayerNorm(layerNorm),
		op.Attention(attention),
		op.MHA(mha),
		op.FFN(ffn),
		op.Block(block),
		op.GPT(gpt),
		op.GPTLoss(gptLoss),
		op.CrossEntropy(crossEntropy),
	)}
}

// float32Only refuses float tensors that are not F32.
type float32Only struct{ op.Implementation }

func (i float32Only) Offers(name string) bool { return op.Offers(i.Implementation, name) }

func (i float32Only) Open(spec op.Spec) (op.Kernel, error) {
	if err := refuseF64(spec.Op, spec.Const); err != nil {
		return nil, err
	}
	k, err := i.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return float32Kernel{k, spec.Op}, nil
}

type float32Kernel struct {
	op.Kernel
	name string
}

func (k float32Kernel) Run(dst, src []op.Tensor) error {
	for _, ts := range [][]op.Tensor{dst, src} {
		if err := refuseF64(k.name, ts); err != nil {
			return err
		}
	}
	return k.Kernel.Run(dst, src)
}

func refuseF64(name string, ts []op.Tensor) error {
	if slices.ContainsFunc(ts, func(t op.Tensor) bool { return t.DType == op.F64 }) {
		return op.Unsupported(name, "this implementation computes in float32: convert its tensors to F32")
	}
	return nil
}

// general returns a view of rows x cols elements of data.
func general(rows, cols, stride int, data []float32) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: stride, Data: data}
}

// matrix returns the tensor as a matrix whose rows lie along its last axis.
func matrix(t op.Tensor) blas32.General {
	cols := 1
	if n := len(t.Shape); n > 0 {
		cols = t.Shape[n-1]
	}
	return general(len(t.F32)/cols, cols, cols, t.F32)
}

func newMatrix(rows, cols int) blas32.General {
	return general(rows, cols, cols, make([]float32, rows*cols))
}

func row(m blas32.General, i int) []float32 { return m.Data[i*m.Stride : i*m.Stride+m.Cols] }

func transposed(m blas32.General) blas32.General {
	t := newMatrix(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, x := range row(m, i) {
			t.Data[j*t.Stride+i] = x
		}
	}
	return t
}

func anyElement(m blas32.General, f func(float32) bool) bool {
	for i := range m.Rows {
		if slices.ContainsFunc(row(m, i), f) {
			return true
		}
	}
	return false
}

func isZero(x float32) bool      { return x == 0 }
func isNonFinite(x float32) bool { return x-x != 0 }

// gemm sets c to a b + beta c. beta is 0 or 1.
func gemm(a, b blas32.General, beta float32, c blas32.General) {
	if !anyElement(a, isZero) || !anyElement(b, isNonFinite) {
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, a, b, beta, c)
		return
	}
	for i := range c.Rows {
		out := row(c, i)
		if beta == 0 {
			clear(out)
		}
		for k, x := range row(a, i) {
			for j, y := range row(b, k) {
				out[j] += x * y
			}
		}
	}
}

func matMul(a op.MatMulArgs) error {
	plane := func(t op.Tensor, i int, transpose bool) blas32.General {
		n := len(t.Shape)
		rows, cols := t.Shape[n-2], t.Shape[n-1]
		m := general(rows, cols, cols, t.F32[i*rows*cols:(i+1)*rows*cols])
		if transpose {
			return transposed(m)
		}
		return m
	}
	n := len(a.C.Shape)
	for i := range len(a.C.F32) / (a.C.Shape[n-2] * a.C.Shape[n-1]) {
		gemm(plane(a.A, i, a.TransposeA), plane(a.B, i, a.TransposeB), 0, plane(a.C, i, false))
	}
	return nil
}

// linear sets y to x W + b; b may be absent.
func linear(x blas32.General, w, b op.Tensor, y blas32.General) {
	if !b.Present() {
		gemm(x, matrix(w), 0, y)
		return
	}
	for i := range y.Rows {
		copy(row(y, i), b.F32)
	}
	gemm(x, matrix(w), 1, y)
}

func eachRow(x, y op.Tensor, f func(x, y []float32)) error {
	in, out := matrix(x), matrix(y)
	for i := range in.Rows {
		f(row(in, i), row(out, i))
	}
	return nil
}

// logSumExp returns m = max x and log sum exp(x - m).
func logSumExp(x []float32) (m, logS float64) {
	m = float64(slices.Max(x))
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - m)
	}
	return m, math.Log(sum)
}

func softmax(x, y []float32) {
	m, sum := slices.Max(x), 0.0
	for i, v := range x {
		e := math.Exp(float64(v - m))
		y[i] = float32(e)
		sum += e
	}
	for i := range y {
		y[i] = float32(float64(y[i]) / sum)
	}
}

func logSoftmax(x, y []float32) {
	m, logS := logSumExp(x)
	for i, v := range x {
		y[i] = float32(float64(v) - m - logS)
	}
}

func gelu(a op.GELUArgs) error {
	return activate(map[string]string{"none": "gelu", "tanh": "gelu_tanh"}[a.Approximate], a.X.F32, a.Y.F32)
}

func activate(name string, x, y []float32) error {
	f := map[string]func(float64) float64{
		"relu":      func(x float64) float64 { return max(x, 0) },
		"gelu":      func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
		"gelu_tanh": func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
	}[name]
	for i, v := range x {
		if math.IsInf(float64(v), -1) { // the limit; the formulas give -Inf * 0
			v = 0
		}
		y[i] = float32(f(float64(v)))
	}
	return nil
}

func layerNorm(a op.LayerNormArgs) error {
	return eachRow(a.X, a.Y, func(x, y []float32) {
		mean, variance := 0.0, 0.0
		for _, v := range x {
			mean += float64(v)
		}
		mean /= float64(len(x))
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean)
		}
		variance /= float64(len(x))
		scale := 1 / math.Sqrt(variance+a.Eps)
		for i, v := range x {
			y[i] = float32((float64(v)-mean)*scale*float64(a.Gamma.F32[i]) + float64(a.Beta.F32[i]))
		}
	})
}

func crossEntropy(a op.CrossEntropyArgs) error {
	logits, sum, count := matrix(a.Logits), 0.0, 0
	for i, target := range a.Targets.I64 {
		loss := 0.0
		if target != int64(a.IgnoreIndex) {
			if target < 0 || target >= int64(logits.Cols) {
				return fmt.Errorf("cross_entropy: %w: targets[%d] is %d, there are %d classes", op.ErrIndex, i, target, logits.Cols)
			}
			m, logS := logSumExp(row(logits, i))
			loss = logS - (float64(row(logits, i)[target]) - m)
			count++
		}
		sum += loss
		if a.Reduction == "none" {
			a.Loss.F32[i] = float32(loss)
		}
	}
	switch a.Reduction {
	case "mean":
		a.Loss.F32[0] = float32(sum / float64(max(count, 1)))
	case "sum":
		a.Loss.F32[0] = float32(sum)
	}
	return nil
}
