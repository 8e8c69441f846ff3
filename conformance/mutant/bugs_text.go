package mutant

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	unicodenorm "golang.org/x/text/unicode/norm"
)

// cleaning returns the bug of rules of cleaning in another order.
func cleaning(rules string) func(*plain) {
	return func(p *plain) { p.rules = strings.Fields(rules) }
}

// tables returns the bug of tables of an encoding that are not checked.
func tables(check func(bytes []int64, merges [][2]int64) error) func(*plain) {
	return func(p *plain) { p.checkTables = check }
}

var textCleanBugs = []bug{
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
}

var textEncodeBugs = []bug{
	{"text-encode-merges-by-frequency", "text.encode", "TXT-11", "Merges the most frequent pair first, not that of the lowest rank.", "", func(p *plain) {
		p.bestPair = func(ids []int64, ranks map[[2]int64]int) (at, rank int) {
			counts := map[[2]int64]int{}
			for i := 1; i < len(ids); i++ {
				counts[[2]int64{ids[i-1], ids[i]}]++
			}
			at, rank = -1, math.MaxInt
			best := 0
			for i := 1; i < len(ids); i++ {
				pair := [2]int64{ids[i-1], ids[i]}
				if r, ok := ranks[pair]; ok && (counts[pair] > best || counts[pair] == best && r < rank) {
					at, rank, best = i-1, r, counts[pair]
				}
			}
			return at, rank
		}
	}},
	{"text-encode-merges-left-to-right", "text.encode", "TXT-11", "Merges the first pair that it finds.", "", func(p *plain) {
		p.bestPair = func(ids []int64, ranks map[[2]int64]int) (at, rank int) {
			for i := 1; i < len(ids); i++ {
				if r, ok := ranks[[2]int64{ids[i-1], ids[i]}]; ok {
					return i - 1, r
				}
			}
			return -1, 0
		}
	}},
	{"text-encode-merges-rightmost", "text.encode", "TXT-11", "Merges the rightmost of equal pairs first.", "", func(p *plain) {
		p.bestPair = func(ids []int64, ranks map[[2]int64]int) (at, rank int) {
			at, rank = -1, math.MaxInt
			for i := 1; i < len(ids); i++ {
				if r, ok := ranks[[2]int64{ids[i-1], ids[i]}]; ok && r <= rank {
					at, rank = i-1, r
				}
			}
			return at, rank
		}
	}},
	{"text-encode-longest-match", "text.encode", "TXT-11", "Merges the pair of the highest rank first.", "", func(p *plain) {
		p.bestPair = func(ids []int64, ranks map[[2]int64]int) (at, rank int) {
			at, rank = -1, -1
			for i := 1; i < len(ids); i++ {
				if r, ok := ranks[[2]int64{ids[i-1], ids[i]}]; ok && r > rank {
					at, rank = i-1, r
				}
			}
			return at, rank
		}
	}},
	{"text-encode-last-of-equal-rows", "text.encode", "TXT-10", "Gives a pair that is there twice its last rank.", "", func(p *plain) {
		p.rankOf = func(merges [][2]int64) map[[2]int64]int {
			ranks := map[[2]int64]int{}
			for r, pair := range merges {
				ranks[pair] = r
			}
			return ranks
		}
	}},
	{"text-encode-bytes-are-ids", "text.encode", "TXT-10", "Takes a byte for its own id.", "", func(p *plain) {
		p.byteIDs = func([]int64) []int64 {
			ids := make([]int64, 256)
			for b := range ids {
				ids[b] = int64(b)
			}
			return ids
		}
	}},
	{"text-encode-tables-unchecked", "text.encode", "TXT-10", "Takes any tables.", "", tables(func([]int64, [][2]int64) error { return nil })},
	{"text-encode-later-ids", "text.encode", "TXT-10", "Lets a merge name an id that comes after it.", "", tables(func(bytes []int64, _ [][2]int64) error { return checkTables(bytes, nil) })},
	{"text-encode-whole-text", "text.encode", "TXT-12", "Does not cut the text into words.", "", func(p *plain) {
		p.pieces = func(text []byte, _ string) [][]byte { return [][]byte{text} }
	}},
	{"text-encode-always-words", "text.encode", "TXT-12", "Cuts into words although pretokenize is none.", "", func(p *plain) {
		p.pieces = func(text []byte, _ string) [][]byte { return p.gpt2Pieces(text, "gpt2") }
	}},
	{"text-encode-space-alone", "text.encode", "TXT-12", "Leaves the space before a word outside it.", "", func(p *plain) {
		p.prefixes = func([]byte) int { return 0 }
	}},
	{"text-encode-no-contractions", "text.encode", "TXT-12", "Does not know contractions.", "", func(p *plain) { p.contractions = nil }},
	{"text-encode-capital-contractions", "text.encode", "TXT-12", "Takes 'S, 'T and so on for contractions, too.", "tiktoken's cl100k_base", func(p *plain) {
		for _, c := range slices.Clone(p.contractions) {
			p.contractions = append(p.contractions, strings.ToUpper(c))
		}
	}},
	{"text-encode-no-lookahead", "text.encode", "TXT-12", "Takes the last white space with those before it.", "", func(p *plain) {
		p.lookahead = func(spaces []byte, _ bool) int { return len(spaces) }
	}},
	{"text-encode-lookahead-at-end", "text.encode", "TXT-12", "Leaves the last white space out at the end of the text, too.", "", func(p *plain) {
		p.lookahead = func(spaces []byte, _ bool) int { return lookahead(spaces, true) }
	}},
	{"text-encode-decimal-digits", "text.encode", "TXT-12", "Takes decimal digits only for numbers.", "", func(p *plain) {
		p.kindOf = func(r rune) class {
			if unicode.Is(unicode.N, r) && !unicode.IsDigit(r) {
				return other
			}
			return kindOf(r)
		}
	}},
	{"text-encode-ascii-letters", "text.encode", "TXT-12", "Takes ASCII letters only for letters.", "", func(p *plain) {
		p.kindOf = func(r rune) class {
			if r > unicode.MaxASCII && unicode.IsLetter(r) {
				return other
			}
			return kindOf(r)
		}
	}},
	{"text-encode-ascii-white-space", "text.encode", "TXT-12", "Takes ASCII white space only for white space.", "RE2's \\s", func(p *plain) {
		p.kindOf = func(r rune) class {
			if r > unicode.MaxASCII && kindOf(r) == space {
				return other
			}
			return kindOf(r)
		}
	}},
	{"text-encode-marks-are-letters", "text.encode", "TXT-12", "Takes combining marks for letters.", "", func(p *plain) {
		p.kindOf = func(r rune) class {
			if unicode.Is(unicode.M, r) {
				return letter
			}
			return kindOf(r)
		}
	}},
}

