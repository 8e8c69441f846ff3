package op

import (
	"fmt"
	"math"
)

// MatMulArgs: C = A B over the last two axes, SPEC.md MM.
type MatMulArgs struct {
	MatMulAttrs
	A Tensor `src:"a" shape:"... M K"`
	B Tensor `src:"b" shape:"... K N"`
	C Tensor `dst:"c" shape:"... M N"`
}

// MatMulAttrs: whether A is stored as [K, M] and B as [N, K].
type MatMulAttrs struct {
	TransposeA bool `json:"transpose_a,omitempty"`
	TransposeB bool `json:"transpose_b,omitempty"`
}

func (MatMulArgs) Op() string { return "matmul" }

func (a *MatMulArgs) shapes() map[string]string { return a.MatMulAttrs.shapes() }

func (a *MatMulAttrs) shapes() map[string]string {
	m := map[string]string{}
	if a.TransposeA {
		m["a"] = "... K M"
	}
	if a.TransposeB {
		m["b"] = "... N K"
	}
	return m
}

// MatMul adapts f.
func MatMul(f func(MatMulArgs) error) Implementation { return Func(f) }

// LinearArgs: Y = X W + b, SPEC.md LIN.
type LinearArgs struct {
	W Tensor `const:"w" shape:"in out"`
	B Tensor `const:"b,optional" shape:"out"`
	X Tensor `src:"x" shape:"... in"`
	Y Tensor `dst:"y" shape:"... out"`
}

func (LinearArgs) Op() string { return "linear" }

// Linear adapts f.
func Linear(f func(LinearArgs) error) Implementation { return Func(f) }

// SoftmaxArgs: softmax over the last axis, SPEC.md SM.
type SoftmaxArgs struct {
	X Tensor `src:"x" shape:"... n"`
	Y Tensor `dst:"y" shape:"... n"`
}

func (SoftmaxArgs) Op() string { return "softmax" }

// Softmax adapts f.
func Softmax(f func(SoftmaxArgs) error) Implementation { return Func(f) }

// LogSoftmaxArgs: the logarithm of softmax over the last axis, SPEC.md SM.
type LogSoftmaxArgs struct {
	X Tensor `src:"x" shape:"... n"`
	Y Tensor `dst:"y" shape:"... n"`
}

func (LogSoftmaxArgs) Op() string { return "log_softmax" }

// LogSoftmax adapts f.
func LogSoftmax(f func(LogSoftmaxArgs) error) Implementation { return Func(f) }

// ReLUArgs: max(x, 0), SPEC.md ACT.
type ReLUArgs struct {
	X Tensor `src:"x" shape:"..."`
	Y Tensor `dst:"y" shape:"..."`
}

func (ReLUArgs) Op() string { return "relu" }

// ReLU adapts f.
func ReLU(f func(ReLUArgs) error) Implementation { return Func(f) }

// GELUArgs: the Gaussian error linear unit, SPEC.md ACT.
type GELUArgs struct {
	GELUAttrs
	X Tensor `src:"x" shape:"..."`
	Y Tensor `dst:"y" shape:"..."`
}

// GELUAttrs: Approximate is "none" (the default) for the erf form or "tanh".
type GELUAttrs struct {
	Approximate string `json:"approximate,omitempty"`
}

func (GELUArgs) Op() string { return "gelu" }

func (a *GELUArgs) defaults()       { a.GELUAttrs.defaults() }
func (a *GELUArgs) validate() error { return a.GELUAttrs.validate() }

func (a *GELUAttrs) defaults()       { a.Approximate = "none" }
func (a *GELUAttrs) validate() error { return oneOf("approximate", a.Approximate, "none", "tanh") }

// GELU adapts f.
func GELU(f func(GELUArgs) error) Implementation { return Func(f) }

// LayerNormArgs: layer normalization over the last axis, SPEC.md LN.
type LayerNormArgs struct {
	LayerNormAttrs
	Gamma Tensor `const:"gamma" shape:"d"`
	Beta  Tensor `const:"beta" shape:"d"`
	X     Tensor `src:"x" shape:"... d"`
	Y     Tensor `dst:"y" shape:"... d"`
}

// LayerNormAttrs: Eps is added to the variance inside the root; 1e-5 by default.
type LayerNormAttrs struct {
	Eps float64 `json:"eps"`
}

func (LayerNormArgs) Op() string { return "layernorm" }

func (a *LayerNormArgs) defaults()       { a.LayerNormAttrs.defaults() }
func (a *LayerNormArgs) validate() error { return a.LayerNormAttrs.validate() }

