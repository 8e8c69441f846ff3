package mutant

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// textParts are the decisions in which texts as tensors go wrong.
type textParts struct {
	byteOf func(x int64) (byte, error)
	filler int64 // behind what a destination holds
}

var _ = parts(func(p *plain) { p.textParts = textParts{byteOf: byteOf, filler: -1} })

// bytes returns a text's bytes.
func (p *plain) bytes(t op.Tensor) ([]byte, error) {
	text := make([]byte, len(t.I64))
	for i, x := range t.I64 {
		var err error
		if text[i], err = p.byteOf(x); err != nil {
			return nil, err
		}
	}
	return text, nil
}

func byteOf(x int64) (byte, error) {
	if x < 0 || x > 255 {
		return 0, fmt.Errorf("%w: %d is no byte", op.ErrIndex, x)
	}
	return byte(x), nil
}

// fill writes text to a destination, and the filler behind it.
func (p *plain) fill(dst op.Tensor, text []byte) {
	ids := make([]int64, len(text))
	for i, b := range text {
		ids[i] = int64(b)
	}
	p.fillIDs(dst, ids)
}

func (p *plain) fillIDs(dst op.Tensor, ids []int64) {
	for i := copy(dst.I64, ids); i < len(dst.I64); i++ {
		dst.I64[i] = p.filler
	}
}
