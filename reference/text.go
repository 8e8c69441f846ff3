package reference

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// CleanRules are the rules of Clean that are switched on.
type CleanRules struct{ LineEndings, Controls, NFC, Whitespace, Duplicates bool }

// CleanCounts are what each rule changed, in the order in which they are applied.
type CleanCounts struct{ Invalid, LineEndings, Controls, NFC, Whitespace, Duplicates int }

// Clean applies ReplaceInvalid, and then the rules that are switched on:
//
//	UnifyLineEndings, RemoveControls, Normalize, TrimWhitespace, DropDuplicates
//
// in this order. nfc is Normalization Form C (UAX #15). What is clean stays as it is.
func Clean(text []byte, rules CleanRules, nfc func(string) string) (string, CleanCounts) {
	var n CleanCounts
	clean, invalid := ReplaceInvalid(text)
	n.Invalid = invalid
	if rules.LineEndings {
		clean, n.LineEndings = UnifyLineEndings(clean)
	}
	if rules.Controls {
		clean, n.Controls = RemoveControls(clean)
	}
	if rules.NFC {
		clean, n.NFC = Normalize(clean, nfc)
	}
	if rules.Whitespace {
		clean, n.Whitespace = TrimWhitespace(clean)
	}
	if rules.Duplicates {
		clean, n.Duplicates = DropDuplicates(clean)
	}
	return clean, n
}

