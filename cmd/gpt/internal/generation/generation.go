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
	"github.com/assaykit/assay/conformance/refimpl"
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

// window generates up to n tokens, behind which the context is full, and appends them to prompt. It reports whether End came.
func (m *Model) window(ctx context.Context, prompt *[]int64, o Options, n int, drawn uint64, emit func(...int64) error) (ended bool, err error) {
	vocab := m.Weights.Wte.Shape[0]
	attrs, err := json.Marshal(op.GPTCachedAttrs{GPTAttrs: m.Attrs, Capacity: m.Context})
	if err != nil {
		return false, err
	}
	model, err := optimized.New().Open(op.Spec{Op: "gpt.cached", Attrs: attrs, Const: m.Weights.Tensors()})
	if err != nil {
		return false, err
	}
	ids, pos := *prompt, 0
	for i := range uint64(n) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		logits := op.New(op.F32, 1, len(ids), vocab)
		if err := model.Run([]op.Tensor{logits}, []op.Tensor{op.Int64(ids, 1, len(ids)), op.Int64([]int64{int64(pos)}), {}}); err != nil {
			return false, err
		}
		pos += len(ids)
		last := op.Float32(logits.F32[len(logits.F32)-vocab:], 1, vocab)
		token, err := o.choose(last, drawn+i)
		if err != nil {
			return false, err
		}
		if token == o.End {
			return true, nil
		}
		if err := emit(token); err != nil {
			return false, err
		}
		ids = []int64{token}
		*prompt = append(*prompt, token)
	}
	return false, nil
}

// choose chooses the next token by the op greedy or sample. Draw i of a run is a function of the seed and i.
func (o *Options) choose(logits op.Tensor, i uint64) (int64, error) {
	if o.Strategy == "greedy" {
		dst, err := run(op.Spec{Op: "greedy"}, logits)
		if err != nil {
			return 0, err
		}
		return dst[0].I64[0], nil
	}
	attrs, err := json.Marshal(o.SamplingAttrs)
	if err != nil {
		return 0, err
	}
	draw := op.Int64([]int64{int64(philox.Block(o.Seed, [2]uint64{i, 0})[0])}, 1)
	dst, err := run(op.Spec{Op: "sample", Attrs: attrs}, logits, draw)
	if err != nil {
		return 0, err
	}
	return dst[0].I64[0], nil
}

// decoding serves the ops that choose tokens.
var decoding = refimpl.New()

// run runs an op of decoding once on sources of F32.
func run(spec op.Spec, src ...op.Tensor) ([]op.Tensor, error) {
	storage := op.FormatsOf(decoding).Storage.DType()
	convert := func(ts []op.Tensor) []op.Tensor {
		out := make([]op.Tensor, len(ts))
		for i, t := range ts {
			out[i] = t.Convert(storage)
		}
		return out
	}
	spec.Const, src = convert(spec.Const), convert(src)
	dst, err := op.Shapes(spec, src, storage)
	if err != nil {
		return nil, err
	}
	k, err := decoding.Open(spec)
	if err != nil {
		return nil, err
	}
	return dst, k.Run(dst, src)
}

func (m *Model) beam(prompt []int64, o Options, emit func(...int64) error) error {
	a := op.GPTGenerateAttrs{GPTAttrs: m.Attrs, SamplingAttrs: op.SamplingAttrs{Temperature: 1, TopP: 1}, BeamAttrs: o.BeamAttrs, Strategy: "beam",
		MaxNew: o.MaxNew, End: []int{int(o.End)}}
	if need := len(prompt) + o.MaxNew - 1; need > m.Context {
		return fmt.Errorf("a prompt of %d tokens and %d new ones need %d positions, and the model has %d: beam search needs all of them at once",
			len(prompt), o.MaxNew, need, m.Context)
	}
	attrs, err := json.Marshal(a)
	if err != nil {
		return err
	}
	dst, err := run(op.Spec{Op: "gpt.generate", Attrs: attrs, Const: m.Weights.Tensors()}, op.Int64(prompt, 1, len(prompt)), op.Tensor{})
	if err != nil {
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
