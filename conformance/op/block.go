package op

import (
	"errors"
)

// BlockArgs: one decoder block, SPEC.md BLK.
type BlockArgs struct {
	BlockInputs
	Y Tensor `dst:"y" shape:"B T d"`
}

// BlockInputs are what block and its gradient take.
type BlockInputs struct {
	BlockAttrs
	BlockWeights
	X Tensor `src:"x" shape:"B T d"`
}

// BlockWeights are the parameters of one block.
type BlockWeights struct {
	LN1Gamma Tensor `const:"ln1_gamma" shape:"d"`
	LN1Beta  Tensor `const:"ln1_beta" shape:"d"`
	Wq       Tensor `const:"wq" shape:"d HD"`
	Bq       Tensor `const:"bq" shape:"HD"`
	Wk       Tensor `const:"wk" shape:"d GD"`
	Bk       Tensor `const:"bk" shape:"GD"`
	Wv       Tensor `const:"wv" shape:"d GD"`
	Bv       Tensor `const:"bv" shape:"GD"`
	Wo       Tensor `const:"wo" shape:"HD d"`
	Bo       Tensor `const:"bo" shape:"d"`
	LN2Gamma Tensor `const:"ln2_gamma" shape:"d"`
	LN2Beta  Tensor `const:"ln2_beta" shape:"d"`
	W1       Tensor `const:"w1" shape:"d F"`
	B1       Tensor `const:"b1" shape:"F"`
	W2       Tensor `const:"w2" shape:"F d"`
	B2       Tensor `const:"b2" shape:"d"`
}

// BlockAttrs: Norm is pre (GPT-2 and GPT-3, the default) or post (the original Transformer).
type BlockAttrs struct {
	Norm       string  `json:"norm"`
	Heads      int     `json:"heads"`
	KVHeads    int     `json:"kv_heads,omitempty"`
	Activation string  `json:"activation"`
	Eps        float64 `json:"eps"`
	Causal     bool    `json:"causal,omitempty"`
	Window     int     `json:"window,omitempty"`
}

func (BlockArgs) Op() string { return "block" }

var _ = add(BlockArgs{}, BlockGradArgs{}, Row{Family: "block", Group: "layers, models", Composite: true})

func (a *BlockInputs) checkConst(d *dims) error { return projections(d, a.Heads, a.KVHeads) }

func (a *BlockAttrs) defaults() { *a = BlockAttrs{Norm: "pre", Activation: "gelu", Eps: 1e-5} }

func (a *BlockAttrs) validate() error {
	kvHeadsDefault(&a.KVHeads, a.Heads)
	return errors.Join(oneOf("norm", a.Norm, "pre", "post"), heads(a.Heads, a.KVHeads), activation(a.Activation),
		nonNegative("eps", a.Eps), atLeast("window", a.Window, 0))
}

// Block adapts f.
func Block(f func(BlockArgs) error) Implementation { return Func(f) }

// BlockGradArgs: the gradients of BlockArgs.
type BlockGradArgs struct {
	BlockInputs
	DY Tensor `src:"dy" shape:"B T d"`
	BlockGrads
	DX Tensor `dst:"dx" shape:"B T d"`
}

// BlockGrads are the gradients with respect to BlockWeights.
type BlockGrads struct {
	DLN1Gamma Tensor `dst:"dln1_gamma" shape:"d"`
	DLN1Beta  Tensor `dst:"dln1_beta" shape:"d"`
	DWq       Tensor `dst:"dwq" shape:"d HD"`
	DBq       Tensor `dst:"dbq" shape:"HD"`
	DWk       Tensor `dst:"dwk" shape:"d GD"`
	DBk       Tensor `dst:"dbk" shape:"GD"`
	DWv       Tensor `dst:"dwv" shape:"d GD"`
	DBv       Tensor `dst:"dbv" shape:"GD"`
	DWo       Tensor `dst:"dwo" shape:"HD d"`
	DBo       Tensor `dst:"dbo" shape:"d"`
	DLN2Gamma Tensor `dst:"dln2_gamma" shape:"d"`
	DLN2Beta  Tensor `dst:"dln2_beta" shape:"d"`
	DW1       Tensor `dst:"dw1" shape:"d F"`
	DB1       Tensor `dst:"db1" shape:"F"`
	DW2       Tensor `dst:"dw2" shape:"F d"`
	DB2       Tensor `dst:"db2" shape:"d"`
}

func (BlockGradArgs) Op() string { return "block.grad" }

// BlockGrad adapts f.
func BlockGrad(f func(BlockGradArgs) error) Implementation { return Func(f) }
