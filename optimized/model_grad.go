package optimized

import "github.com/assaykit/assay/conformance/op"

// lossGrad computes the loss of a model and its gradient with respect to every parameter.
type lossGrad struct {
	*model
	loss      crossEntropy
	caches    []*kvCache
	positions []int64
	table     tableGrad
	chunk     []float32 // logits of some rows, then their gradients
}

// newLossGrad returns the gradient of a model that was made with newGradEngine.
func newLossGrad(m *model, ignore int) *lossGrad {
	return &lossGrad{model: m, loss: crossEntropy{team: m.team, ignore: int64(ignore)}, caches: oneCache(m), table: tableGrad{team: m.team}}
}

// check returns why a batch cannot be evaluated.
func (k *lossGrad) check(name string, ids, targets op.Tensor) error {
	if err := k.model.check(name, ids, 0); err != nil {
		return err
	}
	return k.loss.check(name, targets, k.vocab)
}

// add evaluates a batch, and adds to g its gradient: that of the sum over rows of weight times loss. It leaves the losses in k.loss.
func (k *lossGrad) add(g op.GPTWeights, ids, targets op.Tensor, weights []float64) {
	k.caches[0].capacity = ids.Shape[1]
	h := k.hidden(ids, k.caches, 0, nil)
	dh := grow(&k.grad.out, len(h))
	k.addOutput(g, dh, h, targets.I64, weights)

	layers, spare := len(k.blocks), grow(&k.grad.in, len(h))
	if k.final != nil {
		k.grad.norm.run(k.final, spare, g.LNfGamma.F32, g.LNfBeta.F32, k.stream(layers, len(h)), dh)
		dh, spare = spare, dh
	}
	s := step{batch: ids.Shape[0], seqLen: ids.Shape[1]}
	for l := layers - 1; l >= 0; l-- {
		k.blocks[l].backward(spare, layer(g, l), dh, s, k.tapes[l])
		dh, spare = spare, dh
	}
	k.table.add(g.Wte.F32, dh, ids.I64, k.scale)
	if k.wpe.Present() {
		k.positions = k.positions[:0]
		for i := range ids.I64 {
			k.positions = append(k.positions, int64(i%s.seqLen))
		}
		k.table.add(g.Wpe.F32, dh, k.positions, 1)
	}
}

// addOutput computes the losses and dh, and adds to the gradient of the output weights, for as many rows at a time as their logits allow.
func (k *lossGrad) addOutput(g op.GPTWeights, dh, h []float32, targets []int64, weights []float64) {
	d := k.width
	k.loss.begin(len(targets))
	step := max(kcMax, maxLogits/k.vocab)
	for lo := 0; lo < len(targets); lo += step {
		hi := min(lo+step, len(targets))
		y := grow(&k.chunk, (hi-lo)*k.vocab)
		k.logits(y, h[lo*d:hi*d])
		k.loss.addGrad(y, y, targets[lo:hi], weights[lo:hi])
		dy, x := dense(y, hi-lo, k.vocab), dense(h[lo*d:], hi-lo, d)
		k.gemm.run(dh[lo*d:hi*d], dy, &k.out.wt, nil)
		if g.Wout.Present() {
			k.addWeights(g.Wout.F32, nil, x, dy)
		} else {
			k.addWeights(g.Wte.F32, nil, dy, x)
		}
	}
}

// tableGrad is the task of adding scale times dy [N, d] to the rows of a table that ids name, a share of the columns at a time: where an
// id is repeated, in its order.
type tableGrad struct {
	team      *team
	table, dy []float32
	ids       []int64
	scale     float64
	d         int
}

func (g *tableGrad) add(table, dy []float32, ids []int64, scale float64) {
	g.table, g.dy, g.ids, g.scale, g.d = table, dy, ids, scale, len(dy)/len(ids)
	g.team.run(shares(g.d), columnShare*len(ids)*2, g)
	g.table, g.dy, g.ids = nil, nil, nil
}

func (g *tableGrad) do(_, lo, hi int) {
	for share := lo; share < hi; share++ {
		first := share * columnShare
		width := min(columnShare, g.d-first)
		for t, id := range g.ids {
			to := g.table[int(id)*g.d+first:][:width]
			for j, v := range g.dy[t*g.d+first:][:width] {
				to[j] = float32(float64(to[j]) + g.scale*float64(v))
			}
		}
	}
}
