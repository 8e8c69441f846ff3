package corpus

import (
	"bytes"
	"crypto/sha256"
	"io"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Rules switches the rules of Clean on. SPEC.md, TXT-2 to TXT-9, says what each does.
type Rules struct {
	LineEndings bool // every kind of line end becomes LF
	Controls    bool // control characters and byte order marks go
	NFC         bool // Unicode Normalization Form C
	Whitespace  bool // runs of blanks become one SPACE, of empty lines one, at edges none
	Duplicates  bool // of equal paragraphs the first stays
}

// AllRules is every rule.
var AllRules = Rules{LineEndings: true, Controls: true, NFC: true, Whitespace: true, Duplicates: true}

// Report counts what Clean changed, by rule.
type Report struct {
	Invalid     int `json:"invalid"`      // sequences that were not UTF-8, replaced by U+FFFD
	LineEndings int `json:"line_endings"` // line ends replaced
	Controls    int `json:"controls"`     // characters removed
	NFC         int `json:"nfc"`          // lines changed
	Whitespace  int `json:"whitespace"`   // lines changed or removed
	Duplicates  int `json:"duplicates"`   // paragraphs removed
}

// Clean replaces what is not UTF-8 and applies the rules that are switched on, in the order of their fields. Cleaning the result again
// changes nothing. The text is not changed.
func Clean(text []byte, rules Rules) ([]byte, Report) {
	out := bytes.NewBuffer(make([]byte, 0, len(text)))
	c := newCleaner(out, rules)
	_, _ = c.Write(text) // a buffer takes everything
	_ = c.Close()
	return out.Bytes(), c.Report
}

// cleaner is Clean for a text that is written to it in parts. It keeps no more of it than the line and the paragraph that have not ended.
type cleaner struct {
	Report // complete after Close

	w     io.Writer // of what is clean
	rules Rules
	line  []byte // that has not ended

	lines      lines
	paragraphs paragraphs
}

func newCleaner(w io.Writer, rules Rules) *cleaner {
	return &cleaner{w: w, rules: rules, paragraphs: paragraphs{seen: map[[sha256.Size]byte]bool{}}}
}

// Write cleans the lines that end in text.
func (c *cleaner) Write(text []byte) (int, error) {
	ended := bytes.LastIndexByte(text, '\n') + 1
	if ended == 0 {
		c.line = append(c.line, text...)
		return len(text), nil
	}
	whole := text[:ended]
	if len(c.line) > 0 {
		whole = append(c.line, whole...)
	}
	err := c.clean(whole, false)
	c.line = append(c.line[:0], text[ended:]...)
	return len(text), err
}

// Close cleans what is left. It does not close the writer.
func (c *cleaner) Close() error { return c.clean(c.line, true) }

// clean writes whole lines, the last of which ends the text or ends in LF: no rule looks across LF but those of white space and paragraphs.
func (c *cleaner) clean(text []byte, last bool) error {
	count := func(in *int, f func([]byte) ([]byte, int)) {
		var n int
		text, n = f(text)
		*in += n
	}
	count(&c.Invalid, replaceInvalid)
	if c.rules.LineEndings {
		count(&c.LineEndings, unifyLineEndings)
	}
	if c.rules.Controls {
		count(&c.Controls, removeControls)
	}
	if c.rules.NFC {
		count(&c.NFC, normalize)
	}
	if c.rules.Whitespace {
		count(&c.Whitespace, func(text []byte) ([]byte, int) { return c.lines.trim(text, last) })
	}
	if c.rules.Duplicates {
		count(&c.Duplicates, func(text []byte) ([]byte, int) { return c.paragraphs.drop(text, last) })
	}
	_, err := c.w.Write(text)
	return err
}

// replaceInvalid replaces each maximal subpart of an ill-formed sequence by U+FFFD: as many bytes as could begin a character, one at least.
func replaceInvalid(text []byte) (out []byte, replaced int) {
	if utf8.Valid(text) {
		return text, 0
	}
	out = make([]byte, 0, len(text)+64)
	for i := 0; i < len(text); {
		if r, size := utf8.DecodeRune(text[i:]); r != utf8.RuneError || size > 1 {
			out = append(out, text[i:i+size]...)
			i += size
			continue
		}
		size := 1
		for size < 3 && i+size < len(text) && !utf8.FullRune(text[i:i+size+1]) {
			size++
		}
		out = utf8.AppendRune(out, utf8.RuneError)
		replaced++
		i += size
	}
	return out, replaced
}

func unifyLineEndings(text []byte) (out []byte, replaced int) {
	out = make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch r {
		case '\r', '\v', '\f', '\u0085', '\u2028', '\u2029':
			if r == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				size = 2
			}
			out = append(out, '\n')
			replaced++
		default:
			out = append(out, text[i:i+size]...)
		}
		i += size
	}
	return out, replaced
}

