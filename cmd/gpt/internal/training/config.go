// Package training trains a GPT on text, so that a run that was stopped and resumed is, bit for bit, the run that never stopped.
package training

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/philox"
	"github.com/assaykit/assay/optimized"
)

// Config is all that a run depends on besides its text. It is kept in checkpoints.
type Config struct {
	Layers     int              `json:"layers"`
	Width      int              `json:"width"`
	FFN        int              `json:"ffn"`
	Context    int              `json:"context"` // the length of the windows that it trains on, and of what it can see
	Batch      int              `json:"batch"`   // windows in a micro-batch
	Accumulate int              `json:"accumulate"`
	Steps      int              `json:"steps"` // that it was begun for
	Seed       uint64           `json:"seed"`
	Attrs      op.GPTTrainAttrs `json:"attrs"`

	Files      []string     `json:"files,omitempty"` // empty: the embedded text
	Rules      corpus.Rules `json:"rules"`
	Fraction   float64      `json:"fraction"` // of the tokens, to validate with
	EvalTokens int          `json:"eval_tokens"`
	Digest     string       `json:"digest"` // of the tokens
}

// The largest sizes.
const (
	MaxLayers     = 1 << 10
	MaxWidth      = 1 << 16
	MaxFFN        = 1 << 18
	MaxContext    = 1 << 16
	MaxBatch      = 1 << 16
	MaxEvalTokens = 1 << 30
)

// Validate reports sizes that make no model or no batch. The attributes are checked where the op is opened.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name      string
		got, most int
	}{
		{"layers", c.Layers, MaxLayers}, {"width", c.Width, MaxWidth}, {"ffn", c.FFN, MaxFFN}, {"context", c.Context, MaxContext},
		{"batch", c.Batch, MaxBatch}, {"accumulate", c.Accumulate, MaxBatch}, {"eval_tokens", c.EvalTokens, MaxEvalTokens},
	} {
		if f.got < 1 || f.got > f.most {
			return fmt.Errorf("%s is %d: want from 1 to %d", f.name, f.got, f.most)
		}
	}
	if c.Attrs.Heads < 1 || c.Width%c.Attrs.Heads != 0 {
		return fmt.Errorf("width is %d and heads %d: want a width that is a multiple of heads", c.Width, c.Attrs.Heads)
	}
	return nil
}

// positions returns the shape of the table of positions: nil where none are learned.
func (c *Config) positions() []int {
	if c.Attrs.Positions != "learned" {
		return nil
	}
	return []int{c.Context, c.Width}
}

// spec returns the op gpt.train of the configuration.
func (c *Config) spec(w op.GPTWeights) (op.Spec, error) {
	attrs, err := json.Marshal(c.Attrs)
	return op.Spec{Op: op.GPTTrainArgs{}.Op(), Attrs: attrs, Const: w.Tensors()}, err
}

// deviation is that of the initial weights of GPT-2.
const deviation = 0.02

// InitialWeights draws the weights as GPT-2 does: N(0, 0.02) for tables and matrices, with those that end in the residual stream divided by
// sqrt(2 layers); biases are 0, and so are the shifts of normalizations, whose scales are 1. SPEC.md INIT.
func (c *Config) InitialWeights(vocab int) (op.GPTWeights, error) {
	l, d, f := c.Layers, c.Width, c.FFN
	zeros := func(shape ...int) op.Tensor { return op.New(op.F32, shape...) }
	ones := func(shape ...int) op.Tensor {
		t := op.New(op.F32, shape...)
		for i := range t.F32 {
			t.F32[i] = 1
		}
		return t
	}
	w := op.GPTWeights{
		Wte: zeros(vocab, d), Wq: zeros(l, d, d), Wk: zeros(l, d, d), Wv: zeros(l, d, d), Wo: zeros(l, d, d), W1: zeros(l, d, f), W2: zeros(l, f, d),
		Bq: zeros(l, d), Bk: zeros(l, d), Bv: zeros(l, d), Bo: zeros(l, d), B1: zeros(l, f), B2: zeros(l, d),
		LN1Gamma: ones(l, d), LN1Beta: zeros(l, d), LN2Gamma: ones(l, d), LN2Beta: zeros(l, d),
	}
	if shape := c.positions(); shape != nil {
		w.Wpe = zeros(shape...)
	}
	if c.Attrs.Norm == "pre" {
		w.LNfGamma, w.LNfBeta = ones(d), zeros(d)
	}
	matrices := []op.Tensor{w.Wte, w.Wpe, w.Wq, w.Wk, w.Wv, w.W1, w.Wo, w.W2}
	for i, t := range matrices {
		residual := 0
		if i >= 6 {
			residual = l
		}
		if t.Present() {
			if err := c.draw(t, uint64(i), residual); err != nil {
				return op.GPTWeights{}, err
			}
		}
	}
	return w, nil
}

// drawRows is how many rows are drawn at a time: the draws take four times the room of the weights.
const drawRows = 1 << 10

// draw fills t, as rows along its last axis, by the op init.
func (c *Config) draw(t op.Tensor, stream uint64, layers int) error {
	attrs, err := json.Marshal(op.InitAttrs{Scheme: "normal", Gain: 1, Mode: "fan_in", Std: deviation, Layers: layers})
	if err != nil {
		return err
	}
	k, err := optimized.New().Open(op.Spec{Op: op.InitArgs{}.Op(), Attrs: attrs})
	if err != nil {
		return err
	}
	cols := t.Shape[len(t.Shape)-1]
	const notABatch = 1 << 63 // batches draw from the streams below
	for chunk := range slices.Chunk(t.F32, drawRows*cols) {
		draws := op.New(op.I64, len(chunk)/cols, cols, 2)
		philox.Fill(draws.I64, c.Seed, notABatch|stream)
		if err := k.Run([]op.Tensor{op.Float32(chunk, len(chunk)/cols, cols)}, []op.Tensor{draws}); err != nil {
			return err
		}
		stream += 1 << 8
	}
	return nil
}
