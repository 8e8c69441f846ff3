package mutant

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"unicode"
)

// tables returns the bug of tables of an encoding that are not checked.
func tables(check func(bytes []int64, merges [][2]int64) error) func(*plain) {
	return func(p *plain) { p.checkTables = check }
}

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})
