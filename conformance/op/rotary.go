package op

import (
	"errors"
	"fmt"
)

// RotaryArgs: rotary position embedding of the heads of queries or keys, SPEC.md ROT.
type RotaryArgs struct {
	RotaryInputs
	Y Tensor `dst:"y" shape:"B H T D"`
}

// RotaryInputs are what rotary and its gradient take.
type RotaryInputs struct {
	RotaryAttrs
	X   Tensor `src:"x" shape:"B H T D"`
	Pos Tensor `src:"pos" type:"i64" shape:"B|1 T"`
}

// RotaryAttrs: which features make a pair (interleaved by default, or halves), how many are rotated (0: all), and the base of the
// wavelengths (10000 by default).
type RotaryAttrs struct {
	Pairing   string  `json:"pairing,omitempty"`
	RotaryDim int     `json:"rotary_dim,omitempty"`
	Base      float64 `json:"base"`
}

func (RotaryArgs) Op() string { return "rotary" }

var _ = add(RotaryArgs{}, RotaryGradArgs{}, Row{Family: "rotary", Group: "llama"})

func (a *RotaryAttrs) defaults() { a.Pairing, a.Base = "interleaved", 10000 }

func (a *RotaryAttrs) validate() error {
	var dim, base error
	if a.RotaryDim < 0 || a.RotaryDim%2 != 0 {
		dim = fmt.Errorf("rotary_dim = %d: want an even number of at least 2, or 0 for all features", a.RotaryDim)
	}
	if !(a.Base >= 1) || a.Base > 1e12 {
		base = fmt.Errorf("base = %v: want from 1 to 1e12", a.Base)
	}
	return errors.Join(oneOf("pairing", a.Pairing, "interleaved", "halves"), dim, base)
}

func (a *RotaryInputs) check(d *dims) error {
	switch size := d.get("D"); {
	case a.RotaryDim > size:
		return fmt.Errorf("rotary_dim is %d, x has %d features", a.RotaryDim, size)
	case size%2 != 0 && a.RotaryDim == 0:
		return fmt.Errorf("x has %d features: want an even number, or rotary_dim", size)
	}
	return nil
}

// Rotated returns how many features are rotated: the attribute, or all where it is 0.
func (a *RotaryInputs) Rotated() int {
	if a.RotaryDim == 0 {
		return a.X.Shape[3]
	}
	return a.RotaryDim
}

// Position returns the position of row t of item b of the batch.
func (a *RotaryInputs) Position(b, t int) int64 {
	return a.Pos.I64[b%a.Pos.Shape[0]*a.Pos.Shape[1]+t]
}

// Rotary adapts f.
func Rotary(f func(RotaryArgs) error) Implementation { return Func(f) }

// RotaryGradArgs: the gradient of RotaryArgs.
type RotaryGradArgs struct {
	RotaryInputs
	DY Tensor `src:"dy" shape:"B H T D"`
	DX Tensor `dst:"dx" shape:"B H T D"`
}

func (RotaryGradArgs) Op() string { return "rotary.grad" }

// RotaryGrad adapts f.
func RotaryGrad(f func(RotaryGradArgs) error) Implementation { return Func(f) }
