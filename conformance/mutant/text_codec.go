package mutant

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assaykit/assay/conformance/op"
)

// codecParts are the decisions in which byte-pair encoding goes wrong.
type codecParts struct {
	checkTables  func(bytes []int64, merges [][2]int64) error
	byteIDs      func(bytes []int64) []int64
	rankOf       func(merges [][2]int64) map[[2]int64]int
	bestPair     func(ids []int64, ranks map[[2]int64]int) (at, rank int) // at < 0: none
	replacePair  func(ids []int64, at int, id int64) []int64
	pieces       func(text []byte, pretokenize string) [][]byte
	contractions []string
	prefixes     func(text []byte) int // how many characters a word may take before itself
	kindOf       func(r rune) class
	lookahead    func(spaces []byte, more bool) int // how much of a run of white space is a piece
	idText       func(id int64, texts [][]byte) ([]byte, error)
	checkRoom    func(length, capacity int) error
}

var _ = parts(func(p *plain) {
	p.codecParts = codecParts{
		checkTables: checkTables, byteIDs: slices.Clone[[]int64], rankOf: rankOf, bestPair: bestPair, replacePair: replacePair, pieces: p.gpt2Pieces,
		contractions: []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"},
		prefixes:     func(text []byte) int { return len(text) - len(strings.TrimPrefix(string(text), " ")) },
		kindOf:       kindOf, lookahead: lookahead, idText: idText, checkRoom: checkRoom,
	}
})

// class is what a word of GPT-2's pattern is made of.
type class int

const (
	letter class = iota
	number
	space
	other
)

// codec is an opened encoding.
type codec struct {
	p     *plain
	bytes []int64
	ranks map[[2]int64]int
	texts [][]byte // of each id
}

func (p *plain) newCodec(bytes, flat op.Tensor) (*codec, error) {
	var merges [][2]int64
	for i := 0; i+1 < len(flat.I64); i += 2 {
		merges = append(merges, [2]int64{flat.I64[i], flat.I64[i+1]})
	}
	if err := p.checkTables(bytes.I64, merges); err != nil {
		return nil, err
	}
	c := &codec{p: p, bytes: p.byteIDs(bytes.I64), ranks: p.rankOf(merges), texts: make([][]byte, 256)}
	for b, id := range c.bytes {
		c.texts[id&255] = []byte{byte(b)}
	}
	for _, pair := range merges {
		var text []byte
		for _, id := range pair {
			if id >= 0 && id < int64(len(c.texts)) {
				text = append(text, c.texts[id]...)
			}
		}
		c.texts = append(c.texts, text)
	}
	return c, nil
}

// checkTables wants a permutation of the bytes, and merges of ids that are there before them.
func checkTables(bytes []int64, merges [][2]int64) error {
	var seen [256]bool
	for _, id := range bytes {
		if id < 0 || id > 255 || seen[id] {
			return fmt.Errorf("%w: bytes: id %d: want each of 0 to 255 once", op.ErrIndex, id)
		}
		seen[id] = true
	}
	for r, pair := range merges {
		for _, id := range pair {
			if id < 0 || id >= int64(256+r) {
				return fmt.Errorf("%w: merges: row %d has id %d: want 0 to %d", op.ErrIndex, r, id, 255+r)
			}
		}
	}
	return nil
}

// rankOf gives each pair its first row.
func rankOf(merges [][2]int64) map[[2]int64]int {
	ranks := map[[2]int64]int{}
	for r, pair := range merges {
		if _, ok := ranks[pair]; !ok {
			ranks[pair] = r
		}
	}
	return ranks
}

var _ = offerKernel((*plain).openEncode)

func (p *plain) openEncode(a op.TextEncodeArgs) (op.Runner[op.TextEncodeArgs], error) {
	c, err := p.newCodec(a.Bytes, a.Merges)
	if err != nil {
		return nil, fmt.Errorf("text.encode: %w", err)
	}
	return encoder{c}, nil
}

type encoder struct{ *codec }

func (c encoder) Run(a op.TextEncodeArgs) error {
	text, err := c.p.bytes(a.Text)
	if err != nil {
		return fmt.Errorf("text.encode: %w", err)
	}
	var ids []int64
	for _, piece := range c.p.pieces(text, a.Pretokenize) {
		ids = append(ids, c.encode(piece)...)
	}
	c.p.fillIDs(a.IDs, ids)
	a.Length.I64[0] = int64(len(ids))
	return nil
}

