package op

import (
	"errors"
	"strings"
)

// InitArgs: the initial values of a weight from random draws, SPEC.md INIT. Draws are numbers of 32 bits, one for each weight under a
// uniform scheme, two under a normal one.
type InitArgs struct {
	InitAttrs
	Draws Tensor `src:"draws" type:"i64" shape:"in out"`
	W     Tensor `dst:"w" shape:"in out"`
}

// InitAttrs: Mode and A belong to the Kaiming schemes, Std to normal. Layers, where it is not 0, divides by sqrt(2 Layers).
type InitAttrs struct {
	Scheme string  `json:"scheme"`
	Gain   float64 `json:"gain"`
	Mode   string  `json:"mode"`
	A      float64 `json:"a,omitempty"`
	Std    float64 `json:"std"`
	Layers int     `json:"layers,omitempty"`
}

func (InitArgs) Op() string { return "init" }

var _ = add(InitArgs{}, nil, Row{Family: "init", Group: "training"})

func (a *InitArgs) defaults() { a.InitAttrs = InitAttrs{Gain: 1, Mode: "fan_in", Std: 0.02} }

func (a *InitArgs) validate() error {
	return errors.Join(oneOf("scheme", a.Scheme, "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "normal"),
		oneOf("mode", a.Mode, "fan_in", "fan_out"), nonNegative("gain", a.Gain), nonNegative("a", a.A), nonNegative("std", a.Std),
		atLeast("layers", a.Layers, 0))
}

// Normal reports whether the scheme draws from a normal distribution, with two draws for each weight.
func (a *InitAttrs) Normal() bool { return strings.HasSuffix(a.Scheme, "normal") }

func (a *InitArgs) shapes() map[string]string {
	if a.Normal() {
		return map[string]string{"draws": "in out 2"}
	}
	return nil
}

// Init adapts f.
func Init(f func(InitArgs) error) Implementation { return Func(f) }
