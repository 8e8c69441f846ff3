package corpus

import (
	"fmt"
	"iter"
	"math/bits"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus/philox"
)

// IDs holds ids of a vocabulary, each in as many bytes as the largest needs. They lie in blocks, so that appending never copies them.
type IDs struct {
	width  int // bytes
	blocks [][]byte
	n      int
}

// blockLen is how many ids a block has.
const blockLen = 1 << 16

// NewIDs returns none, of a vocabulary of so many.
func NewIDs(vocab int) *IDs {
	return &IDs{width: max(1, (bits.Len(uint(vocab-1))+7)/8)}
}

// Append appends an id of the vocabulary.
func (s *IDs) Append(id int64) {
	if s.n%blockLen == 0 {
		s.blocks = append(s.blocks, make([]byte, blockLen*s.width))
	}
	to := s.blocks[s.n/blockLen][s.n%blockLen*s.width:]
	for b := range s.width {
		to[b] = byte(id >> (8 * b))
	}
	s.n++
}

// Len returns how many there are.
func (s *IDs) Len() int { return s.n }

// At returns id i.
func (s *IDs) At(i int) (id int64) {
	from := s.blocks[i/blockLen][i%blockLen*s.width:]
	for b := range s.width {
		id |= int64(from[b]) << (8 * b)
	}
	return id
}

// Span is a part of IDs.
type Span struct {
	ids      *IDs
	from, to int
}

// Len returns how many ids it has.
func (s Span) Len() int { return s.to - s.from }

// Size returns how many bytes they take.
func (s Span) Size() int { return s.Len() * s.ids.width }

// All returns its ids in order.
func (s Span) All() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := s.from; i < s.to; i++ {
			if !yield(s.ids.At(i)) {
				return
			}
		}
	}
}

// Batch is the function Batch for windows that lie, with the id after each, within the span.
func (s Span) Batch(x, y []int64, starts []int64, seq int) {
	for b, start := range starts {
		for i := range seq {
			at := s.from + int(start) + i
			x[b*seq+i], y[b*seq+i] = s.ids.At(at), s.ids.At(at+1)
		}
	}
}

// Split cuts ids as the function Split does.
func (s *IDs) Split(fraction float64) (train, validation Span) {
	at := splitAt(s.n, fraction)
	return Span{s, 0, at}, Span{s, at, s.n}
}

// Split cuts ids into those to train on and, at the end, those to validate with: the given fraction, at least one and not all. There must be
// two ids, and the fraction between 0 and 1. Both results share the memory of ids.
func Split(ids []int64, fraction float64) (train, validation []int64) {
	at := splitAt(len(ids), fraction)
	return ids[:at:at], ids[at:]
}

func splitAt(n int, fraction float64) int { return n - min(max(int(float64(n)*fraction), 1), n-1) }

// Delimiters begin and end a document. Without HasStart nothing begins one.
type Delimiters struct {
	Start, End int64
	HasStart   bool
}

// AppendDocument appends a document between its delimiters. A document that holds one of them, or a negative id, is an error that wraps
// op.ErrIndex: what is packed could not be taken apart again.
func AppendDocument(packed, document []int64, d Delimiters) ([]int64, error) {
	for i, id := range document {
		if id < 0 || id == d.End || d.HasStart && id == d.Start {
			return nil, fmt.Errorf("%w: id %d at %d of a document: want none that is negative, begins or ends a document", op.ErrIndex, id, i)
		}
	}
	if d.HasStart {
		packed = append(packed, d.Start)
	}
	return append(append(packed, document...), d.End), nil
}

// Batch writes windows of seq ids that begin at starts into x, and into y the ids that follow each. Both have len(starts)*seq elements.
// A window that does not lie, with the id after it, within ids is an error that wraps op.ErrIndex.
func Batch(x, y, ids, starts []int64, seq int) error {
	for b, start := range starts {
		if last := int64(len(ids) - seq - 1); start < 0 || start > last {
			return fmt.Errorf("%w: starts[%d] = %d, want 0 to %d", op.ErrIndex, b, start, last)
		}
		copy(x[b*seq:(b+1)*seq], ids[start:])
		copy(y[b*seq:(b+1)*seq], ids[start+1:])
	}
	return nil
}

// Starts draws where the windows of a batch begin, so that each lies, with the id after it, within n ids; n > seq. The draws are a function of
// seed and step alone: a training run that stops has nothing to remember of them.
func Starts(dst []int64, n, seq int, seed, step uint64) {
	for b := range dst {
		dst[b] = int64(philox.Below(uint64(n-seq), seed, [2]uint64{uint64(b), step}))
	}
}
