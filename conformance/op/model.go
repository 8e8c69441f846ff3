package op

import (
	"errors"
	"fmt"
)

// GPTWeights are the parameters of a whole model. Those of the blocks are stacked over the L layers.
type GPTWeights struct {
	Wte      Tensor `const:"wte" shape:"V d"`
	Wpe      Tensor `const:"wpe,optional" shape:"C d"` // learned positions only
	LN1Gamma Tensor `const:"ln1_gamma" shape:"L d"`
	LN1Beta  Tensor `const:"ln1_beta" shape:"L d"`
	Wq       Tensor `const:"wq" shape:"L d HD"`
	Bq       Tensor `const:"bq" shape:"L HD"`
	Wk       Tensor `const:"wk" shape:"L d GD"`
	Bk       Tensor `const:"bk" shape:"L GD"`
	Wv       Tensor `const:"wv" shape:"L d GD"`
	Bv       Tensor `const:"bv" shape:"L GD"`
	Wo       Tensor `const:"wo" shape:"L HD d"`
	Bo       Tensor `const:"bo" shape:"L d"`
	LN2Gamma Tensor `const:"ln2_gamma" shape:"L d"`
	LN2Beta  Tensor `const:"ln2_beta" shape:"L d"`
	W1       Tensor `const:"w1" shape:"L d F"`
	B1       Tensor `const:"b1" shape:"L F"`
	W2       Tensor `const:"w2" shape:"L F d"`
	B2       Tensor `const:"b2" shape:"L d"`
	LNfGamma Tensor `const:"lnf_gamma,optional" shape:"d"` // pre-norm only
	LNfBeta  Tensor `const:"lnf_beta,optional" shape:"d"`
	Wout     Tensor `const:"w_out,optional" shape:"d V"` // absent: the output weights are tied to Wte
}

// GPTAttrs describe a model beyond what the shapes of its weights say. Layer l attends within Windows[l % len(Windows)]; no windows,
// or a window of 0, is dense attention.
type GPTAttrs struct {
	Heads          int     `json:"heads"`
	KVHeads        int     `json:"kv_heads,omitempty"`
	Norm           string  `json:"norm"`
	Activation     string  `json:"activation"`
	Eps            float64 `json:"eps"`
	Positions      string  `json:"positions"`
	ScaleEmbedding bool    `json:"scale_embedding,omitempty"`
	Windows        []int   `json:"windows,omitempty"`
}

func (a *GPTAttrs) defaults() {
	*a = GPTAttrs{Norm: "pre", Activation: "gelu", Eps: 1e-5, Positions: "learned"}
}

func (a *GPTAttrs) validate() error {
	kvHeadsDefault(&a.KVHeads, a.Heads)
	err := errors.Join(oneOf("norm", a.Norm, "pre", "post"), heads(a.Heads, a.KVHeads), activation(a.Activation),
		nonNegative("eps", a.Eps), oneOf("positions", a.Positions, "learned", "sinusoidal", "none"))
	for _, w := range a.Windows {
		err = errors.Join(err, atLeast("windows", w, 0))
	}
	return err
}

func (a *GPTAttrs) check(d *dims, w *GPTWeights) error {
	switch {
	case w.Wpe.Present() != (a.Positions == "learned"):
		return fmt.Errorf("wpe must be given exactly where positions = learned, got positions = %s", a.Positions)
	case w.LNfGamma.Present() != (a.Norm == "pre") || w.LNfBeta.Present() != (a.Norm == "pre"):
		return fmt.Errorf("lnf_gamma and lnf_beta must be given exactly where norm = pre, got norm = %s", a.Norm)
	case a.Positions == "sinusoidal" && d.get("d")%2 != 0:
		return fmt.Errorf("sinusoidal positions need an even width, got d = %d", d.get("d"))
	}
	return projections(d, a.Heads, a.KVHeads)
}

// GPTArgs: the whole decoder, token ids to logits, SPEC.md GPT.
type GPTArgs struct {
	GPTAttrs
	GPTWeights
	IDs    Tensor `src:"ids" type:"i64" shape:"B T"`
	Logits Tensor `dst:"logits" shape:"B T V"`
}

func (GPTArgs) Op() string { return "gpt" }

var _ = add(GPTArgs{}, nil, Row{Family: "model", Group: "layers, models", Composite: true})

func (a *GPTArgs) checkConst(d *dims) error { return a.GPTAttrs.check(d, &a.GPTWeights) }

// GPT adapts f.
func GPT(f func(GPTArgs) error) Implementation { return Func(f) }

// GPTLossArgs: the cross-entropy of the model's logits against targets, SPEC.md GPT and XE.
type GPTLossArgs struct {
	GPTLossInputs
	Loss Tensor `dst:"loss" shape:"B T"`
}

// GPTLossInputs are what gpt.loss and its gradient take.
type GPTLossInputs struct {
	GPTLossAttrs
	GPTWeights
	IDs     Tensor `src:"ids" type:"i64" shape:"B T"`
	Targets Tensor `src:"targets" type:"i64" shape:"B T"`
}

// GPTLossAttrs are those of the model and those of the loss.
type GPTLossAttrs struct {
	GPTAttrs
	CrossEntropyAttrs
}

func (GPTLossArgs) Op() string { return "gpt.loss" }

var _ = add(GPTLossArgs{}, GPTLossGradArgs{}, Row{Family: "model", Group: "layers, models", Composite: true})

func (a *GPTLossInputs) checkConst(d *dims) error { return a.GPTAttrs.check(d, &a.GPTWeights) }

