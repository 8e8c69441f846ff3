package optimized

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/assaykit/assay/conformance/op"
)

// merges is the table of a byte-pair encoding: the ids of the bytes, and the pairs in the order of their ranks. Rank r makes id 256 + r.
type merges struct {
	bytes []int64
	pairs []int64 // two a rank
}

// newMerges copies and checks a table.
func newMerges(opName string, bytes, pairs []int64) (merges, error) {
	var used [256]bool
	for b, id := range bytes {
		if id < 0 || id > 255 || used[id] {
			return merges{}, fmt.Errorf("%s: %w: bytes[%d] = %d, want each of 0 to 255 once", opName, op.ErrIndex, b, id)
		}
		used[id] = true
	}
	for i, id := range pairs {
		if id < 0 || id >= 256+int64(i/2) {
			return merges{}, fmt.Errorf("%s: %w: merges[%d %d] = %d, want an id below %d, which it makes", opName, op.ErrIndex, i/2, i%2, id, 256+i/2)
		}
	}
	return merges{slices.Clone(bytes), slices.Clone(pairs)}, nil
}

// lengths returns how many bytes each id stands for, at most limit: R merges can make 2^R bytes.
func (m merges) lengths(limit int) []int {
	n := make([]int, 256, 256+len(m.pairs)/2)
	for id := range n {
		n[id] = 1
	}
	for i := 0; i < len(m.pairs); i += 2 {
		n = append(n, min(limit, n[m.pairs[i]]+n[m.pairs[i+1]]))
	}
	return n
}

// decoder writes the bytes of ids.
type decoder struct {
	pairs   []int64
	lengths []int // of the bytes of each id, at most one more than there is room for
	bytes   [256]int64
}

func newDecoder(m merges, room int) *decoder {
	d := &decoder{pairs: m.pairs, lengths: m.lengths(room + 1)}
	for b, id := range m.bytes {
		d.bytes[id] = int64(b)
	}
	return d
}

// write writes the bytes of an id, for which there is room. It calls itself for the shorter part only, so calls are not nested deeply.
func (d *decoder) write(dst []int64, id int64) {
	for id >= 256 {
		left, right := d.pairs[2*(id-256)], d.pairs[2*(id-256)+1]
		n := d.lengths[left]
		if n < d.lengths[right] {
			d.write(dst[:n], left)
			dst, id = dst[n:], right
		} else {
			d.write(dst[n:], right)
			id = left
		}
	}
	dst[0] = d.bytes[id]
}

// encoder merges the symbols of one piece of text at a time. They form a list; a heap holds every adjacent pair that has a rank, by rank and
// then from left to right, and pairs that are gone, which are recognized when they come up.
type encoder struct {
	bytes [256]int32
	ranks map[uint64]uint32 // of pairs, first id in the high half

	ids        []int32 // of the symbols; that of one which was merged into its left neighbour is gone
	next, prev []int32
	heap       []uint64 // rank in the high half, place of the first symbol in the low
}

const gone = -1

func newEncoder(m merges) *encoder {
	e := &encoder{ranks: make(map[uint64]uint32, len(m.pairs)/2)}
	for b, id := range m.bytes {
		e.bytes[b] = int32(id)
	}
	for i := len(m.pairs) - 2; i >= 0; i -= 2 { // of equal pairs the first remains
		e.ranks[uint64(m.pairs[i])<<32|uint64(m.pairs[i+1])] = uint32(i / 2)
	}
	return e
}

// append appends the ids of a piece.
func (e *encoder) append(out []int32, piece []byte) []int32 {
	n := len(piece)
	e.ids, e.next, e.prev = slices.Grow(e.ids[:0], n)[:n], slices.Grow(e.next[:0], n)[:n], slices.Grow(e.prev[:0], n)[:n]
	e.heap = e.heap[:0]
	for i, b := range piece {
		e.ids[i], e.next[i], e.prev[i] = e.bytes[b], int32(i+1), int32(i-1)
	}
	for i := range n - 1 {
		e.push(i)
	}
	for len(e.heap) > 0 {
		top := e.pop()
		rank, left := uint32(top>>32), int(uint32(top))
		right := int(e.next[left])
		if e.ids[left] == gone || right == n {
			continue
		}
		if r, ok := e.ranks[e.pair(left, right)]; !ok || r != rank {
			continue
		}
		e.ids[left], e.ids[right] = 256+int32(rank), gone
		if e.next[left] = e.next[right]; int(e.next[left]) < n {
			e.prev[e.next[left]] = int32(left)
			e.push(left)
		}
		if e.prev[left] >= 0 {
			e.push(int(e.prev[left]))
		}
	}
	for i := 0; i < n; i = int(e.next[i]) {
		out = append(out, e.ids[i])
	}
	return out
}

func (e *encoder) pair(left, right int) uint64 {
	return uint64(e.ids[left])<<32 | uint64(e.ids[right])
}

// push adds the pair whose first symbol is at left, where it has a rank.
func (e *encoder) push(left int) {
	rank, ok := e.ranks[e.pair(left, int(e.next[left]))]
	if !ok {
		return
	}
	e.heap = append(e.heap, uint64(rank)<<32|uint64(left))
	for i := len(e.heap) - 1; i > 0 && e.heap[i] < e.heap[(i-1)/2]; i = (i - 1) / 2 {
		e.heap[i], e.heap[(i-1)/2] = e.heap[(i-1)/2], e.heap[i]
	}
}

// pop removes the first pair.
func (e *encoder) pop() uint64 {
	h := e.heap
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		least := 2*i + 1
		if least+1 < last && h[least+1] < h[least] {
			least++
		}
		if least >= last || h[i] <= h[least] {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	e.heap = h
	return top
}

// class is what GPT-2's pattern tells apart.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

// classOf returns the class of the character that text begins with, and its length.
func classOf(text []byte) (class, int) {
	r, size := rune(text[0]), 1
	if r >= utf8.RuneSelf {
		if r, size = utf8.DecodeRune(text); r == utf8.RuneError {
			return other, size
		}
	}
	switch {
	case unicode.IsLetter(r):
		return letter, size
	case unicode.IsSpace(r):
		return space, size
	case unicode.IsNumber(r):
		return number, size
	}
	return other, size
}

// pieceLen returns the length of the piece that text begins with: see SPEC.md, TXT-12.
func pieceLen(text []byte) int {
	if n := contraction(text); n > 0 {
		return n
	}
	kind, n := classOf(text)
	if text[0] == ' ' && len(text) > 1 {
		if after, size := classOf(text[1:]); after != space {
			kind, n = after, 1+size
		}
	}
	last := n
	for n < len(text) {
		c, size := classOf(text[n:])
		if c != kind {
			if kind == space && n > last { // the last of several belongs to the piece that follows
				n -= last
			}
			break
		}
		n, last = n+size, size
	}
	return n
}

// contraction returns the length of one of 's 't 're 've 'm 'll 'd that text begins with, or 0.
func contraction(text []byte) int {
	if text[0] != '\'' || len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(text) > 2 {
		switch string(text[1:3]) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}
