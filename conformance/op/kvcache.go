package op

import (
	"errors"
)

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

var _ = add(AttentionCachedArgs{}, nil, Row{Family: "kvcache", Group: "attention", Stateful: true})

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