func (a *LayerNormAttrs) defaults()       { a.Eps = 1e-5 }
func (a *LayerNormAttrs) validate() error { return nonNegative("eps", a.Eps) }

// LayerNorm adapts f.
func LayerNorm(f func(LayerNormArgs) error) Implementation { return Func(f) }

// EmbeddingArgs: rows of a table by token id, SPEC.md EMB.
type EmbeddingArgs struct {
	Table Tensor `const:"table" shape:"V d"`
	IDs   Tensor `src:"ids" type:"i64" shape:"..."`
	Y     Tensor `dst:"y" shape:"... d"`
}

func (EmbeddingArgs) Op() string { return "embedding" }

// Embedding adapts f.
func Embedding(f func(EmbeddingArgs) error) Implementation { return Func(f) }

// SinusoidalPositionsArgs: the fixed position encoding of the original Transformer, SPEC.md PE.
type SinusoidalPositionsArgs struct {
	SinusoidalPositionsAttrs
	Pos Tensor `src:"pos" type:"i64" shape:"T"`
	Y   Tensor `dst:"y" shape:"T d"`
}

// SinusoidalPositionsAttrs: the width of the encoding, which is even.
type SinusoidalPositionsAttrs struct {
	DModel int `json:"d_model"`
}

func (SinusoidalPositionsArgs) Op() string { return "sinusoidal_positions" }

func (a *SinusoidalPositionsArgs) preset(d *dims) { d.set("d", a.DModel) }

func (a *SinusoidalPositionsArgs) validate() error {
	if a.DModel <= 0 || a.DModel%2 != 0 || a.DModel > 1<<20 {
		return fmt.Errorf("d_model = %d: want an even number from 2 to 2^20", a.DModel)
	}
	return nil
}

// SinusoidalPositions adapts f.
func SinusoidalPositions(f func(SinusoidalPositionsArgs) error) Implementation { return Func(f) }

// LearnedPositionsArgs: rows of a position table, SPEC.md PE.
type LearnedPositionsArgs struct {
	Table Tensor `const:"table" shape:"C d"`
	Pos   Tensor `src:"pos" type:"i64" shape:"T"`
	Y     Tensor `dst:"y" shape:"T d"`
}

func (LearnedPositionsArgs) Op() string { return "learned_positions" }

// LearnedPositions adapts f.
func LearnedPositions(f func(LearnedPositionsArgs) error) Implementation { return Func(f) }

// CrossEntropyArgs: the loss of logits against target classes, SPEC.md XE. Loss is [N] under reduction none, a scalar otherwise.
type CrossEntropyArgs struct {
	CrossEntropyAttrs
	Logits  Tensor `src:"logits" shape:"N V"`
	Targets Tensor `src:"targets" type:"i64" shape:"N"`
	Loss    Tensor `dst:"loss" shape:"N"`
}

// CrossEntropyAttrs: rows whose target is IgnoreIndex (-100 by default) do not count; Reduction is none, mean (the default) or sum.
type CrossEntropyAttrs struct {
	IgnoreIndex int    `json:"ignore_index"`
	Reduction   string `json:"reduction"`
}

func (CrossEntropyArgs) Op() string { return "cross_entropy" }

func (a *CrossEntropyArgs) defaults()                 { a.CrossEntropyAttrs.defaults() }
func (a *CrossEntropyArgs) validate() error           { return a.CrossEntropyAttrs.validate() }
func (a *CrossEntropyArgs) shapes() map[string]string { return a.CrossEntropyAttrs.shapes() }

func (a *CrossEntropyAttrs) defaults() { *a = CrossEntropyAttrs{IgnoreIndex: -100, Reduction: "mean"} }

func (a *CrossEntropyAttrs) validate() error {
	return oneOf("reduction", a.Reduction, "none", "mean", "sum")
}

func (a *CrossEntropyAttrs) shapes() map[string]string {
	if a.Reduction != "none" {
		return map[string]string{"loss": ""}
	}
	return nil
}

// CrossEntropy adapts f.
func CrossEntropy(f func(CrossEntropyArgs) error) Implementation { return Func(f) }

func oneOf(name, got string, want ...string) error {
	for _, w := range want {
		if got == w {
			return nil
		}
	}
	return fmt.Errorf("%s = %q: want one of %q", name, got, want)
}

func nonNegative(name string, x float64) error {
	if !(x >= 0) || math.IsInf(x, 1) {
		return fmt.Errorf("%s = %v: want a finite number of at least 0", name, x)
	}
	return nil
}