func (a *GPTLossAttrs) defaults() {
	a.GPTAttrs.defaults()
	a.CrossEntropyAttrs.defaults()
}

func (a *GPTLossAttrs) validate() error {
	return errors.Join(a.GPTAttrs.validate(), a.CrossEntropyAttrs.validate())
}

// GPTLoss adapts f.
func GPTLoss(f func(GPTLossArgs) error) Implementation { return Func(f) }

// GPTLossGradArgs: the gradients of GPTLossArgs with respect to every parameter.
type GPTLossGradArgs struct {
	GPTLossInputs
	DLoss Tensor `src:"dloss" shape:"B T"`
	GPTGrads
}

func (GPTLossGradArgs) Op() string { return "gpt.loss.grad" }

func (a *GPTLossGradArgs) shapes() map[string]string { return a.CrossEntropyAttrs.upstreamShapes() }

// GPTLossGrad adapts f.
func GPTLossGrad(f func(GPTLossGradArgs) error) Implementation { return Func(f) }

// GPTCachedArgs: the decoder over a key-value cache that the kernel keeps between Runs, SPEC.md KV and GPT. Each Run keeps the first Pos
// entries and appends the tokens IDs at positions Pos, Pos+1, …
type GPTCachedArgs struct {
	GPTCachedAttrs
	GPTWeights
	IDs     Tensor `src:"ids" type:"i64" shape:"B T"`
	Pos     Tensor `src:"pos" type:"i64" shape:""`
	BeamIdx Tensor `src:"beam_idx,optional" type:"i64" shape:"B"`
	Logits  Tensor `dst:"logits" shape:"B T V"`
}

// GPTCachedAttrs are those of the model and the number of entries that the cache holds.
type GPTCachedAttrs struct {
	GPTAttrs
	Capacity int `json:"capacity"`
}

func (GPTCachedArgs) Op() string { return "gpt.cached" }

var _ = add(GPTCachedArgs{}, nil, Row{Family: "model", Group: "layers, models", Stateful: true, Composite: true})

func (a *GPTCachedArgs) validate() error {
	return errors.Join(a.GPTAttrs.validate(), capacity(a.Capacity))
}

func (a *GPTCachedArgs) checkConst(d *dims) error {
	if a.Wpe.Present() && a.Capacity > d.get("C") {
		return fmt.Errorf("capacity = %d: want at most the %d positions of wpe", a.Capacity, d.get("C"))
	}
	return a.GPTAttrs.check(d, &a.GPTWeights)
}

// GPTCached adapts open, which is called once per sequence of Runs and returns the kernel that holds the cache.
func GPTCached(open func(GPTCachedArgs) (Runner[GPTCachedArgs], error)) Implementation {
	return Open(open)
}

// Tensors returns the parameters in table order. An absent one is the zero Tensor.
func (w *GPTWeights) Tensors() []Tensor {
	return []Tensor{w.Wte, w.Wpe, w.LN1Gamma, w.LN1Beta, w.Wq, w.Bq, w.Wk, w.Bk, w.Wv, w.Bv, w.Wo, w.Bo,
		w.LN2Gamma, w.LN2Beta, w.W1, w.B1, w.W2, w.B2, w.LNfGamma, w.LNfBeta, w.Wout}
}

// GPTGrads are the gradients with respect to GPTWeights.
type GPTGrads struct {
	DWte      Tensor `dst:"dwte" shape:"V d"`
	DWpe      Tensor `dst:"dwpe,of=wpe" shape:"C d"`
	DLN1Gamma Tensor `dst:"dln1_gamma" shape:"L d"`
	DLN1Beta  Tensor `dst:"dln1_beta" shape:"L d"`
	DWq       Tensor `dst:"dwq" shape:"L d HD"`
	DBq       Tensor `dst:"dbq" shape:"L HD"`
	DWk       Tensor `dst:"dwk" shape:"L d GD"`
	DBk       Tensor `dst:"dbk" shape:"L GD"`
	DWv       Tensor `dst:"dwv" shape:"L d GD"`
	DBv       Tensor `dst:"dbv" shape:"L GD"`
	DWo       Tensor `dst:"dwo" shape:"L HD d"`
	DBo       Tensor `dst:"dbo" shape:"L d"`
	DLN2Gamma Tensor `dst:"dln2_gamma" shape:"L d"`
	DLN2Beta  Tensor `dst:"dln2_beta" shape:"L d"`
	DW1       Tensor `dst:"dw1" shape:"L d F"`
	DB1       Tensor `dst:"db1" shape:"L F"`
	DW2       Tensor `dst:"dw2" shape:"L F d"`
	DB2       Tensor `dst:"db2" shape:"L d"`
	DLNfGamma Tensor `dst:"dlnf_gamma,of=lnf_gamma" shape:"d"`
	DLNfBeta  Tensor `dst:"dlnf_beta,of=lnf_beta" shape:"d"`
	DWout     Tensor `dst:"dw_out,of=w_out" shape:"d V"`
}

// Tensors returns the gradients in table order, as GPTWeights.Tensors does. An absent one is the zero Tensor.
func (g *GPTGrads) Tensors() []Tensor {
	return []Tensor{g.DWte, g.DWpe, g.DLN1Gamma, g.DLN1Beta, g.DWq, g.DBq, g.DWk, g.DBk, g.DWv, g.DBv, g.DWo, g.DBo,
		g.DLN2Gamma, g.DLN2Beta, g.DW1, g.DB1, g.DW2, g.DB2, g.DLNfGamma, g.DLNfBeta, g.DWout}
}
