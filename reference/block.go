package reference

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
