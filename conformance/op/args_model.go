package op

import (
	"errors"
	"fmt"
	"math"
)

// AttentionArgs: scaled dot-product attention, SPEC.md ATT and MSK. Mask is boolean (true: may attend) or float (added to the scores).
type AttentionArgs struct {
	AttentionAttrs
	Q    Tensor `src:"q" shape:"B H Tq D"`
	K    Tensor `src:"k" shape:"B G Tk D"`
	V    Tensor `src:"v" shape:"B G Tk Dv"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 Tq Tk"`
	Out  Tensor `dst:"out" shape:"B H Tq Dv"`
}

// AttentionAttrs: Scale defaults to 1/sqrt(D); Causal masks the future, bottom-right; Window, where it is not 0, lets a query see that
// many keys, itself included; Softcap, where it is not 0, bounds the scaled scores before the mask.
type AttentionAttrs struct {
	Scale   *float64 `json:"scale,omitempty"`
	Causal  bool     `json:"causal,omitempty"`
	Window  int      `json:"window,omitempty"`
	Softcap float64  `json:"softcap,omitempty"`
}

func (AttentionArgs) Op() string { return "attention" }

func (a *AttentionArgs) validate() error     { return a.AttentionAttrs.validate() }
func (a *AttentionArgs) check(d *dims) error { return grouped(d.get("H"), d.get("G")) }

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(D) where it is absent.
func (a *AttentionArgs) EffectiveScale() float64 { return scale(a.Scale, a.Q.Shape[3]) }
func (a *AttentionAttrs) validate() error {
	return errors.Join(validScale(a.Scale), atLeast("window", a.Window, 0), nonNegative("softcap", a.Softcap))
}

// AttentionDims are the lengths of attention's axes.
type AttentionDims struct{ Batch, Heads, KVHeads, SeqQ, SeqK, HeadDim, ValueDim int }

// Dims returns the lengths of the axes.
func (a *AttentionArgs) Dims() AttentionDims {
	return AttentionDims{a.Q.Shape[0], a.Q.Shape[1], a.K.Shape[1], a.Q.Shape[2], a.K.Shape[2], a.Q.Shape[3], a.V.Shape[3]}
}

// Attention adapts f.
func Attention(f func(AttentionArgs) error) Implementation { return Func(f) }

// AttentionScoresArgs: what attention forms on its way, SPEC.md ATT: S is what Stage says.
type AttentionScoresArgs struct {
	AttentionScoresAttrs
	Q    Tensor `src:"q" shape:"B H Tq D"`
	K    Tensor `src:"k" shape:"B G Tk D"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 Tq Tk"`
	S    Tensor `dst:"s" shape:"B H Tq Tk"`
}

// AttentionScoresAttrs: as AttentionAttrs; Stage is scores (scaled), capped, masked or weights (the default).
type AttentionScoresAttrs struct {
	AttentionAttrs
	Stage string `json:"stage"`
}

func (AttentionScoresArgs) Op() string { return "attention.scores" }

func (a *AttentionScoresArgs) defaults()           { a.Stage = "weights" }
func (a *AttentionScoresArgs) check(d *dims) error { return grouped(d.get("H"), d.get("G")) }

func (a *AttentionScoresArgs) validate() error {
	return errors.Join(a.AttentionAttrs.validate(), oneOf("stage", a.Stage, "scores", "capped", "masked", "weights"))
}

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(D) where it is absent.
func (a *AttentionScoresArgs) EffectiveScale() float64 { return scale(a.Scale, a.Q.Shape[3]) }

// AttentionScores adapts f.
func AttentionScores(f func(AttentionScoresArgs) error) Implementation { return Func(f) }

