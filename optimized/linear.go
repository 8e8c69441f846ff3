package optimized

import "github.com/assaykit/assay/conformance/op"

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

// backward computes dx = dy W^T from dy [M, out], unless dx is nil, and adds to dw and db. x is what the layer was applied to.
func (l *linear) backward(e *engine, dx, dw, db, x, dy []float32) {
	rows := len(dy) / l.w.cols
	e.addWeights(dw, db, dense(x, rows, l.w.rows), dense(dy, rows, l.w.cols))
	if dx != nil {
		e.gemm.run(dx, dense(dy, rows, l.w.cols), &l.wt, nil)
	}
}

// addWeights adds x^T dy, the gradient of the weights of a layer y = x W + b, to dw [in, out], and that of the bias to db unless that is
// empty.
func (e *engine) addWeights(dw, db []float32, x, dy view) {
	right := &e.grad.right
	right.resize(dy.rows, dy.cols, e.kern.NR)
	right.set(e.team, 0, 0, dy)
	e.gemm.add(dw, x.transposed(), right)
	if len(db) > 0 {
		e.team.addColumns(db, dy)
	}
}

var _ = register("linear", withEngine(newLinearOp))

func newLinearOp(e *engine, a op.LinearArgs) runner[op.LinearArgs] {
	l := newLinear(e, weights(a.W), a.B.F32)
	return func(a op.LinearArgs) error {
		l.apply(e.gemm, a.Y.F32, a.X.F32)
		return nil
	}
}

var _ = register("linear.grad", withGradients(newLinearGradOp))

func newLinearGradOp(e *engine, a op.LinearGradArgs) runner[op.LinearGradArgs] {
	l := newLinear(e, weights(a.W), nil)
	return func(a op.LinearGradArgs) error {
		zero(a.DW, a.DB)
		l.backward(e, a.DX.F32, a.DW.F32, a.DB.F32, a.X.F32, a.DY.F32)
		return nil
	}
}

// weights returns the view of a tensor with two axes.
func weights(t op.Tensor) view { return dense(t.F32, t.Shape[0], t.Shape[1]) }

// columnSums is the task of adding up the columns of a matrix, a share of them at a time: each in the order of rows.
type columnSums struct {
	y []float32
	x view
}

// addColumns adds the sums of the columns of x, which is row-major, to y.
func (t *team) addColumns(y []float32, x view) {
	t.columns = columnSums{y, x}
	t.run(shares(x.cols), columnShare*x.rows, &t.columns)
	t.columns = columnSums{}
}

// columnShare is how many columns are summed together, in float64.
const columnShare = 64

func shares(columns int) int { return (columns + columnShare - 1) / columnShare }

func (c *columnSums) do(_, lo, hi int) {
	for share := lo; share < hi; share++ {
		first := share * columnShare
		var sums [columnShare]float64
		y := c.y[first:min(first+columnShare, c.x.cols)]
		for r := range c.x.rows {
			for j, v := range c.x.data[r*c.x.row+first:][:len(y)] {
				sums[j] += float64(v)
			}
		}
		for j := range y {
			y[j] += float32(sums[j])
		}
	}
}
