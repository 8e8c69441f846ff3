// Package checkpoint keeps a model that is being trained in one safetensors file: the parameters under the names of SPEC.md, so that any
// safetensors library reads them; both moments of Adam; the losses so far; and, as metadata, the configuration and the tokenizer. Batches
// are a function of the seed and the step, so that this is all there is to remember of a run.
package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/nlpodyssey/safetensors"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus/tokenizer"
	"github.com/assaykit/assay/internal/input"
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

// Write writes the checkpoint.
func (c *Checkpoint) Write(w io.Writer) error {
	tensors := map[string]op.Tensor{}
	for prefix, weights := range map[string]*op.GPTWeights{"": &c.W, prefixM: &c.M, prefixV: &c.V} {
		for i, t := range weights.Tensors() {
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
		return err
	}
	meta := map[string]string{"format": format, "config": string(c.Config), "tokenizer": string(tok), "steps": strconv.Itoa(c.Steps)}
	meta["sha256"] = sum(tensors, meta)
	return vector.WriteSafetensors(w, tensors, meta)
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
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		for _, x := range t.F64 {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		for _, x := range t.I64 {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Read returns the checkpoint in a file. What cannot be one, whole and unchanged, is an error that wraps ErrNotACheckpoint; it is found out from the
// header, as far as that tells, before the rest is read.
func Read(path string) (*Checkpoint, error) {
	f, err := input.Open(path, maxBytes)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c, err := read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrNotACheckpoint, err)
	}
	return c, nil
}

// read returns the checkpoint in size bytes.
func read(r io.ReaderAt, size int64) (*Checkpoint, error) {
	if err := checkHeader(r, size); err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err := r.ReadAt(data, 0); err != nil {
		return nil, err
	}
	return decode(data)
}

// maxHeader bounds the header. It holds the characters of the vocabulary, and a line for each tensor.
const maxHeader = 16 << 20

// checkHeader reports a file that is not as long as its header says, or is no checkpoint's.
func checkHeader(r io.ReaderAt, size int64) error {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return fmt.Errorf("no safetensors file: it has %d bytes", size)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return fmt.Errorf("no safetensors file, or one that was cut off: it has %d bytes, and its first eight announce a header of %d", size, n)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, 8); err != nil {
		return err
	}
	var header safetensors.Metadata
	if err := json.Unmarshal(text, &header); err != nil {
		return fmt.Errorf("no safetensors file: %w", err)
	}
	if got := header.Metadata()["format"]; got != format {
		return fmt.Errorf("its format is %q, want %q", got, format)
	}
	end := uint64(0)
	for _, t := range header.Tensors() {
		end = max(end, t.DataOffsets[1])
	}
	if want := 8 + n + end; want != uint64(size) {
		return fmt.Errorf("it has %d bytes, and its header says %d: it was cut off, or is another file", size, want)
	}
	return nil
}

func decode(data []byte) (*Checkpoint, error) {
	meta, err := vector.Metadata(data)
	if err != nil {
		return nil, err
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
