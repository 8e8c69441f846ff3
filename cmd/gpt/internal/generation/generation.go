// Package generation has a trained model continue a text.
package generation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus/philox"
	"github.com/assaykit/assay/optimized"
)

// Options say how to choose tokens. The attributes are those of the op gpt.generate.
type Options struct {
	Strategy string // greedy, sample or beam
	op.SamplingAttrs
	op.BeamAttrs
	MaxNew int
	End    int64 // stops after it, and does not give it
	Seed   uint64
}

// Model is what continues texts.
type Model struct {
	Attrs   op.GPTAttrs
	Weights op.GPTWeights
	Context int // positions that it can see
}

// Generate continues a prompt, which is not empty, and gives the new tokens to emit as they come: with beam search, once it has ended. A
// model that comes to the end of its context goes on from the last half of it; beam search does not, and must fit.
func (m *Model) Generate(ctx context.Context, prompt []int64, o Options, emit func(ids ...int64) error) error {
	if len(prompt) == 0 {
		return errors.New("generate: the prompt has no tokens")
	}
	if o.Strategy == "beam" {
		return m.beam(prompt, o, emit)
	}
	prompt, left := slices.Clone(prompt), o.MaxNew
	for left > 0 {
		if len(prompt) >= m.Context {
			prompt = prompt[len(prompt)-max(1, m.Context/2):]
		}
		n := min(left, m.Context-len(prompt)+1)
		drawn := uint64(o.MaxNew - left)
		left -= n
		ended, err := m.window(ctx, &prompt, o, n, drawn, emit)
		if err != nil || ended {
			return err
		}
	}
	return nil
}

// window generates up to n tokens, behind which the context is full, and appends them to prompt. It reports whether End came. Draw i of a run
// is a function of the seed and i.
func (m *Model) window(ctx context.Context, prompt *[]int64, o Options, n int, drawn uint64, emit func(...int64) error) (ended bool, err error) {
	g, err := optimized.NewGenerator(m.Weights, m.attrs(o, n))
	if err != nil {
		return false, err
	}
	if err := g.Begin(*prompt); err != nil {
		return false, err
	}
	for i := range uint64(n) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		token, err := g.Next(philox.Block(o.Seed, [2]uint64{drawn + i, 0})[0])
		if err != nil || token.End {
			return token.End, err
		}
		if err := emit(token.ID); err != nil {
			return false, err
		}
		*prompt = append(*prompt, token.ID)
	}
	return false, nil
}

// attrs returns those of the op gpt.generate, with the ones that the strategy does not read at their defaults.
func (m *Model) attrs(o Options, maxNew int) op.GPTGenerateAttrs {
	a := op.GPTGenerateAttrs{GPTAttrs: m.Attrs, Strategy: o.Strategy, MaxNew: maxNew, End: []int{int(o.End)},
		SamplingAttrs: op.SamplingAttrs{Temperature: 1, TopP: 1}, BeamAttrs: op.BeamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"}}
	switch o.Strategy {
	case "sample":
		a.SamplingAttrs = o.SamplingAttrs
	case "beam":
		a.BeamAttrs = o.BeamAttrs
	}
	return a
}

// beam gives the best of the sequences that a beam search finds.
func (m *Model) beam(prompt []int64, o Options, emit func(...int64) error) error {
	if need := len(prompt) + o.MaxNew - 1; need > m.Context {
		return fmt.Errorf("a prompt of %d tokens and %d new ones need %d positions, and the model has %d: beam search needs all of them at once",
			len(prompt), o.MaxNew, need, m.Context)
	}
	attrs, err := json.Marshal(m.attrs(o, o.MaxNew))
	if err != nil {
		return err
	}
	spec, src := op.Spec{Op: "gpt.generate", Attrs: attrs, Const: m.Weights.Tensors()}, []op.Tensor{op.Int64(prompt, 1, len(prompt)), {}}
	dst, err := op.Shapes(spec, src, op.F32)
	if err != nil {
		return err
	}
	k, err := optimized.New().Open(spec)
	if err != nil {
		return err
	}
	if err := k.Run(dst, src); err != nil {
		return err
	}
	best := dst[0].I64[:dst[1].I64[0]]
	if n := len(best); n > 0 && best[n-1] == o.End {
		best = best[:n-1]
	}
	return emit(best...)
}

// Writer decodes tokens and writes their text, holding back what is not a whole character yet.
type Writer struct {
	W      io.Writer
	Decode func(ids []int64) ([]byte, error)
	held   []byte
}

// Emit writes the text of ids.
func (w *Writer) Emit(ids ...int64) error {
	text, err := w.Decode(ids)
	if err != nil {
		return err
	}
	w.held = append(w.held, text...)
	n := whole(w.held)
	_, err = w.W.Write(w.held[:n])
	w.held = append(w.held[:0], w.held[n:]...)
	return err
}

// Close writes what is held back.
func (w *Writer) Close() error {
	_, err := w.W.Write(w.held)
	w.held = nil
	return err
}
