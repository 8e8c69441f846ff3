package mutant

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// batchParts are the decisions in which splitting, packing and batching go wrong.
type batchParts struct {
	parted     func(ids []int64, train int) (first, last []int64)
	wrapped    func(k int, document []int64, start *int64, end int64) []int64
	lengthsFit func(lengths []int64, ids int) error
	document   func(ids []int64, start *int64, end int64) error
	target     func(at int) int // where the id that follows one stands
	startAt    func(start int64, seq, ids int) (int, error)
}

var _ = parts(func(p *plain) {
	p.batchParts = batchParts{
		parted:  func(ids []int64, train int) (first, last []int64) { return ids[:train], ids[train:] },
		wrapped: wrapped, lengthsFit: lengthsFit, document: cleanDocument, target: func(at int) int { return at + 1 }, startAt: startAt,
	}
})

var _ = offer((*plain).splitOp)

func (p *plain) splitOp(a op.TextSplitArgs) error {
	train, validation := p.parted(a.IDs.I64, a.Train.Len())
	copy(a.Train.I64, train)
	copy(a.Validation.I64, validation)
	return nil
}

var _ = offer((*plain).packOp)

func (p *plain) packOp(a op.TextPackArgs) error {
	if err := p.lengthsFit(a.Lengths.I64, a.IDs.Len()); err != nil {
		return fmt.Errorf("text.pack: %w", err)
	}
	var packed []int64
	ids := a.IDs.I64
	for k, n := range a.Lengths.I64 {
		n = min(max(n, 0), int64(len(ids)))
		if err := p.document(ids[:n], a.Start, *a.End); err != nil {
			return fmt.Errorf("text.pack: document %d: %w", k, err)
		}
		packed, ids = append(packed, p.wrapped(k, ids[:n], a.Start, *a.End)...), ids[n:]
	}
	p.fillIDs(a.Packed, packed)
	return nil
}

// wrapped is a document between start, where it is given, and end.
func wrapped(_ int, document []int64, start *int64, end int64) []int64 {
	var out []int64
	if start != nil {
		out = append(out, *start)
	}
	return append(append(out, document...), end)
}

func lengthsFit(lengths []int64, ids int) error {
	left := int64(ids)
	for k, n := range lengths {
		if left -= n; n < 0 || left < 0 {
			return fmt.Errorf("%w: lengths: document %d has %d ids", op.ErrIndex, k, n)
		}
	}
	if left > 0 {
		return fmt.Errorf("%w: lengths: %d ids are left over", op.ErrIndex, left)
	}
	return nil
}

// cleanDocument wants neither negative ids nor those that stand between documents.
func cleanDocument(ids []int64, start *int64, end int64) error {
	for _, id := range ids {
		if id < 0 || id == end || start != nil && id == *start {
			return fmt.Errorf("%w: id %d", op.ErrIndex, id)
		}
	}
	return nil
}

var _ = offer((*plain).batchesOp)

func (p *plain) batchesOp(a op.TextBatchesArgs) error {
	ids := a.IDs.I64
	for b, start := range a.Starts.I64 {
		from, err := p.startAt(start, a.Seq, len(ids))
		if err != nil {
			return fmt.Errorf("text.batches: %w", err)
		}
		for t := range a.Seq {
			a.X.I64[b*a.Seq+t] = ids[min(from+t, len(ids)-1)]
			a.Y.I64[b*a.Seq+t] = ids[min(p.target(from+t), len(ids)-1)]
		}
	}
	return nil
}

func startAt(start int64, seq, ids int) (int, error) {
	if start < 0 || start >= int64(ids-seq) {
		return 0, fmt.Errorf("%w: start %d: want 0 to %d", op.ErrIndex, start, ids-seq-1)
	}
	return int(start), nil
}

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})

var _ = plant([]bug{
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
})
