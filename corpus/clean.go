package corpus

import (
	"bytes"
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
// changes nothing. The result may share memory with text, which is not changed.
func Clean(text []byte, rules Rules) ([]byte, Report) {
	var n Report
	text, n.Invalid = replaceInvalid(text)
	if rules.LineEndings {
		text, n.LineEndings = unifyLineEndings(text)
	}
	if rules.Controls {
		text, n.Controls = removeControls(text)
	}
	if rules.NFC {
		text, n.NFC = normalize(text)
	}
	if rules.Whitespace {
		text, n.Whitespace = trimWhitespace(text)
	}
	if rules.Duplicates {
		text, n.Duplicates = dropDuplicates(text)
	}
	return text, n
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

// trimWhitespace writes an empty line only once it is known that another one follows which is not: until then it is owed.
func trimWhitespace(text []byte) (out []byte, changed int) {
	out = make([]byte, 0, len(text))
	var line []byte
	owed, owedUnchanged := false, 0
	for original := range bytes.SplitSeq(text, []byte("\n")) {
		line = appendTrimmed(line[:0], original)
		same := bytes.Equal(line, original)
		if !same {
			changed++
		}
		switch {
		case len(line) == 0 && (owed || len(out) == 0): // removed
			if same {
				changed++
			}
		case len(line) == 0:
			if owed, owedUnchanged = true, 0; same {
				owedUnchanged = 1
			}
		default:
			if len(out) > 0 {
				out = append(out, '\n')
			}
			if owed {
				out = append(out, '\n')
			}
			out, owed, owedUnchanged = append(out, line...), false, 0
		}
	}
	return out, changed + owedUnchanged // an empty line that is still owed was the last, and is removed
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

// dropDuplicates writes each paragraph with the empty lines before it. Those after the last paragraph stay.
func dropDuplicates(text []byte) (out []byte, removed int) {
	out = make([]byte, 0, len(text))
	seen := map[string]bool{}
	for rest := text; len(rest) > 0; {
		start := 0
		for start < len(rest) && rest[start] == '\n' {
			start++
		}
		end := start + len(paragraph(rest[start:]))
		if p := rest[start:end]; len(p) > 0 && seen[string(p)] {
			removed++
		} else {
			out = append(out, rest[:end]...)
			seen[string(p)] = true
		}
		rest = rest[end:]
	}
	return out, removed
}

// paragraph returns what text begins with up to an empty line or the LF that ends the text.
func paragraph(text []byte) []byte {
	if i := bytes.Index(text, []byte("\n\n")); i >= 0 {
		return text[:i]
	}
	return bytes.TrimSuffix(text, []byte("\n"))
}