func removeControls(text []byte) (out []byte, removed int) {
	out = bytes.Map(func(r rune) rune {
		if r == '\uFEFF' || unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			removed++
			return -1
		}
		return r
	}, text)
	return out, removed
}

// normalize goes line by line, to count: no composition crosses LF.
func normalize(text []byte) (out []byte, changed int) {
	if norm.NFC.IsNormal(text) {
		return text, 0
	}
	out = make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		from := len(out)
		out = norm.NFC.Append(out, line...)
		if !bytes.Equal(out[from:], line) {
			changed++
		}
	}
	return out, changed
}

// lines is what trimming remembers of the lines before. An empty line is written only once it is known that another one follows which is not:
// until then it is owed.
type lines struct {
	written             bool // some line
	owed, owedUnchanged bool
	line                []byte // scratch
}

// trim returns trimmed lines. All of text ends in LF, unless it is the last.
func (l *lines) trim(text []byte, last bool) (out []byte, changed int) {
	out = make([]byte, 0, len(text))
	if !last {
		text = text[:len(text)-1]
	}
	for original := range bytes.SplitSeq(text, []byte("\n")) {
		l.line = appendTrimmed(l.line[:0], original)
		same := bytes.Equal(l.line, original)
		if !same {
			changed++
		}
		switch {
		case len(l.line) == 0 && (l.owed || !l.written): // removed
			if same {
				changed++
			}
		case len(l.line) == 0:
			l.owed, l.owedUnchanged = true, same
		default:
			if l.written {
				out = append(out, '\n')
			}
			if l.owed {
				out = append(out, '\n')
			}
			out = append(out, l.line...)
			l.written, l.owed, l.owedUnchanged = true, false, false
		}
	}
	if last && l.owedUnchanged { // it was the last, and is removed
		changed++
	}
	return out, changed
}

// appendTrimmed appends the words of a line with one SPACE between them.
func appendTrimmed(out, line []byte) []byte {
	begin, blank := len(out), false
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if r == '\t' || unicode.Is(unicode.Zs, r) {
			blank = true
		} else {
			if blank && len(out) > begin {
				out = append(out, ' ')
			}
			out, blank = append(out, line[i:i+size]...), false
		}
		i += size
	}
	return out
}

// paragraphs is what dropping duplicates remembers: the hashes of the paragraphs before, and the one that has not ended.
type paragraphs struct {
	seen     map[[sha256.Size]byte]bool
	held     []byte
	searched int // of held, without finding its end
}

// drop returns each paragraph that has ended with the empty lines before it, unless it was there before. The empty lines after the last one stay.
func (p *paragraphs) drop(text []byte, last bool) (out []byte, removed int) {
	p.held = append(p.held, text...)
	rest := p.held
	for len(rest) > 0 {
		start := 0
		for start < len(rest) && rest[start] == '\n' {
			start++
		}
		from := max(start, p.searched)
		end := bytes.Index(rest[from:], []byte("\n\n"))
		switch {
		case end >= 0:
			end += from
		case !last:
			p.searched = max(0, len(rest)-1) // where the first of two LF may be
			p.held = append(p.held[:0], rest...)
			return out, removed
		default:
			end = start + len(bytes.TrimSuffix(rest[start:], []byte("\n")))
		}
		p.searched = 0
		if sum := sha256.Sum256(rest[start:end]); end > start && p.seen[sum] {
			removed++
		} else {
			out = append(out, rest[:end]...)
			p.seen[sum] = true
		}
		rest = rest[end:]
	}
	p.held, p.searched = p.held[:0], 0
	return out, removed
}
