package optimized

import "github.com/assaykit/assay/conformance/op"

func (c config) gradients() []op.Implementation {
	return []op.Implementation{
		op.Open(gradOpener(c, newMatMulGrad)),
		op.Open(gradOpener(c, newLinearGradOp)),
		op.Open(gradOpener(c, newSoftmaxGrad)),
		op.Open(gradOpener(c, newLogSoftmaxGrad)),
		op.Open(gradOpener(c, newReLUGrad)),
		op.Open(gradOpener(c, newGELUGrad)),
		op.Open(gradOpener(c, newLayerNormGradOp)),
		op.Open(gradOpener(c, newEmbeddingGrad)),
		op.Open(gradOpener(c, newAttentionGradOp)),
		op.Open(gradOpener(c, newMHAGradOp)),
		op.Open(gradOpener(c, newFFNGradOp)),
		op.Open(gradOpener(c, newBlockGradOp)),
		op.Open(gradOpener(c, newGPTLossGrad)),
		op.Open(gradOpener(c, newCrossEntropyGrad)),
	}
}

// gradOpener gives each kernel that is opened an engine of its own, whose layers have gradients.
func gradOpener[A op.Args, R op.Runner[A]](c config, open func(*engine, A) R) func(A) (op.Runner[A], error) {
	return func(a A) (op.Runner[A], error) { return open(newGradEngine(c), a), nil }
}

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

// linearGradOp is the op linear.grad.
type linearGradOp struct {
	*engine
	layer *linear
}

func newLinearGradOp(e *engine, a op.LinearGradArgs) linearGradOp {
	return linearGradOp{e, newLinear(e, weights(a.W), nil)}
}

func (k linearGradOp) Run(a op.LinearGradArgs) error {
	zero(a.DW, a.DB)
	k.layer.backward(k.engine, a.DX.F32, a.DW.F32, a.DB.F32, a.X.F32, a.DY.F32)
	return nil
}

// zero clears what gradients are added to.
func zero(ts ...op.Tensor) {
	for _, t := range ts {
		clear(t.F32)
	}
}

func newSoftmaxGrad(e *engine, _ op.SoftmaxGradArgs) runner[op.SoftmaxGradArgs] {
	return func(a op.SoftmaxGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, lastAxis(a.X), costExp, softmaxGrad)
		return nil
	}
}

func newLogSoftmaxGrad(e *engine, _ op.LogSoftmaxGradArgs) runner[op.LogSoftmaxGradArgs] {
	return func(a op.LogSoftmaxGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, lastAxis(a.X), 2*costExp, logSoftmaxGrad)
		return nil
	}
}

func newReLUGrad(e *engine, _ op.ReLUGradArgs) runner[op.ReLUGradArgs] {
	return func(a op.ReLUGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, 1, costCopy, reluGrad)
		return nil
	}
}

func newGELUGrad(e *engine, a op.GELUGradArgs) runner[op.GELUGradArgs] {
	act := activations[approximate[a.Approximate]]
	return func(a op.GELUGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, 1, act.cost, act.grad)
		return nil
	}
}

func newLayerNormGradOp(e *engine, a op.LayerNormGradArgs) runner[op.LayerNormGradArgs] {
	l := newLayerNorm(a.Gamma.F32, a.Beta.F32, a.Eps)
	return func(a op.LayerNormGradArgs) error {
		zero(a.DGamma, a.DBeta)
		e.grad.norm.run(l, a.DX.F32, a.DGamma.F32, a.DBeta.F32, a.X.F32, a.DY.F32)
		return nil
	}
}

func newEmbeddingGrad(e *engine, a op.EmbeddingGradArgs) runner[op.EmbeddingGradArgs] {
	vocab, table := a.Table.Shape[0], tableGrad{team: e.team}
	return func(a op.EmbeddingGradArgs) error {
		if err := within("embedding.grad", "ids", a.IDs, vocab, op.ErrIndex); err != nil {
			return err
		}
		zero(a.DTable)
		table.add(a.DTable.F32, a.DY.F32, a.IDs.I64, 1)
		return nil
	}
}

// crossEntropyGrad is the op cross_entropy.grad.
type crossEntropyGrad struct {
	crossEntropy
	weights []float64
}

func newCrossEntropyGrad(e *engine, a op.CrossEntropyGradArgs) *crossEntropyGrad {
	return &crossEntropyGrad{crossEntropy: crossEntropy{team: e.team, ignore: int64(a.IgnoreIndex)}}
}

func (k *crossEntropyGrad) Run(a op.CrossEntropyGradArgs) error {
	if err := k.check("cross_entropy.grad", a.Targets, a.Logits.Shape[1]); err != nil {
		return err
	}
	k.weights = k.upstream(k.weights, a.Targets.I64, a.DLoss.F32, a.Reduction)
	k.begin(len(a.Targets.I64))
	k.addGrad(a.DLogits.F32, a.Logits.F32, a.Targets.I64, k.weights)
	return nil
}
