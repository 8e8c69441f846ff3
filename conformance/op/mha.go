package op

import (
	"errors"
	"fmt"
)

// MHAArgs: multi-head self-attention with its projections, SPEC.md MHA.
type MHAArgs struct {
	MHAInputs
	Y Tensor `dst:"y" shape:"B T d"`
}

// MHAInputs are what mha and its gradient take.
type MHAInputs struct {
	MHAAttrs
	MHAWeights
	X    Tensor `src:"x" shape:"B T d"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 T T"`
}

// MHAAttrs: KVHeads is Heads where it is 0; the rest is as in AttentionAttrs.
type MHAAttrs struct {
	Heads   int      `json:"heads"`
	KVHeads int      `json:"kv_heads,omitempty"`
	Scale   *float64 `json:"scale,omitempty"`
	Causal  bool     `json:"causal,omitempty"`
	Window  int      `json:"window,omitempty"`
}

// MHAWeights are the projections of multi-head attention; HD = heads * head dim, GD = KV heads * head dim.
type MHAWeights struct {
	Wq Tensor `const:"wq" shape:"d HD"`
	Bq Tensor `const:"bq,optional" shape:"HD"`
	Wk Tensor `const:"wk" shape:"d GD"`
	Bk Tensor `const:"bk,optional" shape:"GD"`
	Wv Tensor `const:"wv" shape:"d GD"`
	Bv Tensor `const:"bv,optional" shape:"GD"`
	Wo Tensor `const:"wo" shape:"HD d"`
	Bo Tensor `const:"bo,optional" shape:"d"`
}

func (MHAArgs) Op() string { return "mha" }

var _ = add(MHAArgs{}, MHAGradArgs{}, Row{Family: "mha", Group: "attention", Composite: true})

func (a *MHAInputs) preset(d *dims) { d.set("H", a.Heads) }

func (a *MHAInputs) checkConst(d *dims) error { return projections(d, a.Heads, a.KVHeads) }

func (a *MHAAttrs) validate() error {
	kvHeadsDefault(&a.KVHeads, a.Heads)
	return errors.Join(heads(a.Heads, a.KVHeads), validScale(a.Scale), atLeast("window", a.Window, 0))
}

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(head dim) where it is absent.
func (a *MHAInputs) EffectiveScale() float64 { return scale(a.Scale, a.Wq.Shape[1]/a.Heads) }

// MHA adapts f.
func MHA(f func(MHAArgs) error) Implementation { return Func(f) }

// MHAGradArgs: the gradients of MHAArgs.
type MHAGradArgs struct {
	MHAInputs
	DY Tensor `src:"dy" shape:"B T d"`
	MHAGrads
	DX Tensor `dst:"dx" shape:"B T d"`
}

// MHAGrads are the gradients with respect to MHAWeights.
type MHAGrads struct {
	DWq Tensor `dst:"dwq" shape:"d HD"`
	DBq Tensor `dst:"dbq,of=bq" shape:"HD"`
	DWk Tensor `dst:"dwk" shape:"d GD"`
	DBk Tensor `dst:"dbk,of=bk" shape:"GD"`
	DWv Tensor `dst:"dwv" shape:"d GD"`
	DBv Tensor `dst:"dbv,of=bv" shape:"GD"`
	DWo Tensor `dst:"dwo" shape:"HD d"`
	DBo Tensor `dst:"dbo,of=bo" shape:"d"`
}

func (MHAGradArgs) Op() string { return "mha.grad" }

// MHAGrad adapts f.
func MHAGrad(f func(MHAGradArgs) error) Implementation { return Func(f) }

func kvHeadsDefault(kvHeads *int, heads int) {
	if *kvHeads == 0 {
		*kvHeads = heads
	}
}

func heads(h, g int) error {
	if h < 1 || g < 1 || h%g != 0 {
		return fmt.Errorf("heads = %d, kv_heads = %d: want heads to be a multiple of kv_heads, both at least 1", h, g)
	}
	return nil
}

// projections checks that the projections' widths divide into heads of one length.
func projections(d *dims, h, g int) error {
	if hd, gd := d.get("HD"), d.get("GD"); hd%h != 0 || gd != hd/h*g {
		return fmt.Errorf("wq has %d columns and wk %d: want heads * head dim (%d heads) and kv_heads * head dim (%d heads)", hd, gd, h, g)
	}
	return nil
}
