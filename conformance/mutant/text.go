package mutant

import (
	"bytes"
	"fmt"
	"slices"
	"unicode"

	unicodenorm "golang.org/x/text/unicode/norm"

	"github.com/assaykit/assay/conformance/op"
)

// textParts are the decisions in which the way from text to batches goes wrong.
type textParts struct {
	byteOf  func(x int64) (byte, error)
	filler  int64 // behind what a destination holds
	subpart func(text []byte) int
	rules   []string // of the rules of cleaning
	newline func(r rune) bool
	control func(r rune) bool
	compose func(line []byte) []byte
	blank   func(r rune) bool
	trimmed func(line []byte, blank func(r rune) bool) []byte
	outer   func(first, last, lines int) (from, to int) // the lines that whitespace keeps
	doubled func(line, previous []byte) bool            // an empty line that whitespace removes
	known   func(seen [][]byte, paragraph []byte) bool
	counted func(n *cleanCounts)
}

func (p *plain) setText() {
	p.textParts = textParts{
		byteOf: byteOf, filler: -1, subpart: subpart, rules: []string{"line_endings", "controls", "nfc", "whitespace", "duplicates"},
		newline: func(r rune) bool { return slices.Contains([]rune("\v\f\u0085\u2028\u2029"), r) },
		control: func(r rune) bool { return r == 0xfeff || r != '\t' && r != '\n' && r != '\r' && unicode.IsControl(r) },
		compose: unicodenorm.NFC.Bytes, blank: func(r rune) bool { return r == '\t' || unicode.Is(unicode.Zs, r) },
		trimmed: trimmed, outer: func(first, last, _ int) (from, to int) { return first, last + 1 },
		doubled: func(line, previous []byte) bool { return len(line) == 0 && len(previous) == 0 },
		known: func(seen [][]byte, paragraph []byte) bool {
			return slices.ContainsFunc(seen, func(s []byte) bool { return bytes.Equal(s, paragraph) })
		},
		counted: func(*cleanCounts) {},
	}
}

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
