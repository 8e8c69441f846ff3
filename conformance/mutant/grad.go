package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// Gradients. Each function is given what its forward function was given, and dy, the gradient with respect to its result.

func (p *plain) gradientOps() []op.Implementation {
	return []op.Implementation{
		op.MatMulGrad(p.matmulGradOp), op.LinearGrad(p.linearGradOp), op.SoftmaxGrad(p.softmaxGradOp), op.LogSoftmaxGrad(p.logSoftmaxGradOp),
		op.ReLUGrad(p.reluGradOp), op.GELUGrad(p.geluGradOp), op.LayerNormGrad(p.layerNormGradOp), op.EmbeddingGrad(p.embeddingGradOp),
		op.AttentionGrad(p.attentionGradOp), op.MHAGrad(p.mhaGradOp), op.FFNGrad(p.ffnGradOp), op.BlockGrad(p.blockGradOp),
		op.CrossEntropyGrad(p.crossEntropyGradOp), op.GPTLossGrad(p.gptLossGradOp),
	}
}

// give stores x in a destination, where it is present.
func (p *plain) give(dst op.Tensor, x []float32) {
	for i := range dst.F32 {
		dst.F32[i] = p.store(x[i])
	}
}

func (p *plain) matmulGradOp(a op.MatMulGradArgs) error {
	as, bs, dcs, das, dbs := planes(a.A), planes(a.B), planes(a.DC), planes(a.DA), planes(a.DB)
	for i, dc := range dcs {
		x, y := left(as[i], a.TransposeA), left(bs[p.batchItem(i)], a.TransposeB) // M x K and K x N
		copy(das[i].data, p.stored(p.product(dc, y), a.TransposeA).data)
		copy(dbs[i].data, p.stored(p.weightGrad(x, dc), a.TransposeB).data)
		p.storeAll(das[i].data)
		p.storeAll(dbs[i].data)
	}
	return nil
}

// product returns x W for the rows of x and the columns of W.
func (p *plain) product(rows, columns matrix) matrix {
	c := newMatrix(rows.rows, columns.rows)
	for i := range c.rows {
		for j := range c.cols {
			c.row(i)[j] = p.dot(rows.row(i), columns.row(j))
		}
	}
	return c
}

// weightSums is x^T dy: a sum over all rows.
func (p *plain) weightSums(x, dy matrix) matrix { return p.product(transposed(x), transposed(dy)) }

// columnSums returns the sum of each column.
func (p *plain) columnSums(m matrix) []float32 {
	sums := make([]float32, m.cols)
	for j := range sums {
		sums[j] = p.sum(m.column(j))
	}
	return sums
}

// columnDots returns the sum of the products of each column.
func (p *plain) columnDots(x, y matrix) []float32 {
	sums := make([]float32, x.cols)
	for j := range sums {
		sums[j] = p.dot(x.column(j), y.column(j))
	}
	return sums
}

func (p *plain) linearGradOp(a op.LinearGradArgs) error {
	dx, dw, db := p.linearGrad(rowsOf(a.X), rowsOf(a.W), rowsOf(a.DY), a.B.F32)
	p.give(a.DX, dx.data)
	p.give(a.DW, dw.data)
	p.give(a.DB, db)
	return nil
}

// linearGrad is dx = dy W^T, dW = x^T dy, and the sum of dy where there is a bias.
func (p *plain) linearGrad(x, w, dy matrix, b []float32) (dx, dw matrix, db []float32) {
	dx, dw = p.product(dy, p.towards(w)), p.weightGrad(x, dy)
	p.storeAll(dx.data)
	p.storeAll(dw.data)
	if b != nil {
		db = p.biasGrad(dy)
		p.storeAll(db)
	}
	return dx, dw, db
}

func (p *plain) softmaxGradOp(a op.SoftmaxGradArgs) error {
	return p.rowGrads(rowsOf(a.X), rowsOf(a.DY), rowsOf(a.DX), p.softmaxGrad)
}

