package reference

import "slices"

// Norm names where a block normalises.
type Norm string

// The two places.
const (
	PreNorm  Norm = "pre"  // before each sublayer: GPT-2, GPT-3
	PostNorm Norm = "post" // after each residual sum: Vaswani et al. 2017
)

// BlockWeights are the weights of one decoder block. Gammas and betas have d elements.
type BlockWeights struct {
	LN1Gamma, LN1Beta []float64
	Attn              MHAWeights
	LN2Gamma, LN2Beta []float64
	FFN               FFNWeights
}

// Parameters returns the data of every weight, in the order of SPEC.md's table.
func (w BlockWeights) Parameters() [][]float64 {
	return slices.Concat([][]float64{w.LN1Gamma, w.LN1Beta}, w.Attn.Parameters(), [][]float64{w.LN2Gamma, w.LN2Beta}, w.FFN.Parameters())
}

// BlockConfig is all of a decoder block that is not a weight.
type BlockConfig struct {
	Norm       Norm
	MHA        MHAConfig
	Activation Activation
	Eps        float64
}

// Block returns one decoder block, x [T,d] -> y [T,d]. Pre-norm (Radford et al. 2019):
//
//	a = x + mha(LN1(x))
//	y = a + ffn(LN2(a))
//
// Post-norm (Vaswani et al. 2017, section 3.1):
//
//	a = LN1(x + mha(x))
//	y = LN2(a + ffn(a))
func (p Primitives) Block(x Matrix, w BlockWeights, cfg BlockConfig) Matrix {
	return p.block(x, w, cfg, p.GroupedAttention)
}

func (p Primitives) block(x Matrix, w BlockWeights, cfg BlockConfig, attend attender) Matrix {
	ln1 := func(x Matrix) Matrix { return p.LayerNorm(x, w.LN1Gamma, w.LN1Beta, cfg.Eps) }
	ln2 := func(x Matrix) Matrix { return p.LayerNorm(x, w.LN2Gamma, w.LN2Beta, cfg.Eps) }
	mha := func(x Matrix) Matrix { return p.multiHead(x, w.Attn, cfg.MHA, nil, attend) }
	ffn := func(x Matrix) Matrix { return p.FFN(x, w.FFN, cfg.Activation) }

	switch cfg.Norm {
	case PreNorm:
		a := p.Add(x, mha(ln1(x)))
		return p.Add(a, ffn(ln2(a)))
	case PostNorm:
		a := ln1(p.Add(x, mha(x)))
		return ln2(p.Add(a, ffn(a)))
	}
	panic(`reference: Block: norm is "` + string(cfg.Norm) + `": use pre or post`)
}

// BlockGrad returns the gradients of Block from that of its result, x and dy [T,d] -> dx [T,d]. Both sides of a residual sum pass a gradient
// on, and where they meet again they add. Pre-norm, which is a = x + mha(n1), y = a + ffn(n2) with n1 = LN1(x), n2 = LN2(a):
//
//	da = dy + LN2'(ffn'(dy))
//	dx = da + LN1'(mha'(da))
//
// Post-norm, which is a = LN1(r1), y = LN2(r2) with r1 = x + mha(x), r2 = a + ffn(a):
//
//	dr2 = LN2'(dy),  da = dr2 + ffn'(dr2)
//	dr1 = LN1'(da),  dx = dr1 + mha'(dr1)
func (p Primitives) BlockGrad(x Matrix, w BlockWeights, cfg BlockConfig, dy Matrix) (dx Matrix, dw BlockWeights) {
	ln1 := func(x Matrix) Matrix { return p.LayerNorm(x, w.LN1Gamma, w.LN1Beta, cfg.Eps) }
	ln2 := func(x Matrix) Matrix { return p.LayerNorm(x, w.LN2Gamma, w.LN2Beta, cfg.Eps) }
	mha := func(x Matrix) Matrix { return p.MultiHead(x, w.Attn, cfg.MHA, nil) }
	ffn := func(x Matrix) Matrix { return p.FFN(x, w.FFN, cfg.Activation) }

	ln1Grad := func(x, dy Matrix) (dx Matrix) {
		dx, dw.LN1Gamma, dw.LN1Beta = p.LayerNormGrad(x, w.LN1Gamma, cfg.Eps, dy)
		return dx
	}
	ln2Grad := func(x, dy Matrix) (dx Matrix) {
		dx, dw.LN2Gamma, dw.LN2Beta = p.LayerNormGrad(x, w.LN2Gamma, cfg.Eps, dy)
		return dx
	}
	mhaGrad := func(x, dy Matrix) (dx Matrix) {
		dx, dw.Attn = p.MultiHeadGrad(x, w.Attn, cfg.MHA, nil, dy)
		return dx
	}
	ffnGrad := func(x, dy Matrix) (dx Matrix) {
		dx, dw.FFN = p.FFNGrad(x, w.FFN, cfg.Activation, dy)
		return dx
	}

	switch cfg.Norm {
	case PreNorm:
		n1 := ln1(x)
		a := p.Add(x, mha(n1))
		n2 := ln2(a)

		da := p.Add(dy, ln2Grad(a, ffnGrad(n2, dy)))
		dx = p.Add(da, ln1Grad(x, mhaGrad(n1, da)))
		return dx, dw
	case PostNorm:
		r1 := p.Add(x, mha(x))
		a := ln1(r1)
		r2 := p.Add(a, ffn(a))

		dr2 := ln2Grad(r2, dy)
		da := p.Add(dr2, ffnGrad(a, dr2))
		dr1 := ln1Grad(r1, da)
		dx = p.Add(dr1, mhaGrad(x, dr1))
		return dx, dw
	}
	panic(`reference: BlockGrad: norm is "` + string(cfg.Norm) + `": use pre or post`)
}