// AttentionCachedArgs: causal attention over a key-value cache that the kernel keeps between Runs, SPEC.md KV. Each Run keeps the first
// Pos entries, appends K and V, and attends.
type AttentionCachedArgs struct {
	AttentionCachedAttrs
	Q       Tensor `src:"q" shape:"B H T D"`
	K       Tensor `src:"k" shape:"B G T D"`
	V       Tensor `src:"v" shape:"B G T Dv"`
	Pos     Tensor `src:"pos" type:"i64" shape:""`
	BeamIdx Tensor `src:"beam_idx,optional" type:"i64" shape:"B"`
	Out     Tensor `dst:"out" shape:"B H T Dv"`
}

// AttentionCachedAttrs: as AttentionAttrs, always causal; Capacity is how many entries the cache holds.
type AttentionCachedAttrs struct {
	Scale    *float64 `json:"scale,omitempty"`
	Window   int      `json:"window,omitempty"`
	Capacity int      `json:"capacity"`
}

func (AttentionCachedArgs) Op() string { return "attention.cached" }
func (AttentionCachedArgs) stateful()  {}

func (a *AttentionCachedArgs) validate() error {
	return errors.Join(validScale(a.Scale), atLeast("window", a.Window, 0), capacity(a.Capacity))
}

func (a *AttentionCachedArgs) check(d *dims) error { return grouped(d.get("H"), d.get("G")) }

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(D) where it is absent.
func (a *AttentionCachedArgs) EffectiveScale() float64 { return scale(a.Scale, a.Q.Shape[3]) }

// AttentionCached adapts open, which is called once per sequence of Runs and returns the kernel that holds the cache.
func AttentionCached(open func(AttentionCachedArgs) (Runner[AttentionCachedArgs], error)) Implementation {
	return Open(open)
}

