package optimized

import "github.com/assaykit/assay/conformance/op"

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

// linear is a layer y = x W + b with its weights packed.
type linear struct {
	w    packed
	wt   packed    // W^T; only where there will be gradients
	bias []float32 // none where it is empty
}

// newLinear packs the weights w [in, out]. The bias, which may be absent, is kept as it is.
func newLinear(e *engine, w view, bias []float32) *linear {
	l := &linear{bias: bias}
	l.resize(e, w.rows, w.cols)
	l.set(e, 0, w)
	return l
}

func (l *linear) resize(e *engine, in, out int) {
	l.w.resize(in, out, e.kern.NR)
	if e.grad != nil {
		l.wt.resize(out, in, e.kern.NR)
	}
}

// set packs weights [in, ..], to the columns from at.
func (l *linear) set(e *engine, at int, w view) {
	l.w.set(e.team, 0, at, w)
	if e.grad != nil {
		l.wt.set(e.team, at, 0, w.transposed())
	}
}

// apply computes the rows of y [M, out] from those of x [M, in].
func (l *linear) apply(g *gemm, y, x []float32) {
	g.run(y, dense(x, len(x)/l.w.rows, l.w.rows), &l.w, l.bias)
}

// linearOp is the op linear.
type linearOp struct {
	*linear
	g *gemm
}

func newLinearOp(e *engine, a op.LinearArgs) *linearOp {
	return &linearOp{newLinear(e, weights(a.W), a.B.F32), e.gemm}
}

func (k *linearOp) Run(a op.LinearArgs) error {
	k.apply(k.g, a.Y.F32, a.X.F32)
	return nil
}

// weights returns the view of a tensor with two axes.
func weights(t op.Tensor) view { return dense(t.F32, t.Shape[0], t.Shape[1]) }
