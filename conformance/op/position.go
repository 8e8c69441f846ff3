package op

import (
	"fmt"
)

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

var _ = add(SinusoidalPositionsArgs{}, nil, Row{Family: "position", Group: "products, rows, lookups"})

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

var _ = add(LearnedPositionsArgs{}, nil, Row{Family: "position", Group: "products, rows, lookups"})

// LearnedPositions adapts f.
func LearnedPositions(f func(LearnedPositionsArgs) error) Implementation { return Func(f) }
