package op

import (
	"errors"
	"fmt"
)

// GreedyArgs: the token with the largest logit in each row.
type GreedyArgs struct {
	Logits Tensor `src:"logits" shape:"N V"`
	Token  Tensor `dst:"token" type:"i64" shape:"N"`
}

func (GreedyArgs) Op() string { return "greedy" }

var _ = add(GreedyArgs{}, nil, Row{Family: "decode", Group: "decoding"})

// Greedy adapts f.
func Greedy(f func(GreedyArgs) error) Implementation { return Func(f) }

// DistributionArgs: the probabilities that sampling draws from.
type DistributionArgs struct {
	SamplingAttrs
	Logits Tensor `src:"logits" shape:"N V"`
	Probs  Tensor `dst:"probs" shape:"N V"`
}

// SamplingAttrs: logits are divided by Temperature (1 by default; 0: greedy), the TopK most likely kept (0: all), then the fewest whose
// probabilities reach TopP (1: all).
type SamplingAttrs struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k,omitempty"`
	TopP        float64 `json:"top_p"`
}

func (DistributionArgs) Op() string { return "distribution" }

var _ = add(DistributionArgs{}, nil, Row{Family: "decode", Group: "decoding"})

func (a *SamplingAttrs) defaults() { *a = SamplingAttrs{Temperature: 1, TopP: 1} }

func (a *SamplingAttrs) validate() error {
	err := errors.Join(nonNegative("temperature", a.Temperature), atLeast("top_k", a.TopK, 0))
	if !(a.TopP >= 0 && a.TopP <= 1) {
		err = errors.Join(err, fmt.Errorf("top_p = %v: want from 0 to 1", a.TopP))
	}
	return err
}

// Distribution adapts f.
func Distribution(f func(DistributionArgs) error) Implementation { return Func(f) }

// SampleArgs: one token a row, drawn from the distribution. Draws are unsigned 32-bit numbers.
type SampleArgs struct {
	SamplingAttrs
	Logits Tensor `src:"logits" shape:"N V"`
	Draws  Tensor `src:"draws" type:"i64" shape:"N"`
	Token  Tensor `dst:"token" type:"i64" shape:"N"`
}

func (SampleArgs) Op() string { return "sample" }

var _ = add(SampleArgs{}, nil, Row{Family: "decode", Group: "decoding"})

// Sample adapts f.
func Sample(f func(SampleArgs) error) Implementation { return Func(f) }
