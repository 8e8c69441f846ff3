package corpus

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus/philox"
)

// Split cuts ids into those to train on and, at the end, those to validate with: the given fraction, at least one and not all. There must be
// two ids, and the fraction between 0 and 1. Both results share the memory of ids.
func Split(ids []int64, fraction float64) (train, validation []int64) {
	n := len(ids)
	at := n - min(max(int(float64(n)*fraction), 1), n-1)
	return ids[:at:at], ids[at:]
}

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
