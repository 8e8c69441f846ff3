package reference

import (
	"fmt"
	"regexp"
	"unicode/utf8"
)

// BPE is a byte-pair encoding of bytes (Sennrich et al. 2016; Radford et al. 2019).
type BPE struct {
	bytes  [256]int       // the id of each byte
	byteOf [256]byte      // the byte of each id
	merges [][2]int       // the pairs that merge; the pair of rank r becomes id 256 + r
	ranks  map[[2]int]int // of the pairs, the first of equal ones
}

// NewBPE returns the encoding in which byte b has id bytes[b], a permutation of 0 ... 255, and the pair merges[r] becomes id 256 + r. A pair
// has ids below that; of equal pairs the first counts. Anything else is an error that wraps ErrIndex.
func NewBPE(bytes [256]int, merges [][2]int) (*BPE, error) {
	e := &BPE{bytes: bytes, merges: merges, ranks: map[[2]int]int{}}
	var used [256]bool
	for b, id := range bytes {
		if id < 0 || id > 255 || used[id] {
			return nil, fmt.Errorf("reference: NewBPE: byte %d has id %d, which is outside [0, 256) or another byte's: %w", b, id, ErrIndex)
		}
		e.byteOf[id], used[id] = byte(b), true
	}
	for r, pair := range merges {
		for _, id := range pair {
			if id < 0 || id >= 256+r {
				return nil, fmt.Errorf("reference: NewBPE: merges[%d] has id %d, want 0 to %d: %w", r, id, 255+r, ErrIndex)
			}
		}
		if _, ok := e.ranks[pair]; !ok {
			e.ranks[pair] = r
		}
	}
	return e, nil
}

// Encode returns the ids of a piece of text. It begins with those of its bytes, and as long as some adjacent pair has a rank, it replaces the
// pair of lowest rank by its id, the leftmost where there are several.
func (e *BPE) Encode(piece []byte) []int {
	ids := make([]int, len(piece))
	for i, b := range piece {
		ids[i] = e.bytes[b]
	}
	for {
		best, at := len(e.merges), -1
		for i := 0; i+1 < len(ids); i++ {
			if r, ok := e.ranks[[2]int{ids[i], ids[i+1]}]; ok && r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = 256 + best
		ids = append(ids[:at+1], ids[at+2:]...)
	}
}

// Decode joins the bytes that ids stand for. An id outside the table is an error that wraps ErrIndex, a text of more than capacity bytes one
// that wraps ErrCapacity.
func (e *BPE) Decode(ids []int, capacity int) ([]byte, error) {
	var text []byte
	for i, id := range ids {
		if id < 0 || id >= 256+len(e.merges) {
			return nil, fmt.Errorf("reference: Decode: ids[%d] is %d, want 0 to %d: %w", i, id, 255+len(e.merges), ErrIndex)
		}
		if text = e.expand(text, id, capacity); len(text) > capacity {
			return nil, fmt.Errorf("reference: Decode: the text has more than %d bytes: %w", capacity, ErrCapacity)
		}
	}
	return text, nil
}

// expand appends the bytes of an id, which are those of the pair that it was made of, one after the other. It stops beyond capacity: R merges
// can make 2^R bytes.
func (e *BPE) expand(text []byte, id, capacity int) []byte {
	if len(text) > capacity {
		return text
	}
	if id < 256 {
		return append(text, e.byteOf[id])
	}
	pair := e.merges[id-256]
	return e.expand(e.expand(text, pair[0], capacity), pair[1], capacity)
}

// GPT-2's pattern is '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ with \s as White_Space is defined in Unicode. Package
// regexp has no (?!\S): Pretokenize does the last two alternatives by hand.
const whiteSpace = `\t\n\v\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`

var (
	wordPattern  = regexp.MustCompile(`^(?:'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^` + whiteSpace + `\p{L}\p{N}]+)`)
	spacePattern = regexp.MustCompile(`^[` + whiteSpace + `]+`)
)

// Pretokenize cuts a text into the pieces of GPT-2's pattern. A byte that is not valid UTF-8 counts as a character that is neither letter,
// number nor white space.
func Pretokenize(text []byte) [][]byte {
	var pieces [][]byte
	for len(text) > 0 {
		n := len(wordPattern.Find(text))
		if n == 0 {
			n = len(spacePattern.Find(text))
			if _, last := utf8.DecodeLastRune(text[:n]); n < len(text) && n > last {
				n -= last // the last of several belongs to the piece that follows
			}
		}
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}
