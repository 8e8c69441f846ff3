package mutant

import (
	"bytes"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

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

func (p *plain) textOps() []op.Implementation {
	return []op.Implementation{
		op.TextClean(p.cleanOp), op.TextEncode(p.openEncode), op.TextDecode(p.openDecode),
		op.TextSplit(p.splitOp), op.TextPack(p.packOp), op.TextBatches(p.batchesOp),
	}
}

// cleanCounts are what each rule changed, in the order of the results.
type cleanCounts struct{ invalid, lineEndings, controls, nfc, whitespace, duplicates int64 }

func (p *plain) cleanOp(a op.TextCleanArgs) error {
	text, err := p.bytes(a.Text)
	if err != nil {
		return fmt.Errorf("text.clean: %w", err)
	}
	var n cleanCounts
	text = p.valid(text, &n)
	on := map[string]bool{"line_endings": a.LineEndings, "controls": a.Controls, "nfc": a.NFC, "whitespace": a.Whitespace, "duplicates": a.Duplicates}
	apply := map[string]func([]byte, *cleanCounts) []byte{
		"line_endings": p.unify, "controls": p.withoutControls, "nfc": p.composed, "whitespace": p.spaced, "duplicates": p.distinct,
	}
	for _, name := range p.rules {
		if on[name] {
			text = apply[name](text, &n)
		}
	}
	p.counted(&n)
	p.fill(a.Out, text)
	a.Length.I64[0] = int64(len(text))
	copy(a.Counts.I64, []int64{n.invalid, n.lineEndings, n.controls, n.nfc, n.whitespace, n.duplicates})
	return nil
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

// valid replaces what is not UTF-8.
func (p *plain) valid(text []byte, n *cleanCounts) []byte {
	var out []byte
	for len(text) > 0 {
		size := 1
		if r, length := utf8.DecodeRune(text); r != utf8.RuneError || length > 1 {
			size = length
			out = append(out, text[:size]...)
		} else {
			size = p.subpart(text)
			out = append(out, "\uFFFD"...)
			n.invalid++
		}
		text = text[size:]
	}
	return out
}

// subpart is the length of the longest start of a valid sequence that an ill-formed text begins with, or 1.
func subpart(text []byte) int {
	for size := min(3, len(text)); size > 1; size-- {
		if !utf8.FullRune(text[:size]) { // more could make it valid
			return size
		}
	}
	return 1
}

// unify makes every line end an LF.
func (p *plain) unify(text []byte, n *cleanCounts) []byte {
	var out []byte
	runes := []rune(string(text))
	for i, r := range runes {
		switch {
		case r == '\r' && i+1 < len(runes) && runes[i+1] == '\n':
			n.lineEndings++
		case r == '\r' || p.newline(r):
			n.lineEndings++
			out = append(out, '\n')
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func (p *plain) withoutControls(text []byte, n *cleanCounts) []byte {
	var out []byte
	for _, r := range string(text) {
		if p.control(r) {
			n.controls++
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// composed composes line by line, so that changed lines can be counted.
func (p *plain) composed(text []byte, n *cleanCounts) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if lines[i] = p.compose(line); !bytes.Equal(line, lines[i]) {
			n.nfc++
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// spaced makes runs of blanks one space, trims lines, and leaves one of several empty ones.
func (p *plain) spaced(text []byte, n *cleanCounts) []byte {
	lines := bytes.Split(text, []byte("\n"))
	clean := make([][]byte, len(lines))
	first, last := len(lines), -1
	for i, line := range lines {
		if clean[i] = p.trimmed(line, p.blank); len(clean[i]) > 0 {
			first, last = min(first, i), i
		}
	}
	from, to := p.outer(first, last, len(lines))
	var kept [][]byte
	for i, line := range clean {
		if i < from || i >= to || i > from && p.doubled(line, clean[i-1]) {
			n.whitespace++
			continue
		}
		if !bytes.Equal(line, lines[i]) {
			n.whitespace++
		}
		kept = append(kept, line)
	}
	return bytes.Join(kept, []byte("\n"))
}

// trimmed is a line without blanks at its ends, and with one space for each run of them.
func trimmed(line []byte, blank func(r rune) bool) []byte {
	var out []byte
	pending := false
	for _, r := range string(line) {
		if blank(r) {
			pending = len(out) > 0
			continue
		}
		if pending {
			out = append(out, ' ')
		}
		out, pending = utf8.AppendRune(out, r), false
	}
	return out
}

// distinct removes paragraphs that were there before, with the empty lines before them.
func (p *plain) distinct(text []byte, n *cleanCounts) []byte {
	var kept, seen [][]byte
	lines := bytes.Split(text, []byte("\n"))
	for i := 0; i < len(lines); {
		start := i
		for i < len(lines) && len(lines[i]) == 0 {
			i++
		}
		body := i
		for i < len(lines) && len(lines[i]) > 0 {
			i++
		}
		paragraph := bytes.Join(lines[body:i], []byte("\n"))
		if body < i && p.known(seen, paragraph) {
			n.duplicates++
			continue
		}
		seen, kept = append(seen, paragraph), append(kept, lines[start:i]...)
	}
	return bytes.Join(kept, []byte("\n"))
}
