package optimized

import (
	"fmt"
	"slices"

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
