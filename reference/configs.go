package reference

import (
	"fmt"
	"slices"
	"strings"
)

// Config describes a decoder-only language model.
type Config struct {
	Name           string
	Vocab          int // V
	Ctx            int // n_ctx: learned positions are 0 to Ctx-1
	DModel         int // d
	Layers         int // L
	Heads          int // H query heads
	KVHeads        int // G heads of keys and values; H % G == 0; 0: as many as Heads
	HeadDim        int // D; H*D need not be d
	FFN            int // F
	Norm           Norm
	Activation     Activation
	Eps            float64 // of every LayerNorm
	Positions      Positions
	ScaleEmbedding bool  // multiply embeddings by sqrt(d)
	Windows        []int // layer l has window Windows[l % len(Windows)], 0: dense; empty: all dense
	Tied           bool  // the output matrix is the transpose of the token embedding
}

// Block returns the configuration of the block of one layer.
func (c Config) Block(layer int) BlockConfig {
	window := 0
	if len(c.Windows) > 0 {
		window = c.Windows[layer%len(c.Windows)]
	}
	return BlockConfig{
		Norm:       c.Norm,
		MHA:        MHAConfig{Heads: c.Heads, KVHeads: c.KVHeads, Causal: true, Window: window},
		Activation: c.Activation,
		Eps:        c.Eps,
	}
}

// Parameters returns the number of weights of a model that has every bias
//
//	V d                                       token embedding
//	n_ctx d                                   positions, when learned
//	L (2 d H D + H D + d                      Wq, Wo, bq, bo
//	 + 2 (d G D + G D)                        Wk, Wv, bk, bv
//	 + 2 d F + F + d                          W1, W2, b1, b2
//	 + 4 d)                                   LN1, LN2
//	2 d                                       LNf, pre-norm only
//	d V                                       output, when untied
func (c Config) Parameters() int64 {
	v, d, f := int64(c.Vocab), int64(c.DModel), int64(c.FFN)
	hd, gd := int64(c.Heads*c.HeadDim), int64(c.Block(0).MHA.kvHeads()*c.HeadDim)
	n := v*d + int64(c.Layers)*((2*d*hd+hd+d)+2*(d*gd+gd)+(2*d*f+f+d)+4*d)
	if c.Positions == PositionsLearned {
		n += int64(c.Ctx) * d
	}
	if c.Norm == PreNorm {
		n += 2 * d
	}
	if !c.Tied {
		n += d * v
	}
	return n
}

// gpt3 returns a row of Table 2.1 of Brown et al. 2020. All rows have n_ctx = 2048, F = 4 d and GPT-2's vocabulary of 50,257
// and architecture: pre-norm, GELU by tanh, learned positions, tied output.
//
// The paper says that layers alternate between dense and locally banded attention and does not print the band's width, so
// Windows is left empty; Windows = {0, w} alternates.
func gpt3(name string, layers, dModel, heads, headDim int) Config {
	return Config{
		Name: name, Vocab: 50257, Ctx: 2048, DModel: dModel, Layers: layers,
		Heads: heads, KVHeads: heads, HeadDim: headDim, FFN: 4 * dModel,
		Norm: PreNorm, Activation: ActGELUTanh, Eps: 1e-5, Positions: PositionsLearned, Tied: true,
	}
}

// configs lists the models that have a name. In two rows of the table the heads do not fill the model: XL prints 24 heads of
// 128 for d = 2048 (and counts 1.3 billion weights, which 16 heads would have), 13B prints 40 heads of 128 for d = 5140.
// They are here as printed.
var configs = []Config{
	gpt3("gpt3-small", 12, 768, 12, 64),
	gpt3("gpt3-medium", 24, 1024, 16, 64),
	gpt3("gpt3-large", 24, 1536, 16, 96),
	gpt3("gpt3-xl", 24, 2048, 24, 128),
	gpt3("gpt3-2.7b", 32, 2560, 32, 80),
	gpt3("gpt3-6.7b", 32, 4096, 32, 128),
	gpt3("gpt3-13b", 40, 5140, 40, 128),
	gpt3("gpt3-175b", 96, 12288, 96, 128),
	// GPT-3's architecture at a size that tests can afford.
	{
		Name: "tiny", Vocab: 17, Ctx: 16, DModel: 8, Layers: 2, Heads: 2, KVHeads: 2, HeadDim: 4, FFN: 32,
		Norm: PreNorm, Activation: ActGELUTanh, Eps: 1e-5, Positions: PositionsLearned, Tied: true,
	},
	// The decoder of Vaswani et al. 2017 without its cross-attention.
	{
		Name: "tiny-post", Vocab: 17, Ctx: 16, DModel: 8, Layers: 2, Heads: 2, KVHeads: 2, HeadDim: 4, FFN: 32,
		Norm: PostNorm, Activation: ActReLU, Eps: 1e-5, Positions: PositionsSinusoidal, ScaleEmbedding: true,
	},
	// Grouped heads that do not fill the model, and every other layer banded.
	{
		Name: "tiny-banded", Vocab: 19, Ctx: 24, DModel: 10, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 3, FFN: 20,
		Norm: PreNorm, Activation: ActGELU, Eps: 1e-5, Positions: PositionsLearned, Windows: []int{0, 3}, Tied: true,
	},
}

// ConfigByName returns a named model: gpt3-small, -medium, -large, -xl, -2.7b, -6.7b, -13b, -175b, tiny, tiny-post or
// tiny-banded. An unknown name is an error that wraps ErrConfig.
func ConfigByName(name string) (Config, error) {
	names := make([]string, len(configs))
	for i, c := range configs {
		if c.Name == name {
			c.Windows = slices.Clone(c.Windows)
			return c, nil
		}
		names[i] = c.Name
	}
	return Config{}, fmt.Errorf("reference: ConfigByName: no model is named %q, there are %s: %w", name, strings.Join(names, ", "), ErrConfig)
}
