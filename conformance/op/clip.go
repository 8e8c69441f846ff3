package op

import (
	"errors"
)

// ClipNormArgs: a gradient scaled down to a norm, SPEC.md CLIP. Norm is the norm before clipping.
type ClipNormArgs struct {
	ClipNormAttrs
	G    Tensor `src:"g" shape:"..."`
	Y    Tensor `dst:"y" shape:"..."`
	Norm Tensor `dst:"norm" shape:""`
}

// ClipNormAttrs: Eps is added to the norm that divides.
type ClipNormAttrs struct {
	MaxNorm float64 `json:"max_norm"`
	Eps     float64 `json:"eps"`
}

func (ClipNormArgs) Op() string { return "clip_norm" }

var _ = add(ClipNormArgs{}, nil, Row{Family: "clip", Group: "training"})

func (a *ClipNormArgs) defaults() { a.Eps = 1e-6 }

func (a *ClipNormArgs) validate() error {
	return errors.Join(positive("max_norm", a.MaxNorm), nonNegative("eps", a.Eps))
}

// ClipNorm adapts f.
func ClipNorm(f func(ClipNormArgs) error) Implementation { return Func(f) }

// ClipValueArgs: a gradient whose elements are kept within [-limit, limit], SPEC.md CLIP.
type ClipValueArgs struct {
	ClipValueAttrs
	G Tensor `src:"g" shape:"..."`
	Y Tensor `dst:"y" shape:"..."`
}

// ClipValueAttrs hold the largest magnitude.
type ClipValueAttrs struct {
	Limit float64 `json:"limit"`
}

func (ClipValueArgs) Op() string { return "clip_value" }

var _ = add(ClipValueArgs{}, nil, Row{Family: "clip", Group: "training"})

func (a *ClipValueArgs) validate() error { return positive("limit", a.Limit) }

// ClipValue adapts f.
func ClipValue(f func(ClipValueArgs) error) Implementation { return Func(f) }