func (p *plain) logSoftmaxGradOp(a op.LogSoftmaxGradArgs) error {
	return p.rowGrads(rowsOf(a.X), rowsOf(a.DY), rowsOf(a.DX), p.logSoftmaxGrad)
}

// rowGrads applies f, which is given the softmax of x, to each row.
func (p *plain) rowGrads(x, dy, dx matrix, f func(dx, p, dy []float32)) error {
	for i := range x.rows {
		probs := append([]float32(nil), x.row(i)...)
		p.softmax(probs)
		f(dx.row(i), probs, dy.row(i))
	}
	p.storeAll(dx.data)
	return nil
}

// softmaxJacobian is dx_i = p_i (dy_i - sum_j p_j dy_j).
func (p *plain) softmaxJacobian(dx, probs, dy []float32) {
	mean := p.dot(probs, dy)
	for i := range dx {
		dx[i] = probs[i] * (dy[i] - mean)
	}
}

// logSoftmaxJacobian is dx_i = dy_i - p_i sum_j dy_j.
func (p *plain) logSoftmaxJacobian(dx, probs, dy []float32) {
	sum := p.sum(dy)
	for i := range dx {
		dx[i] = dy[i] - float32(probs[i]*sum)
	}
}

func (p *plain) reluGradOp(a op.ReLUGradArgs) error {
	for i, x := range a.X.F32 {
		a.DX.F32[i] = p.store(p.reluGrad(x, a.DY.F32[i]))
	}
	return nil
}

func reluGrad(x, dy float32) float32 {
	switch {
	case x != x:
		return nan
	case x > 0:
		return dy
	}
	return 0
}

func (p *plain) geluGradOp(a op.GELUGradArgs) error {
	slope := p.geluErfSlope
	if a.Approximate == "tanh" {
		slope = p.geluTanhSlope
	}
	for i, x := range a.X.F32 {
		a.DX.F32[i] = p.store(a.DY.F32[i] * slope(x))
	}
	return nil
}

// geluErfSlope is Phi(x) + x phi(x), with its limits.
func geluErfSlope(x float32) float32 {
	if x == inf || x == -inf {
		return step(x)
	}
	cdf := 0.5 * (1 + float32(math.Erf(float64(x*float32(1/math.Sqrt2)))))
	return cdf + float32(x*density(x))
}

// density is that of the normal distribution.
func density(x float32) float32 { return float32(1/math.Sqrt(2*math.Pi)) * exp32(-0.5*x*x) }

// step is the limit of the slopes.
func step(x float32) float32 {
	if x > 0 {
		return 1
	}
	return 0
}

// geluTanhSlope is (1 + tanh u)/2 + x/2 (1 - tanh^2 u) u'. Where tanh is 1 or -1 the second term is 0, though u' may overflow.
func geluTanhSlope(x float32) float32 {
	root := float32(math.Sqrt(2 / math.Pi))
	tanh := tanh32(root * (x + float32(0.044715*x*x*x)))
	if tanh == 1 || tanh == -1 {
		return step(tanh)
	}
	return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*root*(1+float32(3*0.044715*x*x))
}

func (p *plain) layerNormGradOp(a op.LayerNormGradArgs) error {
	dx, dgamma, dbeta := p.layerNormGrad(rowsOf(a.X), rowsOf(a.DY), norm{a.Gamma.F32, a.Beta.F32, a.Eps})
	p.give(a.DX, dx.data)
	p.give(a.DGamma, dgamma)
	p.give(a.DBeta, dbeta)
	return nil
}

func (p *plain) layerNormGrad(x, dy matrix, n norm) (dx matrix, dgamma, dbeta []float32) {
	dx, xhat := newMatrix(x.rows, x.cols), newMatrix(x.rows, x.cols)
	for i := range x.rows {
		row, hat := x.row(i), xhat.row(i)
		mean := p.mean(row)
		sigma := p.gradSigma(p.variance(row, mean), float32(n.eps))
		g := make([]float32, len(row))
		for j := range row {
			hat[j] = (row[j] - mean) / sigma
			g[j] = p.scaledGrad(dy.row(i)[j], n.gamma[j])
		}
		p.normGrad(dx.row(i), g, hat, sigma)
	}
	dgamma, dbeta = p.gammaGrad(dy, x, xhat), p.betaGrad(dy, x, xhat)
	p.storeAll(dx.data)
	p.storeAll(dgamma)
	p.storeAll(dbeta)
	return dx, dgamma, dbeta
}

