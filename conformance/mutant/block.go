package mutant

import (
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// blockParts are the decisions in which a block goes wrong.
type blockParts struct {
	amendBlock func(w *blockWeights)
	wire       func(norm string, x matrix, s sublayers) matrix

	amendGrads func(g *blockGrads)
	wireGrad   func(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix
}

var _ = parts(func(p *plain) {
	p.blockParts = blockParts{
		amendBlock: func(*blockWeights) {},
		wire:       p.residual,
		amendGrads: func(*blockGrads) {},
		wireGrad:   p.residualGrad,
	}
})

var _ = offer((*plain).blockOp)

func (p *plain) blockOp(a op.BlockArgs) error {
	copy(a.Y.F32, p.block(rowsOf(a.X), a.X.Shape[0], blockOf(a.BlockAttrs, a.BlockWeights), nil).data)
	return nil
}

// blockWeights are the weights and the attributes of one decoder block.
type blockWeights struct {
	norm     string
	ln1, ln2 norm
	attn     projections
	ffn      feedForward
	causal   bool
	window   int
}

func blockOf(a op.BlockAttrs, w op.BlockWeights) blockWeights {
	return blockWeights{
		norm: a.Norm, ln1: norm{w.LN1Gamma.F32, w.LN1Beta.F32, a.Eps}, ln2: norm{w.LN2Gamma.F32, w.LN2Beta.F32, a.Eps},
		attn:   projections{rowsOf(w.Wq), rowsOf(w.Wk), rowsOf(w.Wv), rowsOf(w.Wo), w.Bq.F32, w.Bk.F32, w.Bv.F32, w.Bo.F32, a.Heads, a.KVHeads},
		ffn:    feedForward{rowsOf(w.W1), rowsOf(w.W2), w.B1.F32, w.B2.F32, a.Activation},
		causal: a.Causal, window: a.Window,
	}
}

// sublayers are the functions that a block connects.
type sublayers struct{ attn, ffn, ln1, ln2 func(matrix) matrix }

func (p *plain) block(x matrix, batch int, w blockWeights, extend func(k, v []matrix) ([]matrix, []matrix)) matrix {
	p.amendBlock(&w)
	s, _ := p.sublayers(batch, w, extend)
	return p.wire(w.norm, x, s)
}

// sublayers returns the functions that a block connects, and the setting of its attention.
func (p *plain) sublayers(batch int, w blockWeights, extend func(k, v []matrix) ([]matrix, []matrix)) (sublayers, setting) {
	headDim := w.attn.wq.cols / w.attn.heads
	s := setting{causal: w.causal, window: w.window, scale: p.scale(nil, scaling{headDim, headDim, w.attn.heads})}
	return sublayers{
		attn: func(x matrix) matrix { return p.mha(x, batch, w.attn, s, extend) },
		ffn:  func(x matrix) matrix { return p.ffn(x, w.ffn) },
		ln1:  func(x matrix) matrix { return p.layerNorm(x, w.ln1) },
		ln2:  func(x matrix) matrix { return p.layerNorm(x, w.ln2) },
	}, s
}

// residual connects the sublayers of a block.
func (p *plain) residual(norm string, x matrix, s sublayers) matrix {
	if norm == "post" {
		a := s.ln1(p.add(x, s.attn(x)))
		return s.ln2(p.add(a, s.ffn(a)))
	}
	a := p.add(x, s.attn(s.ln1(x)))
	return p.add(a, s.ffn(s.ln2(a)))
}

var _ = offer((*plain).blockGradOp)

func (p *plain) blockGradOp(a op.BlockGradArgs) error {
	var g blockGrads
	dx := p.blockGrad(rowsOf(a.X), rowsOf(a.DY), a.X.Shape[0], blockOf(a.BlockAttrs, a.BlockWeights), &g)
	dsts := []op.Tensor{a.DLN1Gamma, a.DLN1Beta, a.DWq, a.DBq, a.DWk, a.DBk, a.DWv, a.DBv, a.DWo, a.DBo, a.DLN2Gamma, a.DLN2Beta,
		a.DW1, a.DB1, a.DW2, a.DB2}
	p.giveAll(dsts, g.all())
	p.give(a.DX, dx.data)
	return nil
}

// blockGrads are the gradients of the parameters of a block.
type blockGrads struct {
	ln1Gamma, ln1Beta, ln2Gamma, ln2Beta []float32
	wq, wk, wv, wo, w1, w2               matrix
	bq, bk, bv, bo, b1, b2               []float32
}

func (g *blockGrads) attn() [][]float32 {
	return [][]float32{g.wq.data, g.bq, g.wk.data, g.bk, g.wv.data, g.bv, g.wo.data, g.bo}
}

func (g *blockGrads) ffn() [][]float32 { return [][]float32{g.w1.data, g.b1, g.w2.data, g.b2} }

// all returns them in the order of the op table.
func (g *blockGrads) all() [][]float32 {
	return slices.Concat([][]float32{g.ln1Gamma, g.ln1Beta}, g.attn(), [][]float32{g.ln2Gamma, g.ln2Beta}, g.ffn())
}

// gradSublayers are the gradients of the functions that a block connects: each is given the function's input and dy.
type gradSublayers struct{ attn, ffn, ln1, ln2 func(x, dy matrix) matrix }

func (p *plain) blockGrad(x, dy matrix, batch int, w blockWeights, g *blockGrads) matrix {
	p.amendBlock(&w)
	forward, s := p.sublayers(batch, w, nil)
	dx := p.wireGrad(w.norm, x, dy, forward, gradSublayers{
		attn: func(x, dy matrix) matrix { return p.mhaGrad(x, dy, batch, w.attn, s, g) },
		ffn:  func(x, dy matrix) matrix { return p.ffnGrad(x, dy, w.ffn, g) },
		ln1: func(x, dy matrix) (dx matrix) {
			dx, g.ln1Gamma, g.ln1Beta = p.layerNormGrad(x, dy, w.ln1)
			return dx
		},
		ln2: func(x, dy matrix) (dx matrix) {
			dx, g.ln2Gamma, g.ln2Beta = p.layerNormGrad(x, dy, w.ln2)
			return dx
		},
	})
	p.amendGrads(g)
	return dx
}

// residualGrad goes through the sublayers of a block from the end: both sides of a residual sum pass the gradient on.
func (p *plain) residualGrad(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix {
	if norm == "post" {
		sum := p.add(x, s.attn(x))
		a := s.ln1(sum)
		dr := g.ln2(p.add(a, s.ffn(a)), dy)
		da := p.add(dr, g.ffn(a, dr))
		ds := g.ln1(sum, da)
		return p.add(ds, g.attn(x, ds))
	}
	normed := s.ln1(x)
	a := p.add(x, s.attn(normed))
	da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
	return p.add(da, g.ln1(x, g.attn(normed, da)))
}

var _ = plant([]bug{
	{"block-pre-for-post", "block", "BLK-2", "Is pre-norm where post-norm is wanted.", "", func(p *plain) {
		p.wire = func(_ string, x matrix, s sublayers) matrix { return p.residual("pre", x, s) }
	}},
	{"block-post-for-pre", "block", "BLK-1", "Is post-norm where pre-norm is wanted.", "", func(p *plain) {
		p.wire = func(_ string, x matrix, s sublayers) matrix { return p.residual("post", x, s) }
	}},
	{"block-residual-normalised", "block", "BLK-1", "Adds the normalised input, not the input, to what attention returns.", "", func(p *plain) {
		p.wire = func(norm string, x matrix, s sublayers) matrix {
			if norm == "pre" {
				x = s.ln1(x)
				s.ln1 = func(x matrix) matrix { return x }
			}
			return p.residual(norm, x, s)
		}
	}},
	{"block-second-residual-missing", "block", "BLK-1", "Does not add the input of the feed-forward layer to its result.", "", func(p *plain) {
		p.wire = func(norm string, x matrix, s sublayers) matrix {
			if norm == "pre" {
				return s.ffn(s.ln2(p.add(x, s.attn(s.ln1(x)))))
			}
			return p.residual(norm, x, s)
		}
	}},
	{"block-parallel", "block", "BLK-1", "Feeds the block's input to both sublayers.", "", func(p *plain) {
		p.wire = func(norm string, x matrix, s sublayers) matrix {
			if norm == "pre" {
				return p.add(p.add(x, s.attn(s.ln1(x))), s.ffn(s.ln2(x)))
			}
			return p.residual(norm, x, s)
		}
	}},
	{"block-shared-normalization", "block", "BLK-1", "Uses the first normalization twice.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.ln2 = w.ln1 }
	}},
	{"block-second-eps", "block", "BLK-3", "Has 1e-5 for eps in the second normalization.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.ln2.eps = 1e-5 }
	}},
	{"block-eps-1e-6", "block", "BLK-1", "Has 1e-6 for an eps of 1e-5.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) {
			if w.ln1.eps == 1e-5 {
				w.ln1.eps, w.ln2.eps = 1e-6, 1e-6
			}
		}
	}},
	{"block-causal-ignored", "block", "BLK-4", "Is not causal.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.causal = false }
	}},
	{"block-window-ignored", "block", "BLK-4", "Ignores the window.", "", func(p *plain) {
		p.amendBlock = func(w *blockWeights) { w.window = 0 }
	}},
	{"block-tanh-for-erf", "block", "BLK-4", "Computes the tanh form of GELU for the erf form.", "", func(p *plain) { p.geluErf = geluTanh }},
})