// MHAArgs: multi-head self-attention with its projections, SPEC.md MHA.
type MHAArgs struct {
	MHAAttrs
	MHAWeights
	X    Tensor `src:"x" shape:"B T d"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 T T"`
	Y    Tensor `dst:"y" shape:"B T d"`
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

func (a *MHAArgs) validate() error          { return a.MHAAttrs.validate() }
func (a *MHAArgs) preset(d *dims)           { d.set("H", a.Heads) }
func (a *MHAArgs) checkConst(d *dims) error { return projections(d, a.Heads, a.KVHeads) }

func (a *MHAAttrs) validate() error {
	kvHeadsDefault(&a.KVHeads, a.Heads)
	return errors.Join(heads(a.Heads, a.KVHeads), validScale(a.Scale), atLeast("window", a.Window, 0))
}

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(head dim) where it is absent.
func (a *MHAArgs) EffectiveScale() float64 { return scale(a.Scale, a.Wq.Shape[1]/a.Heads) }

// MHA adapts f.
func MHA(f func(MHAArgs) error) Implementation { return Func(f) }

// FFNArgs: the position-wise feed-forward network, SPEC.md FFN.
type FFNArgs struct {
	FFNAttrs
	W1 Tensor `const:"w1" shape:"d F"`
	B1 Tensor `const:"b1,optional" shape:"F"`
	W2 Tensor `const:"w2" shape:"F d"`
	B2 Tensor `const:"b2,optional" shape:"d"`
	X  Tensor `src:"x" shape:"... d"`
	Y  Tensor `dst:"y" shape:"... d"`
}

// FFNAttrs: Activation is relu, gelu (the default) or gelu_tanh.
type FFNAttrs struct {
	Activation string `json:"activation,omitempty"`
}

func (FFNArgs) Op() string { return "ffn" }

func (a *FFNArgs) defaults()       { a.FFNAttrs.defaults() }
func (a *FFNArgs) validate() error { return a.FFNAttrs.validate() }

func (a *FFNAttrs) defaults()       { a.Activation = "gelu" }
func (a *FFNAttrs) validate() error { return activation(a.Activation) }

// FFN adapts f.
func FFN(f func(FFNArgs) error) Implementation { return Func(f) }

// BlockArgs: one decoder block, SPEC.md BLK.
type BlockArgs struct {
	BlockAttrs
	BlockWeights
	X Tensor `src:"x" shape:"B T d"`
	Y Tensor `dst:"y" shape:"B T d"`
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

func (a *BlockArgs) defaults()                { a.BlockAttrs.defaults() }
func (a *BlockArgs) validate() error          { return a.BlockAttrs.validate() }
func (a *BlockArgs) checkConst(d *dims) error { return projections(d, a.Heads, a.KVHeads) }

func (a *BlockAttrs) defaults() { *a = BlockAttrs{Norm: "pre", Activation: "gelu", Eps: 1e-5} }

func (a *BlockAttrs) validate() error {
	kvHeadsDefault(&a.KVHeads, a.Heads)
	return errors.Join(oneOf("norm", a.Norm, "pre", "post"), heads(a.Heads, a.KVHeads), activation(a.Activation),
		nonNegative("eps", a.Eps), atLeast("window", a.Window, 0))
}

// Block adapts f.
func Block(f func(BlockArgs) error) Implementation { return Func(f) }

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

func (a *GPTArgs) defaults()                { a.GPTAttrs.defaults() }
func (a *GPTArgs) validate() error          { return a.GPTAttrs.validate() }
func (a *GPTArgs) checkConst(d *dims) error { return a.GPTAttrs.check(d, &a.GPTWeights) }

// GPT adapts f.
func GPT(f func(GPTArgs) error) Implementation { return Func(f) }

// GPTLossArgs: the cross-entropy of the model's logits against targets, SPEC.md GPT and XE.
type GPTLossArgs struct {
	GPTLossAttrs
	GPTWeights
	IDs     Tensor `src:"ids" type:"i64" shape:"B T"`
	Targets Tensor `src:"targets" type:"i64" shape:"B T"`
	Loss    Tensor `dst:"loss" shape:"B T"`
}

// GPTLossAttrs are those of the model and those of the loss.
type GPTLossAttrs struct {
	GPTAttrs
	CrossEntropyAttrs
}

func (GPTLossArgs) Op() string { return "gpt.loss" }

func (a *GPTLossArgs) defaults()                 { a.GPTLossAttrs.defaults() }
func (a *GPTLossArgs) validate() error           { return a.GPTLossAttrs.validate() }
func (a *GPTLossArgs) shapes() map[string]string { return a.CrossEntropyAttrs.shapes() }
func (a *GPTLossArgs) checkConst(d *dims) error  { return a.GPTAttrs.check(d, &a.GPTWeights) }

func (a *GPTLossAttrs) defaults() {
	a.GPTAttrs.defaults()
	a.CrossEntropyAttrs.defaults()
}

func (a *GPTLossAttrs) validate() error {
	return errors.Join(a.GPTAttrs.validate(), a.CrossEntropyAttrs.validate())
}

// GPTLoss adapts f.
func GPTLoss(f func(GPTLossArgs) error) Implementation { return Func(f) }

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
func (GPTCachedArgs) stateful()  {}

func (a *GPTCachedArgs) defaults() { a.GPTAttrs.defaults() }

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

func grouped(h, g int) error {
	if h%g != 0 {
		return fmt.Errorf("k has %d heads, q has %d: want q's heads to be a multiple of k's", g, h)
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

func activation(a string) error { return oneOf("activation", a, "relu", "gelu", "gelu_tanh") }

func atLeast(name string, x, low int) error {
	if x < low {
		return fmt.Errorf("%s = %d: want at least %d", name, x, low)
	}
	return nil
}

func capacity(c int) error {
	if c < 1 || c > 1<<24 {
		return fmt.Errorf("capacity = %d: want from 1 to 2^24", c)
	}
	return nil
}

func validScale(s *float64) error {
	if s != nil && (*s == 0 || math.IsNaN(*s) || math.IsInf(*s, 0)) {
		return fmt.Errorf("scale = %v: want a finite number other than 0, or none for 1/sqrt(head dim)", *s)
	}
	return nil
}

// scale resolves the scale attribute: 1/sqrt(head dim), formed in float64, where it is absent.
func scale(s *float64, headDim int) float64 {
	if s != nil {
		return *s
	}
	return 1 / math.Sqrt(float64(headDim))
}