// normJacobian is dx_i = (g_i - mean(g) - xhat_i mean(g xhat)) / sigma.
func (p *plain) normJacobian(dx, g, xhat []float32, sigma float32) {
	n := float32(len(g))
	mean, along := p.sum(g)/n, p.dot(g, xhat)/n
	for i := range dx {
		dx[i] = (g[i] - mean - float32(xhat[i]*along)) / sigma
	}
}

func (p *plain) embeddingGradOp(a op.EmbeddingGradArgs) error {
	dtable, err := p.embeddingGrad(a.IDs.I64, rowsOf(a.DY), rowsOf(a.Table).rows)
	if err != nil {
		return fmt.Errorf("embedding.grad: %w", err)
	}
	copy(a.DTable.F32, dtable.data)
	return nil
}

// embeddingGrad is the sum, for each row of the table, of dy where the id is that row's.
func (p *plain) embeddingGrad(ids []int64, dy matrix, vocab int) (matrix, error) {
	rows := make([]int, len(ids))
	for t, id := range ids {
		var err error
		if rows[t], err = p.tokenRow(id, vocab); err != nil {
			return matrix{}, err
		}
	}
	dtable := newMatrix(vocab, dy.cols)
	p.scatter(dtable, rows, dy)
	p.storeAll(dtable.data)
	return dtable, nil
}

// scatterAdd adds row t of dy to a row of the table, for each t.
func (p *plain) scatterAdd(dtable matrix, rows []int, dy matrix) {
	named := map[int][]int{}
	for t, row := range rows {
		named[row] = append(named[row], t)
	}
	for row, at := range named {
		for c := range dy.cols {
			terms := make([]float32, len(at))
			for i, t := range at {
				terms[i] = dy.row(t)[c]
			}
			dtable.row(row)[c] = p.sum(terms)
		}
	}
}

func (p *plain) crossEntropyGradOp(a op.CrossEntropyGradArgs) error {
	dlogits, err := p.crossEntropyGrad(rowsOf(a.Logits), a.Targets.I64, a.DLoss.F32, a.CrossEntropyAttrs)
	if err != nil {
		return fmt.Errorf("cross_entropy.grad: %w", err)
	}
	p.give(a.DLogits, dlogits.data)
	return nil
}

// crossEntropyGrad is (p_j - 1[j = t]) times the upstream gradient of each row.
func (p *plain) crossEntropyGrad(logits matrix, targets []int64, dloss []float32, a op.CrossEntropyAttrs) (matrix, error) {
	dx := newMatrix(logits.rows, logits.cols)
	counted := 0
	for _, target := range targets {
		if !p.ignored(target, a.IgnoreIndex) {
			counted++
		}
	}
	for i, target := range targets {
		upstream := p.upstream(dloss, i, counted, len(targets), a.Reduction)
		if p.ignored(target, a.IgnoreIndex) {
			p.ignoredGrad(dx.row(i), logits.row(i), upstream)
			continue
		}
		class, err := p.classOf(target, logits.cols)
		if err != nil {
			return matrix{}, err
		}
		probs := append([]float32(nil), logits.row(i)...)
		p.softmax(probs)
		p.lossGrad(dx.row(i), probs, class, upstream)
	}
	p.storeAll(dx.data)
	return dx, nil
}

func lossGrad(dx, probs []float32, class int, dloss float32) {
	for j := range dx {
		dx[j] = probs[j] * dloss
	}
	dx[class] = (probs[class] - 1) * dloss
}

// upstream is the gradient of the reduced loss with respect to the loss of a row.
func upstream(dloss []float32, row, counted, _ int, reduction string) float32 {
	switch reduction {
	case "none":
		return dloss[row]
	case "mean":
		return dloss[0] / float32(max(1, counted))
	}
	return dloss[0]
}