// wired returns the bug of a block of one kind of normalization whose sublayers are connected wrongly.
func wired(kind string, f func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix) func(*plain) {
	return func(p *plain) {
		p.wireGrad = func(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix {
			if norm != kind {
				return p.residualGrad(norm, x, dy, s, g)
			}
			return f(p, x, dy, s, g)
		}
	}
}

// amended returns the bug of wrong gradients of some parameters.
func amended(f func(p *plain, g *blockGrads)) func(*plain) {
	return func(p *plain) { p.amendGrads = func(g *blockGrads) { f(p, g) } }
}

var _ = plant([]bug{
	{"block-grad-first-skip-missing", "block.grad", "GRAD-25", "Passes nothing on beside attention.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
		return g.ln1(x, g.attn(normed, da))
	})},
	{"block-grad-second-skip-missing", "block.grad", "GRAD-25", "Passes nothing on beside the feed-forward layer.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := g.ln2(a, g.ffn(s.ln2(a), dy))
		return p.add(da, g.ln1(x, g.attn(normed, da)))
	})},
	{"block-grad-upstream-for-both", "block.grad", "GRAD-25", "Gives attention the gradient of the block, not that of its own result.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
		return p.add(da, g.ln1(x, g.attn(normed, dy)))
	})},
	{"block-grad-normalization-passed", "block.grad", "GRAD-25", "Passes the gradient through the first normalization unchanged.", "", wired("pre", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		normed := s.ln1(x)
		a := p.add(x, s.attn(normed))
		da := p.add(dy, g.ln2(a, g.ffn(s.ln2(a), dy)))
		through := g.attn(normed, da)
		g.ln1(x, through)
		return p.add(da, through)
	})},
	{"block-grad-pre-for-post", "block.grad", "GRAD-25", "Is pre-norm where post-norm is wanted.", "", wired("post", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		return p.residualGrad("pre", x, dy, s, g)
	})},
	{"block-grad-post-skip-before-norm", "block.grad", "GRAD-25", "Adds the gradient of a post-norm block past its normalization.", "", wired("post", func(p *plain, x, dy matrix, s sublayers, g gradSublayers) matrix {
		sum := p.add(x, s.attn(x))
		a := s.ln1(sum)
		dr := g.ln2(p.add(a, s.ffn(a)), dy)
		da := p.add(dy, g.ffn(a, dr))
		ds := g.ln1(sum, da)
		return p.add(ds, g.attn(x, ds))
	})},
	{"block-grad-normalizations-exchanged", "block.grad", "GRAD-25", "Exchanges the gradients of the two normalizations.", "", amended(func(_ *plain, g *blockGrads) {
		g.ln1Gamma, g.ln1Beta, g.ln2Gamma, g.ln2Beta = g.ln2Gamma, g.ln2Beta, g.ln1Gamma, g.ln1Beta
	})},
	{"block-grad-causal-ignored", "block.grad", "GRAD-25", "Is not causal in the backward pass.", "", backwards(func(s *setting) { s.causal = false })},
	{"block-grad-window-ignored", "block.grad", "GRAD-25", "Ignores the window in the backward pass.", "", backwards(func(s *setting) { s.window = 0 })},
})
