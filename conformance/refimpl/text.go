package refimpl

import (
	"fmt"

	"golang.org/x/text/unicode/norm"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var (
	_ = offer("text.clean", func(functions) op.Implementation { return op.TextClean(textClean) })
	_ = offer("text.encode", func(functions) op.Implementation { return op.TextEncode(openTextEncode) })
	_ = offer("text.decode", func(functions) op.Implementation { return op.TextDecode(openTextDecode) })
	_ = offer("text.split", func(functions) op.Implementation { return op.TextSplit(textSplit) })
	_ = offer("text.pack", func(functions) op.Implementation { return op.TextPack(textPack) })
	_ = offer("text.batches", func(functions) op.Implementation { return op.TextBatches(textBatches) })
)

func textSplit(a op.TextSplitArgs) error {
	train, validation := reference.Split(ints(a.IDs), a.Fraction)
	padded(a.Train, train)
	padded(a.Validation, validation)
	return nil
}

func textClean(a op.TextCleanArgs) error {
	text, err := textBytes(a.Text)
	if err != nil {
		return err
	}
	rules := reference.CleanRules{LineEndings: a.LineEndings, Controls: a.Controls, NFC: a.NFC, Whitespace: a.Whitespace, Duplicates: a.Duplicates}
	clean, n := reference.Clean(text, rules, norm.NFC.String)
	a.Length.I64[0] = int64(len(clean))
	padded(a.Out, []byte(clean))
	padded(a.Counts, []int{n.Invalid, n.LineEndings, n.Controls, n.NFC, n.Whitespace, n.Duplicates})
	return nil
}

func openTextEncode(a op.TextEncodeArgs) (op.Runner[op.TextEncodeArgs], error) {
	bpe, err := encoding(a.Bytes, a.Merges)
	return runner[op.TextEncodeArgs](func(a op.TextEncodeArgs) error {
		text, err := textBytes(a.Text)
		if err != nil {
			return err
		}
		pieces := [][]byte{text}
		if a.Pretokenize == "gpt2" {
			pieces = reference.Pretokenize(text)
		}
		var ids []int
		for _, piece := range pieces {
			ids = append(ids, bpe.Encode(piece)...)
		}
		a.Length.I64[0] = int64(len(ids))
		padded(a.IDs, ids)
		return nil
	}), wrap(err)
}

func openTextDecode(a op.TextDecodeArgs) (op.Runner[op.TextDecodeArgs], error) {
	bpe, err := encoding(a.Bytes, a.Merges)
	return runner[op.TextDecodeArgs](func(a op.TextDecodeArgs) error {
		text, err := bpe.Decode(ints(a.IDs), a.Capacity)
		if err != nil {
			return err
		}
		a.Length.I64[0] = int64(len(text))
		padded(a.Text, text)
		return nil
	}), wrap(err)
}

func textPack(a op.TextPackArgs) error {
	start := 0
	if a.Start != nil {
		start = int(*a.Start)
	}
	packed, err := reference.Pack(ints(a.IDs), ints(a.Lengths), start, int(*a.End), a.Start != nil)
	padded(a.Packed, packed)
	return err
}

func textBatches(a op.TextBatchesArgs) error {
	x, y, err := reference.Batches(ints(a.IDs), ints(a.Starts), a.Seq)
	for b := range x {
		copyInts(a.X.I64[b*a.Seq:], x[b])
		copyInts(a.Y.I64[b*a.Seq:], y[b])
	}
	return err
}

func encoding(bytes, merges op.Tensor) (*reference.BPE, error) {
	var pairs [][2]int
	flat := ints(merges)
	for i := 0; i < len(flat); i += 2 {
		pairs = append(pairs, [2]int{flat[i], flat[i+1]})
	}
	return reference.NewBPE([256]int(ints(bytes)), pairs)
}

func textBytes(t op.Tensor) ([]byte, error) {
	text := make([]byte, len(t.I64))
	for i, b := range t.I64 {
		if text[i] = byte(b); int64(text[i]) != b {
			return nil, fmt.Errorf("%w: text[%d] is %d, want a byte", op.ErrIndex, i, b)
		}
	}
	return text, nil
}

// padded copies values into dst and fills the rest of it with -1.
func padded[T byte | int](dst op.Tensor, values []T) {
	for i := copyInts(dst.I64, values); i < len(dst.I64); i++ {
		dst.I64[i] = -1
	}
}

func copyInts[T byte | int](dst []int64, values []T) int {
	for i, v := range values {
		dst[i] = int64(v)
	}
	return len(values)
}
