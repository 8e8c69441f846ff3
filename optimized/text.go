package optimized

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/bpe"
)

var _ = register("text.clean", withoutEngine(op.TextClean(textClean)))

func textClean(a op.TextCleanArgs) error {
	text, err := appendBytes(nil, "text.clean", a.Text.I64)
	if err != nil {
		return err
	}
	out, r := corpus.Clean(text, corpus.Rules(a.TextCleanAttrs))
	pad(a.Out.I64, a.Length.I64, widen(a.Out.I64, out))
	copy(a.Counts.I64, []int64{int64(r.Invalid), int64(r.LineEndings), int64(r.Controls), int64(r.NFC), int64(r.Whitespace), int64(r.Duplicates)})
	return nil
}

var _ = register("text.encode", withoutEngine(op.TextEncode(newTextEncode)))

// textEncode is the op text.encode: an encoder and what it works in.
type textEncode struct {
	encoder *bpe.Encoder
	text    []byte
	ids     []int32
}

func newTextEncode(a op.TextEncodeArgs) (op.Runner[op.TextEncodeArgs], error) {
	m, err := newMerges("text.encode", a.Bytes.I64, a.Merges.I64)
	if err != nil {
		return nil, err
	}
	return &textEncode{encoder: bpe.NewEncoder(m.bytes, m.pairs)}, nil
}

func (e *textEncode) Run(a op.TextEncodeArgs) (err error) {
	if e.text, err = appendBytes(e.text[:0], "text.encode", a.Text.I64); err != nil {
		return err
	}
	e.ids = e.ids[:0]
	for rest := e.text; len(rest) > 0; {
		n := len(rest)
		if a.Pretokenize == "gpt2" {
			n = bpe.Piece(rest)
		}
		e.ids = e.encoder.Append(e.ids, rest[:n])
		rest = rest[n:]
	}
	pad(a.IDs.I64, a.Length.I64, widen(a.IDs.I64, e.ids))
	return nil
}

var _ = register("text.decode", withoutEngine(op.TextDecode(newTextDecode)))

func newTextDecode(a op.TextDecodeArgs) (op.Runner[op.TextDecodeArgs], error) {
	m, err := newMerges("text.decode", a.Bytes.I64, a.Merges.I64)
	if err != nil {
		return nil, err
	}
	d := newDecoder(m, a.Capacity)
	return runner[op.TextDecodeArgs](func(a op.TextDecodeArgs) error {
		if err := within("text.decode", "ids", a.IDs, len(d.lengths), op.ErrIndex); err != nil {
			return err
		}
		n := 0
		for _, id := range a.IDs.I64 {
			length := d.lengths[id]
			if length > len(a.Text.I64)-n {
				return fmt.Errorf("text.decode: %w: the text has more than %d bytes", op.ErrCapacity, len(a.Text.I64))
			}
			d.write(a.Text.I64[n:], id)
			n += length
		}
		pad(a.Text.I64, a.Length.I64, n)
		return nil
	}), nil
}

var _ = register("text.split", withoutEngine(op.TextSplit(textSplit)))

func textSplit(a op.TextSplitArgs) error {
	train, validation := corpus.Split(a.IDs.I64, a.Fraction)
	copy(a.Train.I64, train)
	copy(a.Validation.I64, validation)
	return nil
}

var _ = register("text.pack", withoutEngine(op.TextPack(textPack)))

func textPack(a op.TextPackArgs) (err error) {
	d := corpus.Delimiters{End: *a.End, HasStart: a.Start != nil}
	if d.HasStart {
		d.Start = *a.Start
	}
	packed, rest := a.Packed.I64[:0], a.IDs.I64
	for k, n := range a.Lengths.I64 {
		if n < 0 || n > int64(len(rest)) {
			return fmt.Errorf("text.pack: %w: lengths[%d] = %d, and there are %d ids left", op.ErrIndex, k, n, len(rest))
		}
		if packed, err = corpus.AppendDocument(packed, rest[:n], d); err != nil {
			return fmt.Errorf("text.pack: document %d: %w", k, err)
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("text.pack: %w: %d ids belong to no document", op.ErrIndex, len(rest))
	}
	return nil
}

var _ = register("text.batches", withoutEngine(op.TextBatches(textBatches)))

func textBatches(a op.TextBatchesArgs) error {
	if err := corpus.Batch(a.X.I64, a.Y.I64, a.IDs.I64, a.Starts.I64, a.Seq); err != nil {
		return fmt.Errorf("text.batches: %w", err)
	}
	return nil
}

// appendBytes appends a text whose bytes are integers.
func appendBytes(dst []byte, opName string, text []int64) ([]byte, error) {
	for i, b := range text {
		if b < 0 || b > 255 {
			return nil, fmt.Errorf("%s: %w: text[%d] = %d, want a byte", opName, op.ErrIndex, i, b)
		}
		dst = append(dst, byte(b))
	}
	return dst, nil
}

// widen copies values into dst and returns how many there are.
func widen[T byte | int32](dst []int64, values []T) int {
	for i, v := range values {
		dst[i] = int64(v)
	}
	return len(values)
}

// pad sets the length of a result that holds n elements, and what is behind them to -1.
func pad(dst, length []int64, n int) {
	length[0] = int64(n)
	for i := n; i < len(dst); i++ {
		dst[i] = -1
	}
}
