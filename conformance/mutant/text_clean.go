package mutant

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	unicodenorm "golang.org/x/text/unicode/norm"

	"github.com/assaykit/assay/conformance/op"
)

// cleanParts are the decisions in which cleaning goes wrong.
type cleanParts struct {
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

var _ = parts(func(p *plain) {
	p.cleanParts = cleanParts{
		subpart: subpart, rules: []string{"line_endings", "controls", "nfc", "whitespace", "duplicates"},
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
})

// cleanCounts are what each rule changed, in the order of the results.
type cleanCounts struct{ invalid, lineEndings, controls, nfc, whitespace, duplicates int64 }

var _ = offer((*plain).cleanOp)

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

// cleaning returns the bug of rules of cleaning in another order.
func cleaning(rules string) func(*plain) {
	return func(p *plain) { p.rules = strings.Fields(rules) }
}

var _ = plant([]bug{
	{"text-clean-byte-wraps", "text.clean", "TXT-1", "Takes elements of the text modulo 256.", "", func(p *plain) {
		p.byteOf = func(x int64) (byte, error) { return byte(x), nil }
	}},
	{"text-clean-padded-with-zero", "text.clean", "TXT-1", "Fills the rest of its result with 0.", "", func(p *plain) { p.filler = 0 }},
	{"text-clean-replaced-bytewise", "text.clean", "TXT-2", "Writes U+FFFD for each byte of an ill-formed sequence.", "Go's utf8.DecodeRune", func(p *plain) {
		p.subpart = func([]byte) int { return 1 }
	}},
	{"text-clean-replaced-whole", "text.clean", "TXT-2", "Writes one U+FFFD for as many bytes as the first announces.", "", func(p *plain) {
		p.subpart = func(text []byte) int {
			for n, first := range []byte{0xF0, 0xE0, 0xC0} {
				if text[0] >= first {
					return min(4-n, len(text))
				}
			}
			return 1
		}
	}},
	{"text-clean-replaced-runs", "text.clean", "TXT-2", "Writes one U+FFFD for a run of ill-formed bytes.", "Go's strings.ToValidUTF8", func(p *plain) {
		p.subpart = func(text []byte) int {
			n := 1
			for n < len(text) {
				if r, size := utf8.DecodeRune(text[n:]); r != utf8.RuneError || size > 1 {
					break
				}
				n++
			}
			return n
		}
	}},
	{"text-clean-surrogate-as-one", "text.clean", "TXT-2", "Writes one U+FFFD for a surrogate of three bytes.", "", func(p *plain) {
		p.subpart = func(text []byte) int {
			if len(text) >= 3 && text[0] == 0xED && text[1] >= 0xA0 && text[1] <= 0xBF {
				return 3
			}
			return subpart(text)
		}
	}},
	{"text-clean-nfc-before-controls", "text.clean", "TXT-3", "Composes before it removes controls.", "", cleaning("line_endings nfc controls whitespace duplicates")},
	{"text-clean-duplicates-before-whitespace", "text.clean", "TXT-3", "Looks for duplicates before it trims.", "", cleaning("line_endings controls nfc duplicates whitespace")},
	{"text-clean-controls-before-line-endings", "text.clean", "TXT-3", "Removes controls before it unifies line ends.", "", cleaning("controls line_endings nfc whitespace duplicates")},
	{"text-clean-old-line-ends", "text.clean", "TXT-4", "Knows CR LF and CR only.", "", func(p *plain) { p.newline = func(rune) bool { return false } }},
	{"text-clean-form-feed-kept", "text.clean", "TXT-4", "Does not take VT and FF for line ends.", "", func(p *plain) {
		p.newline = func(r rune) bool { return r == '\u0085' || r == '\u2028' || r == '\u2029' }
	}},
	{"text-clean-tab-removed", "text.clean", "TXT-5", "Removes TAB with the controls.", "", func(p *plain) {
		p.control = func(r rune) bool { return r == 0xfeff || r != '\n' && r != '\r' && unicode.IsControl(r) }
	}},
	{"text-clean-byte-order-mark-kept", "text.clean", "TXT-5", "Leaves U+FEFF.", "", func(p *plain) {
		p.control = func(r rune) bool { return r != '\t' && r != '\n' && r != '\r' && unicode.IsControl(r) }
	}},
	{"text-clean-formats-removed", "text.clean", "TXT-5", "Removes all of category Cf, joiners among them.", "", func(p *plain) {
		p.control = func(r rune) bool {
			return unicode.Is(unicode.Cf, r) || r != '\t' && r != '\n' && r != '\r' && unicode.IsControl(r)
		}
	}},
	{"text-clean-ascii-controls", "text.clean", "TXT-5", "Removes controls below U+0080 only.", "", func(p *plain) {
		p.control = func(r rune) bool {
			return r == 0xfeff || r < 0x80 && r != '\t' && r != '\n' && r != '\r' && unicode.IsControl(r)
		}
	}},
	{"text-clean-nfc-missing", "text.clean", "TXT-6", "Does not compose.", "", func(p *plain) { p.compose = func(line []byte) []byte { return line } }},
	{"text-clean-nfd", "text.clean", "TXT-6", "Decomposes.", "", func(p *plain) { p.compose = unicodenorm.NFD.Bytes }},
	{"text-clean-nfkc", "text.clean", "TXT-6", "Composes compatibility characters, too: ligatures, superscripts.", "", func(p *plain) { p.compose = unicodenorm.NFKC.Bytes }},
	{"text-clean-ascii-blanks", "text.clean", "TXT-7", "Takes SPACE and TAB only for blanks.", "", func(p *plain) {
		p.blank = func(r rune) bool { return r == ' ' || r == '\t' }
	}},
	{"text-clean-blanks-at-ends", "text.clean", "TXT-7", "Leaves one SPACE at the ends of a line.", "", func(p *plain) {
		p.trimmed = func(line []byte, blank func(r rune) bool) []byte {
			var out []byte
			previous := false
			for _, r := range string(line) {
				if now := blank(r); now && !previous {
					out = append(out, ' ')
				} else if !now {
					out = utf8.AppendRune(out, r)
				}
				previous = blank(r)
			}
			return out
		}
	}},
	{"text-clean-runs-kept", "text.clean", "TXT-7", "Trims lines, and leaves runs of blanks inside them.", "", func(p *plain) {
		p.trimmed = bytes.TrimFunc
	}},
	{"text-clean-outer-empty-lines", "text.clean", "TXT-7", "Leaves an empty line at the beginning and the end.", "", func(p *plain) {
		p.outer = func(_, _, lines int) (from, to int) { return 0, lines }
	}},
	{"text-clean-all-empty-lines", "text.clean", "TXT-7", "Removes every empty line.", "", func(p *plain) {
		p.doubled = func(line, _ []byte) bool { return len(line) == 0 }
	}},
	{"text-clean-adjacent-duplicates", "text.clean", "TXT-8", "Compares a paragraph with the one before it only.", "", func(p *plain) {
		p.known = func(seen [][]byte, paragraph []byte) bool {
			return len(seen) > 0 && bytes.Equal(seen[len(seen)-1], paragraph)
		}
	}},
	{"text-clean-duplicates-by-case", "text.clean", "TXT-8", "Takes paragraphs that differ in case for equal.", "", func(p *plain) {
		p.known = func(seen [][]byte, paragraph []byte) bool {
			return slices.ContainsFunc(seen, func(s []byte) bool { return bytes.EqualFold(s, paragraph) })
		}
	}},
	{"text-clean-duplicate-prefix", "text.clean", "TXT-8", "Takes a paragraph that begins another for its duplicate.", "", func(p *plain) {
		p.known = func(seen [][]byte, paragraph []byte) bool {
			return slices.ContainsFunc(seen, func(s []byte) bool { return len(s) > 0 && bytes.HasPrefix(s, paragraph) })
		}
	}},
	{"text-clean-counts-missing", "text.clean", "TXT-9", "Does not count what it replaces in UTF-8.", "", func(p *plain) {
		p.counted = func(n *cleanCounts) { n.invalid = 0 }
	}},
	{"text-clean-counts-exchanged", "text.clean", "TXT-9", "Exchanges the counts of controls and of line ends.", "", func(p *plain) {
		p.counted = func(n *cleanCounts) { n.controls, n.lineEndings = n.lineEndings, n.controls }
	}},
})
