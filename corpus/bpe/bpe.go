// Package bpe encodes text as pairs of bytes: SPEC.md, TXT-11 and TXT-12.
package bpe

import "slices"

// Encoder merges the symbols of one piece of text at a time: for n bytes in the order of n log n operations. It is not for several goroutines at once.
//
// The symbols form a list; a heap holds every adjacent pair that has a rank, by rank and then from left to right, and pairs that are gone, which are
// recognized when they come up.
type Encoder struct {
	bytes [256]int32
	ranks map[uint64]uint32 // of pairs, first id in the high half

	ids        []int32 // of the symbols; that of one which was merged into its left neighbour is gone
	next, prev []int32
	heap       []uint64 // rank in the high half, place of the first symbol in the low
}

const gone = -1

// NewEncoder returns the encoder of a table: the id of each of the 256 bytes, and the pairs in the order of their ranks, two ids each. Rank r makes
// id 256 + r, and has ids below that one.
func NewEncoder(bytes, merges []int64) *Encoder {
	e := &Encoder{ranks: make(map[uint64]uint32, len(merges)/2)}
	for b, id := range bytes {
		e.bytes[b] = int32(id)
	}
	for i := len(merges) - 2; i >= 0; i -= 2 { // of equal pairs the first remains
		e.ranks[uint64(merges[i])<<32|uint64(merges[i+1])] = uint32(i / 2)
	}
	return e
}

// Clone returns an encoder of the same table, for another goroutine.
func (e *Encoder) Clone() *Encoder { return &Encoder{bytes: e.bytes, ranks: e.ranks} }

// Append appends the ids of a piece.
func (e *Encoder) Append(out []int32, piece []byte) []int32 {
	n := len(piece)
	e.ids, e.next, e.prev = slices.Grow(e.ids[:0], n)[:n], slices.Grow(e.next[:0], n)[:n], slices.Grow(e.prev[:0], n)[:n]
	e.heap = slices.Grow(e.heap[:0], n)
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

func (e *Encoder) pair(left, right int) uint64 {
	return uint64(e.ids[left])<<32 | uint64(e.ids[right])
}

// push adds the pair whose first symbol is at left, where it has a rank.
func (e *Encoder) push(left int) {
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
func (e *Encoder) pop() uint64 {
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