// utf8Sequences are the well-formed sequences of more than one byte (The Unicode Standard, table 3-7): by their first byte, how long they
// are and what their second byte is. The others are 80 to BF.
var utf8Sequences = []struct{ first, last, length, low, high byte }{
	{0xC2, 0xDF, 2, 0x80, 0xBF},
	{0xE0, 0xE0, 3, 0xA0, 0xBF}, {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
	{0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
}

// ReplaceInvalid replaces each maximal subpart of an ill-formed sequence by U+FFFD, and counts them: the longest start of a well-formed
// sequence, or one byte where there is none (The Unicode Standard, section 3.9).
func ReplaceInvalid(text []byte) (string, int) {
	var out strings.Builder
	replaced := 0
	for len(text) > 0 {
		n, ok := subpart(text)
		if ok {
			out.Write(text[:n])
		} else {
			out.WriteRune(unicode.ReplacementChar)
			replaced++
		}
		text = text[n:]
	}
	return out.String(), replaced
}

// subpart returns the length of the well-formed sequence that text begins with, or else, and not ok, of its maximal subpart.
func subpart(text []byte) (n int, ok bool) {
	if text[0] < 0x80 {
		return 1, true
	}
	for _, s := range utf8Sequences {
		if text[0] < s.first || text[0] > s.last {
			continue
		}
		low, high := s.low, s.high
		for n = 1; n < int(s.length); n++ {
			if n == len(text) || text[n] < low || text[n] > high {
				return n, false
			}
			low, high = 0x80, 0xBF
		}
		return n, true
	}
	return 1, false
}

// UnifyLineEndings replaces CR LF, and each other CR, VT, FF, U+0085, U+2028 and U+2029, by LF, and counts them (UTS #18, RL1.6).
func UnifyLineEndings(text string) (string, int) {
	var out strings.Builder
	replaced := 0
	runes := []rune(text)
	for i, r := range runes {
		switch r {
		case '\r':
			replaced++
			if i+1 < len(runes) && runes[i+1] == '\n' {
				continue // CR LF is one end of a line, and LF will be written
			}
			out.WriteRune('\n')
		case '\v', '\f', '\u0085', '\u2028', '\u2029':
			replaced++
			out.WriteRune('\n')
		default:
			out.WriteRune(r)
		}
	}
	return out.String(), replaced
}

// RemoveControls removes the characters of category Cc other than TAB, LF and CR, and U+FEFF, the byte order mark, and counts them.
func RemoveControls(text string) (string, int) {
	removed := 0
	text = strings.Map(func(r rune) rune {
		if r == '\uFEFF' || unicode.Is(unicode.Cc, r) && r != '\t' && r != '\n' && r != '\r' {
			removed++
			return -1
		}
		return r
	}, text)
	return text, removed
}

// Normalize applies nfc line by line, which is the same as applying it to the whole, since LF neither composes nor is reordered, and counts
// the lines that it changes.
func Normalize(text string, nfc func(string) string) (string, int) {
	changed := 0
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if lines[i] = nfc(line); lines[i] != line {
			changed++
		}
	}
	return strings.Join(lines, "\n"), changed
}

// TrimWhitespace makes each run of TAB and characters of category Zs one SPACE, and none at the beginning and the end of a line. Then it
// removes empty lines at the beginning and the end of the text, and those that follow an empty one. It counts the lines that it changes
// or removes.
func TrimWhitespace(text string) (string, int) {
	blank := func(r rune) bool { return r == '\t' || unicode.Is(unicode.Zs, r) }
	lines := strings.Split(text, "\n")
	trimmed := make([]string, len(lines))
	first, last := len(lines), -1 // that are not empty
	for i, line := range lines {
		trimmed[i] = strings.Join(strings.FieldsFunc(line, blank), " ")
		if trimmed[i] != "" {
			first, last = min(first, i), i
		}
	}
	changed := 0
	var kept []string
	for i, line := range trimmed {
		surplus := i < first || i > last || line == "" && trimmed[i-1] == ""
		if surplus || line != lines[i] {
			changed++
		}
		if !surplus {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n"), changed
}

// DropDuplicates removes each paragraph that equals an earlier one, with the empty lines before it, and counts them. A paragraph is a run
// of consecutive lines that are not empty.
func DropDuplicates(text string) (string, int) {
	removed := 0
	var kept, seen []string
	for lines := strings.Split(text, "\n"); len(lines) > 0; {
		start := 0 // of the paragraph
		for start < len(lines) && lines[start] == "" {
			start++
		}
		end := start
		for end < len(lines) && lines[end] != "" {
			end++
		}
		paragraph := strings.Join(lines[start:end], "\n")
		if start < end && slices.Contains(seen, paragraph) {
			removed++
		} else {
			kept = append(kept, lines[:end]...)
			seen = append(seen, paragraph)
		}
		lines = lines[end:]
	}
	return strings.Join(kept, "\n"), removed
}

// Split cuts ids into those to train on and, at the end, those to validate with. Of the latter there are
//
//	floor(fraction N), at least 1 and at most N - 1        ids [N], N >= 2, 0 < fraction < 1
func Split(ids []int, fraction float64) (train, validation []int) {
	n := len(ids)
	require(n >= 2 && fraction > 0 && fraction < 1, "Split: %d ids, fraction %v", n, fraction)
	v := min(max(int(fraction*float64(n)), 1), n-1)
	return ids[:n-v], ids[n-v:]
}

// Pack joins documents, each between the ids start and end. Without hasStart nothing precedes them. Document k has the next lengths[k] ids.
// Lengths that are negative or whose sum is not the number of ids are an error that wraps ErrIndex, and so is a document that
// holds start, end or a negative id.
func Pack(ids, lengths []int, start, end int, hasStart bool) ([]int, error) {
	var packed []int
	for k, n := range lengths {
		if n < 0 || n > len(ids) {
			return nil, fmt.Errorf("reference: Pack: lengths[%d] is %d, there are %d ids left: %w", k, n, len(ids), ErrIndex)
		}
		document := ids[:n]
		ids = ids[n:]
		for i, id := range document {
			if id < 0 || id == end || hasStart && id == start {
				return nil, fmt.Errorf("reference: Pack: document %d has id %d at %d: %w", k, id, i, ErrIndex)
			}
		}
		if hasStart {
			packed = append(packed, start)
		}
		packed = append(append(packed, document...), end)
	}
	if len(ids) > 0 {
		return nil, fmt.Errorf("reference: Pack: %d ids belong to no document: %w", len(ids), ErrIndex)
	}
	return packed, nil
}

// Batches returns windows of ids and, for each element, the id that follows:
//
//	x_bt = ids[starts_b + t],   y_bt = ids[starts_b + t + 1]        ids [N], starts [B] -> x, y [B, seq]
//
// A start outside [0, N - seq) is an error that wraps ErrIndex.
func Batches(ids, starts []int, seq int) (x, y [][]int, err error) {
	for b, start := range starts {
		if start < 0 || start >= len(ids)-seq {
			return nil, nil, fmt.Errorf("reference: Batches: starts[%d] is %d, want 0 to %d: %w", b, start, len(ids)-seq-1, ErrIndex)
		}
		x = append(x, slices.Clone(ids[start:start+seq]))
		y = append(y, slices.Clone(ids[start+1:start+seq+1]))
	}
	return x, y, nil
}