var textDecodeBugs = []bug{
	{"text-decode-invalid-replaced", "text.decode", "TXT-13", "Replaces bytes that are not UTF-8.", "", func(p *plain) {
		p.idText = func(id int64, texts [][]byte) ([]byte, error) {
			text, err := idText(id, texts)
			return bytes.ToValidUTF8(text, []byte("?")), err
		}
	}},
	{"text-decode-id-skipped", "text.decode", "TXT-14", "Leaves out ids that it does not know.", "", func(p *plain) {
		p.idText = func(id int64, texts [][]byte) ([]byte, error) {
			text, _ := idText(id, texts)
			return text, nil
		}
	}},
	{"text-decode-truncates", "text.decode", "TXT-14", "Cuts a text that is longer than its capacity.", "", func(p *plain) {
		p.checkRoom = func(int, int) error { return nil }
	}},
	{"text-decode-full-is-over", "text.decode", "TXT-14", "Does not fill its capacity.", "", func(p *plain) {
		p.checkRoom = func(length, capacity int) error { return checkRoom(length+1, capacity) }
	}},
	{"text-decode-padded-with-zero", "text.decode", "TXT-1", "Fills the rest of its result with 0.", "", func(p *plain) { p.filler = 0 }},
}

var textSplitBugs = []bug{
	{"text-split-first-validates", "text.split", "TXT-15", "Takes the first ids to validate with.", "", func(p *plain) {
		p.parted = func(ids []int64, train int) (first, last []int64) {
			validation := len(ids) - train
			return ids[validation:], ids[:validation]
		}
	}},
	{"text-split-interleaved", "text.split", "TXT-15", "Takes ids to validate with at regular distances.", "", func(p *plain) {
		p.parted = func(ids []int64, train int) (first, last []int64) {
			every := len(ids) / (len(ids) - train)
			for i, id := range ids {
				if i%every == every-1 && len(last) < len(ids)-train {
					last = append(last, id)
				} else {
					first = append(first, id)
				}
			}
			return first, last
		}
	}},
	{"text-split-overlaps", "text.split", "TXT-15", "Begins to validate one id early.", "", func(p *plain) {
		p.parted = func(ids []int64, train int) (first, last []int64) { return ids[:train], ids[train-1:] }
	}},
}

