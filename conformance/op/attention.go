package op

import (
	"errors"
	"fmt"
	"math"
)

// AttentionArgs: scaled dot-product attention, SPEC.md ATT and MSK. Mask is boolean (true: may attend) or float (added to the scores).
type AttentionArgs struct {
	AttentionInputs
	Out Tensor `dst:"out" shape:"B H Tq Dv"`
}

// AttentionInputs are what attention and its gradient take.
type AttentionInputs struct {
	AttentionAttrs
	Q    Tensor `src:"q" shape:"B H Tq D"`
	K    Tensor `src:"k" shape:"B G Tk D"`
	V    Tensor `src:"v" shape:"B G Tk Dv"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 Tq Tk"`
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

var _ = add(AttentionArgs{}, AttentionGradArgs{}, Row{Family: "attention", Group: "attention"})

func (a *AttentionInputs) check(d *dims) error { return grouped(d.get("H"), d.get("G")) }

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(D) where it is absent.
func (a *AttentionInputs) EffectiveScale() float64 { return scale(a.Scale, a.Q.Shape[3]) }

func (a *AttentionAttrs) validate() error {
	return errors.Join(validScale(a.Scale), atLeast("window", a.Window, 0), nonNegative("softcap", a.Softcap))
}

// AttentionDims are the lengths of attention's axes.
type AttentionDims struct{ Batch, Heads, KVHeads, SeqQ, SeqK, HeadDim, ValueDim int }

// Dims returns the lengths of the axes.
func (a *AttentionInputs) Dims() AttentionDims {
	return AttentionDims{a.Q.Shape[0], a.Q.Shape[1], a.K.Shape[1], a.Q.Shape[2], a.K.Shape[2], a.Q.Shape[3], a.V.Shape[3]}
}

// Attention adapts f.
func Attention(f func(AttentionArgs) error) Implementation { return Func(f) }

// AttentionGradArgs: the gradients of AttentionArgs.
type AttentionGradArgs struct {
	AttentionInputs
	DOut Tensor `src:"dout" shape:"B H Tq Dv"`
	DQ   Tensor `dst:"dq" shape:"B H Tq D"`
	DK   Tensor `dst:"dk" shape:"B G Tk D"`
	DV   Tensor `dst:"dv" shape:"B G Tk Dv"`
}

func (AttentionGradArgs) Op() string { return "attention.grad" }

// AttentionGrad adapts f.
func AttentionGrad(f func(AttentionGradArgs) error) Implementation { return Func(f) }

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

var _ = add(AttentionScoresArgs{}, nil, Row{Family: "attention", Group: "attention"})

func (a *AttentionScoresArgs) defaults() { a.Stage = "weights" }

func (a *AttentionScoresArgs) check(d *dims) error { return grouped(d.get("H"), d.get("G")) }

func (a *AttentionScoresArgs) validate() error {
	return errors.Join(a.AttentionAttrs.validate(), oneOf("stage", a.Stage, "scores", "capped", "masked", "weights"))
}

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(D) where it is absent.
func (a *AttentionScoresArgs) EffectiveScale() float64 { return scale(a.Scale, a.Q.Shape[3]) }

// AttentionScores adapts f.
func AttentionScores(f func(AttentionScoresArgs) error) Implementation { return Func(f) }

func grouped(h, g int) error {
	if h%g != 0 {
		return fmt.Errorf("k has %d heads, q has %d: want q's heads to be a multiple of k's", g, h)
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
