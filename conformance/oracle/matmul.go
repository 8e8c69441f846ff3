package oracle

import (
	"encoding/json"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// A product is gauged as Linear without a bias: see Linear.
var _ = replace(func(f *reference.Primitives, h hook) {
	f.MatMul = func(a, b reference.Matrix) reference.Matrix {
		c := product(a, b)
		return like(c, h.one(c.Data, func(m Model) Gauges { return m.Linear(a, b, nil) }))
	}
	f.MatMulGrad = func(a, b, dc reference.Matrix) (da, db reference.Matrix) {
		da, db = productT(dc, b), productTN(a, dc)
		y := h(call{out: [][]float64{da.Data, db.Data}, own: func(m Model) []Gauges {
			ga, gb, _ := m.LinearGrad(a, b, dc)
			return []Gauges{ga, gb}
		}})
		return like(da, y[0]), like(db, y[1])
	}
})

var (
	_ = cut("matmul", cutMatMul)
	_ = cut("matmul.grad", cutMatMulGrad)
)

// factors are the operands of a product of two matrices, as an op with transposes has them.
type factors struct {
	a, b                   op.Tensor
	transposeA, transposeB bool
	m, k, n                int
}

func factorsOf(u Use) (factors, bool) {
	var attrs op.MatMulAttrs
	f := factors{a: u.Steps[0].Src[0], b: u.Steps[0].Src[1]}
	if len(u.Spec.Attrs) > 0 && json.Unmarshal(u.Spec.Attrs, &attrs) != nil || len(f.a.Shape) != 2 {
		return f, false
	}
	f.transposeA, f.transposeB = attrs.TransposeA, attrs.TransposeB
	f.m, f.k, f.n = f.a.Shape[0], f.a.Shape[1], f.b.Shape[1]
	if f.transposeA {
		f.m, f.k = f.k, f.m
	}
	if f.transposeB {
		f.n = f.b.Shape[0]
	}
	return f, true
}

// left and right return rows and columns of the operands, stored as the op wants them; nil are all.

func (f factors) left(rows, cols []int) op.Tensor {
	if f.transposeA {
		rows, cols = cols, rows
	}
	return gather(f.a, rows, cols)
}

func (f factors) right(rows, cols []int) op.Tensor {
	if f.transposeB {
		rows, cols = cols, rows
	}
	return gather(f.b, rows, cols)
}

// whole is a use that is not cut.
func whole(u Use, wanted [][]int) []piece { return []piece{{u, wanted}} }

// cutMatMul keeps rows of A and columns of B of two matrices. More of them are not cut.
func cutMatMul(u Use, wanted [][]int) ([]piece, error) {
	f, ok := factorsOf(u)
	if !ok {
		return whole(u, wanted), nil
	}
	g := gridOf(wanted[0], f.n)
	return []piece{{Once(u.Spec, []op.Tensor{f.left(g.rows, nil), f.right(nil, g.cols)}), [][]int{g.at(wanted[0], f.n)}}}, nil
}

// cutMatMulGrad cuts dA = dC B^T to rows of dC and of B, and dB = A^T dC to columns of A and of dC.
func cutMatMulGrad(u Use, wanted [][]int) ([]piece, error) {
	f, ok := factorsOf(u)
	if !ok {
		return whole(u, wanted), nil
	}
	dc := u.Steps[0].Src[2]
	pieces := make([]piece, 2)
	for n, transposed := range []bool{f.transposeA, f.transposeB} {
		width := []int{f.k, f.n}[n]
		if transposed {
			width = []int{f.m, f.k}[n]
		}
		stored := gridOf(wanted[n], width)
		g := stored // of the matrix itself
		if transposed {
			g.rows, g.cols = g.cols, g.rows
		}
		var src []op.Tensor
		if n == 0 {
			src = []op.Tensor{f.left(g.rows, g.cols), f.right(g.cols, nil), gather(dc, g.rows, nil)}
		} else {
			src = []op.Tensor{f.left(nil, g.rows), f.right(g.rows, g.cols), gather(dc, nil, g.cols)}
		}
		at := [][]int{none(len(wanted[0])), none(len(wanted[1]))}
		at[n] = stored.at(wanted[n], width)
		pieces[n] = piece{Once(u.Spec, src), at}
	}
	return pieces, nil
}
