package optimized

import "github.com/assaykit/assay/conformance/op"

var _ = register("matmul", withEngine(newMatMul))

// matMul is the op matmul: C = A B over the last two axes.
type matMul struct {
	*gemm
	b packed
}

func newMatMul(e *engine, _ op.MatMulArgs) *matMul { return &matMul{gemm: e.gemm} }

func (k *matMul) Run(a op.MatMulArgs) error {
	mats, rows, cols := matrices(a.C)
	inner := a.A.Shape[len(a.A.Shape)-1]
	if a.TransposeA {
		inner = a.A.Shape[len(a.A.Shape)-2]
	}
	k.b.resize(inner, cols, k.kern.NR)
	for i := range mats {
		k.b.set(k.team, 0, 0, stored(a.B.F32[i*inner*cols:], inner, cols, a.TransposeB))
		k.run(a.C.F32[i*rows*cols:], stored(a.A.F32[i*rows*inner:], rows, inner, a.TransposeA), &k.b, nil)
	}
	return nil
}

var _ = register("matmul.grad", withGradients(newMatMulGrad))

// matMulGrad is the op matmul.grad: da = dc b^T, db = a^T dc, each transposed where its operand is stored so.
type matMulGrad struct{ *engine }

func newMatMulGrad(e *engine, _ op.MatMulGradArgs) matMulGrad { return matMulGrad{e} }

func (k matMulGrad) Run(a op.MatMulGradArgs) error {
	mats, rows, cols := matrices(a.DC)
	inner := a.A.Len() / (mats * rows)
	for i := range mats {
		va, vb := stored(a.A.F32[i*rows*inner:], rows, inner, a.TransposeA), stored(a.B.F32[i*inner*cols:], inner, cols, a.TransposeB)
		dc := dense(a.DC.F32[i*rows*cols:], rows, cols)
		k.product(a.DA.F32[i*rows*inner:], dc, vb.transposed(), a.TransposeA)
		k.product(a.DB.F32[i*inner*cols:], va.transposed(), dc, a.TransposeB)
	}
	return nil
}

// product computes c = a b, or its transpose b^T a^T.
func (k matMulGrad) product(c []float32, a, b view, transpose bool) {
	if transpose {
		a, b = b.transposed(), a.transposed()
	}
	right := &k.grad.right
	right.resize(b.rows, b.cols, k.kern.NR)
	right.set(k.team, 0, 0, b)
	k.gemm.run(c, a, right, nil)
}

// stored returns the matrix [rows, cols] that lies in data as it is, or as its transpose.
func stored(data []float32, rows, cols int, transpose bool) view {
	if transpose {
		return dense(data, cols, rows).transposed()
	}
	return dense(data, rows, cols)
}

// matrices returns how many matrices the last two axes of t make, and their shape.
func matrices(t op.Tensor) (n, rows, cols int) {
	rows, cols = t.Shape[len(t.Shape)-2], t.Shape[len(t.Shape)-1]
	return t.Len() / (rows * cols), rows, cols
}