// encode merges the pair of lowest rank as long as there is one.
func (c *codec) encode(piece []byte) []int64 {
	ids := make([]int64, len(piece))
	for i, b := range piece {
		ids[i] = c.bytes[b]
	}
	for {
		at, rank := c.p.bestPair(ids, c.ranks)
		if at < 0 {
			return ids
		}
		ids = c.p.replacePair(ids, at, int64(256+rank))
	}
}

// bestPair is the leftmost pair of the lowest rank.
func bestPair(ids []int64, ranks map[[2]int64]int) (at, rank int) {
	at, rank = -1, math.MaxInt
	for i := 1; i < len(ids); i++ {
		if r, ok := ranks[[2]int64{ids[i-1], ids[i]}]; ok && r < rank {
			at, rank = i-1, r
		}
	}
	return at, rank
}

func replacePair(ids []int64, at int, id int64) []int64 {
	ids[at] = id
	return slices.Delete(ids, at+1, at+2)
}

// gpt2Pieces cuts a text at the words of GPT-2's pattern.
func (p *plain) gpt2Pieces(text []byte, pretokenize string) [][]byte {
	if pretokenize == "none" {
		return [][]byte{text}
	}
	var pieces [][]byte
	for len(text) > 0 {
		n := p.word(text)
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}

// word is the length of the piece that a text begins with.
func (p *plain) word(text []byte) int {
	for _, c := range p.contractions {
		if strings.HasPrefix(string(text), c) {
			return len(c)
		}
	}
	if prefix := p.prefixes(text); prefix < len(text) {
		if kind := p.classAt(text[prefix:]); kind != space {
			return prefix + p.run(text[prefix:], kind)
		}
	}
	n := p.run(text, space)
	return p.lookahead(text[:n], n < len(text))
}

// classAt is the class of the first character; a byte that is not UTF-8 is an other.
func (p *plain) classAt(text []byte) class {
	r, size := utf8.DecodeRune(text)
	if r == utf8.RuneError && size <= 1 {
		return other
	}
	return p.kindOf(r)
}

// run is the length of the run of one class that a text begins with.
func (p *plain) run(text []byte, kind class) int {
	n := 0
	for n < len(text) && p.classAt(text[n:]) == kind {
		_, size := utf8.DecodeRune(text[n:])
		n += size
	}
	return n
}

func kindOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.In(r, unicode.N):
		return number
	case unicode.Is(unicode.White_Space, r):
		return space
	}
	return other
}

// lookahead leaves the last of several white spaces to what follows.
func lookahead(spaces []byte, more bool) int {
	_, last := utf8.DecodeLastRune(spaces)
	if more && len(spaces) > last {
		return len(spaces) - last
	}
	return len(spaces)
}

var _ = offerKernel((*plain).openDecode)

func (p *plain) openDecode(a op.TextDecodeArgs) (op.Runner[op.TextDecodeArgs], error) {
	c, err := p.newCodec(a.Bytes, a.Merges)
	if err != nil {
		return nil, fmt.Errorf("text.decode: %w", err)
	}
	return decoder{c}, nil
}

type decoder struct{ *codec }

func (c decoder) Run(a op.TextDecodeArgs) error {
	var text []byte
	for _, id := range a.IDs.I64 {
		part, err := c.p.idText(id, c.texts)
		if err != nil {
			return fmt.Errorf("text.decode: %w", err)
		}
		text = append(text, part...)
	}
	if err := c.p.checkRoom(len(text), a.Capacity); err != nil {
		return fmt.Errorf("text.decode: %w", err)
	}
	text = text[:min(len(text), a.Capacity)]
	c.p.fill(a.Text, text)
	a.Length.I64[0] = int64(len(text))
	return nil
}

func idText(id int64, texts [][]byte) ([]byte, error) {
	if id < 0 || id >= int64(len(texts)) {
		return nil, fmt.Errorf("%w: id %d: want 0 to %d", op.ErrIndex, id, len(texts)-1)
	}
	return texts[id], nil
}

func checkRoom(length, capacity int) error {
	if length > capacity {
		return fmt.Errorf("%w: %d bytes: want at most %d", op.ErrCapacity, length, capacity)
	}
	return nil
}
