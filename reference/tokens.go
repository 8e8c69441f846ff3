package reference

import (
	"fmt"
	"slices"
)

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