var textPackBugs = []bug{
	{"text-pack-double-end", "text.pack", "TXT-16", "Ends a document twice and the last not at all.", "", func(p *plain) {
		p.wrapped = func(k int, document []int64, start *int64, end int64) []int64 {
			if k == 0 {
				return append(wrapped(k, document, start, end), end)
			}
			return wrapped(k, document, start, end)
		}
	}},
	{"text-pack-last-end-missing", "text.pack", "TXT-16", "Puts end between documents, and none behind the last.", "", func(p *plain) {
		p.wrapped = func(k int, document []int64, start *int64, end int64) []int64 {
			out := wrapped(k, document, start, end)
			if k > 0 {
				return append([]int64{end}, out[:len(out)-1]...)
			}
			return out[:len(out)-1]
		}
	}},
	{"text-pack-start-once", "text.pack", "TXT-16", "Puts start before the first document only.", "", func(p *plain) {
		p.wrapped = func(k int, document []int64, start *int64, end int64) []int64 {
			if k > 0 {
				start = nil
			}
			return wrapped(k, document, start, end)
		}
	}},
	{"text-pack-start-ignored", "text.pack", "TXT-16", "Begins documents with end in place of start.", "", func(p *plain) {
		p.wrapped = func(k int, document []int64, start *int64, end int64) []int64 {
			if start != nil {
				start = &end
			}
			return wrapped(k, document, start, end)
		}
	}},
	{"text-pack-empty-document-dropped", "text.pack", "TXT-16", "Leaves out documents without ids.", "", func(p *plain) {
		p.wrapped = func(k int, document []int64, start *int64, end int64) []int64 {
			if len(document) == 0 {
				return nil
			}
			return wrapped(k, document, start, end)
		}
	}},
	{"text-pack-lengths-unchecked", "text.pack", "TXT-17", "Does not check that the lengths add up.", "", func(p *plain) {
		p.lengthsFit = func([]int64, int) error { return nil }
	}},
	{"text-pack-end-inside", "text.pack", "TXT-17", "Takes documents that hold end or start.", "", func(p *plain) {
		p.document = func([]int64, *int64, int64) error { return nil }
	}},
}

var textBatchesBugs = []bug{
	{"text-batches-not-shifted", "text.batches", "TXT-18", "Gives x for y.", "", func(p *plain) { p.target = func(at int) int { return at } }},
	{"text-batches-shifted-twice", "text.batches", "TXT-18", "Shifts y by two.", "", func(p *plain) { p.target = func(at int) int { return at + 2 } }},
	{"text-batches-start-in-windows", "text.batches", "TXT-18", "Counts starts in windows.", "", func(p *plain) {
		p.startAt = func(start int64, seq, ids int) (int, error) {
			at, err := startAt(start, seq, ids)
			return min(at*seq, ids-seq), err
		}
	}},
	{"text-batches-last-start", "text.batches", "TXT-19", "Takes a start whose last y lies behind the ids.", "", func(p *plain) {
		p.startAt = func(start int64, seq, ids int) (int, error) { return startAt(start, seq, ids+1) }
	}},
	{"text-batches-start-clamped", "text.batches", "TXT-19", "Clamps starts to the ids.", "", func(p *plain) {
		p.startAt = func(start int64, seq, ids int) (int, error) { return int(min(max(start, 0), int64(ids-seq-1))), nil }
	}},
}
