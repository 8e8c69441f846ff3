package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("matmul", func(f functions) op.Implementation { return op.MatMul(f.matMul) })
var _ = offer("matmul.grad", func(f functions) op.Implementation { return op.MatMulGrad(f.matMulGrad) })

func (f functions) matMul(a op.MatMulArgs) error {
	as, bs, cs := matrices(a.A), matrices(a.B), matrices(a.C)
	for i := range cs {
		if a.TransposeA {
			as[i] = as[i].T()
		}
		if a.TransposeB {
			bs[i] = bs[i].T()
		}
		store(cs[i].Data, f.MatMul(as[i], bs[i]))
	}
	return nil
}

func (f functions) matMulGrad(a op.MatMulGradArgs) error {
	as, bs, dcs, das, dbs := matrices(a.A), matrices(a.B), matrices(a.DC), matrices(a.DA), matrices(a.DB)
	for i, dc := range dcs {
		if a.TransposeA {
			as[i] = as[i].T()
		}
		if a.TransposeB {
			bs[i] = bs[i].T()
		}
		da, db := f.MatMulGrad(as[i], bs[i], dc)
		if a.TransposeA {
			da = da.T()
		}
		if a.TransposeB {
			db = db.T()
		}
		store(das[i].Data, da)
		store(dbs[i].Data, db)
	}
	return nil
}
