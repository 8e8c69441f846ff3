// Package checkpoint keeps a model that is being trained in one safetensors file: the parameters under the names of SPEC.md, so that any
// safetensors library reads them; both moments of Adam; the losses so far; and, as metadata, the configuration and the tokenizer. Batches
// are a function of the seed and the step, so that this is all there is to remember of a run.
package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus/tokenizer"
)

// format is what the metadata of every checkpoint calls itself.
const format = "assaykit/gpt 1"

// maxBytes bounds what is read.
const maxBytes = 16 << 30

// ErrNotACheckpoint is wrapped by the errors about files that are none, or not whole.
var ErrNotACheckpoint = errors.New("not a checkpoint of gpt train")

// Checkpoint is the whole state of a training run.
type Checkpoint struct {
	Config    json.RawMessage // the caller's
	Tokenizer tokenizer.Tokenizer
	Steps     int // taken
	W, M, V   op.GPTWeights
	Losses    []float64 // of each step
	Validated []Validation
}

// Validation is a validation loss, after so many steps.
type Validation struct {
	Steps int
	Loss  float64
}

// the prefixes of the names of the moments
const prefixM, prefixV = "adam.m.", "adam.v."

// names are the parameters' in table order.
var names = func() (out []string) {
	args, _ := op.Arguments(op.GPTTrainArgs{}.Op())
	for _, a := range args {
		if a.Role == op.Const {
			out = append(out, a.Name)
		}
	}
	return out
}()

// Write replaces the file at path by the checkpoint, whole or not at all: where it fails, what was there stays.
func (c *Checkpoint) Write(path string) error {
	data, err := c.encode()
	if err != nil {
		return err
	}
	return replace(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (c *Checkpoint) encode() ([]byte, error) {
	tensors := map[string]op.Tensor{}
	for prefix, w := range map[string]*op.GPTWeights{"": &c.W, prefixM: &c.M, prefixV: &c.V} {
		for i, t := range w.Tensors() {
			if t.Present() {
				tensors[prefix+names[i]] = t
			}
		}
	}
	if len(c.Losses) > 0 {
		tensors["losses"] = op.Float64(c.Losses, len(c.Losses))
	}
	if n := len(c.Validated); n > 0 {
		steps, losses := op.New(op.I64, n), op.New(op.F64, n)
		for i, v := range c.Validated {
			steps.I64[i], losses.F64[i] = int64(v.Steps), v.Loss
		}
		tensors["validation.steps"], tensors["validation.losses"] = steps, losses
	}
	tok, err := json.Marshal(c.Tokenizer)
	if err != nil {
		return nil, err
	}
	meta := map[string]string{"format": format, "config": string(c.Config), "tokenizer": string(tok), "steps": strconv.Itoa(c.Steps)}
	meta["sha256"] = sum(tensors, meta)
	return vector.EncodeWithMetadata(tensors, meta)
}

// sum is a hash of all that a checkpoint holds: a safetensors file alone does not show that a byte has changed.
func sum(tensors map[string]op.Tensor, meta map[string]string) string {
	h := sha256.New()
	b := fmt.Appendf(nil, "%q %q %q %q\n", meta["format"], meta["config"], meta["tokenizer"], meta["steps"])
	h.Write(b)
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		b = fmt.Appendf(b[:0], "%q %v %v\n", name, t.DType, t.Shape)
		for _, x := range t.F32 {
			b = append32(b, math.Float32bits(x))
		}
		for _, x := range t.F64 {
			b = append64(b, math.Float64bits(x))
		}
		for _, x := range t.I64 {
			b = append64(b, uint64(x))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func append32(b []byte, x uint32) []byte {
	return append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
}

func append64(b []byte, x uint64) []byte { return append32(append32(b, uint32(x)), uint32(x>>32)) }

// Read returns the checkpoint in a file. What cannot be one, whole and unchanged, is an error that wraps ErrNotACheckpoint.
func Read(path string) (*Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxBytes:
		return nil, fmt.Errorf("%s: %w: want a regular file of at most %d bytes", path, ErrNotACheckpoint, int64(maxBytes))
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrNotACheckpoint, err)
	}
	return c, nil
}

func decode(data []byte) (*Checkpoint, error) {
	meta, err := vector.Metadata(data)
	if err != nil {
		return nil, fmt.Errorf("no safetensors file, or one that was cut off: %w", err)
	}
	if meta["format"] != format {
		return nil, fmt.Errorf("its format is %q, want %q", meta["format"], format)
	}
	tensors, err := vector.DecodeSafetensors(data)
	if err != nil {
		return nil, err
	}
	if got := sum(tensors, meta); got != meta["sha256"] {
		return nil, errors.New("it does not hold what was written: the file was changed")
	}
	c := &Checkpoint{Config: json.RawMessage(meta["config"])}
	if c.Steps, err = strconv.Atoi(meta["steps"]); err != nil || c.Steps < 0 {
		return nil, fmt.Errorf("it has taken %q steps", meta["steps"])
	}
	if c.Tokenizer, err = tokenizer.Load([]byte(meta["tokenizer"])); err != nil {
		return nil, err
	}
	for prefix, w := range map[string]*op.GPTWeights{"": &c.W, prefixM: &c.M, prefixV: &c.V} {
		for i, t := range fields(w) {
			*t = tensors[prefix+names[i]]
		}
	}
	if c.Losses = tensors["losses"].F64; len(c.Losses) != c.Steps {
		return nil, fmt.Errorf("it has the losses of %d steps, and has taken %d", len(c.Losses), c.Steps)
	}
	steps, losses := tensors["validation.steps"].I64, tensors["validation.losses"].F64
	if len(steps) != len(losses) {
		return nil, fmt.Errorf("it has %d validation losses at %d steps", len(losses), len(steps))
	}
	for i := range steps {
		c.Validated = append(c.Validated, Validation{int(steps[i]), losses[i]})
	}
	return c, nil
}

// fields returns the parameters in table order.
func fields(w *op.GPTWeights) []*op.Tensor {
	return []*op.Tensor{
		&w.Wte, &w.Wpe, &w.LN1Gamma, &w.LN1Beta, &w.Wq, &w.Bq, &w.Wk, &w.Bk, &w.Wv, &w.Bv, &w.Wo, &w.Bo,
		&w.LN2Gamma, &w.LN2Beta, &w.W1, &w.B1, &w.W2, &w.B2, &w.LNfGamma, &w.LNfBeta, &w.Wout,
	}
}

// replace writes a file beside its place, has it reach the disk, and then gives it its name.
func replace(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = fill(f); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	if dir, derr := os.Open(filepath.Dir(path)); derr == nil { // the new name reaches the disk too, where a directory can be synced
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}
