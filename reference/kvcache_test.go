package reference

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// headRows cuts rows lo to hi-1 of every head.
func headRows(heads []Matrix, lo, hi int) []Matrix {
	cut := make([]Matrix, len(heads))
	for h, m := range heads {
		cut[h] = rowRange(m, lo, hi)
	}
	return cut
}

// Prefill and decode, in chunks of any size and with rewinds, is attention over the whole sequence, bit for bit.
func TestCachedAttentionIsAttention(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		seqLen, headDim, kvHeads, group, window := 1+s.IntN(10), 1+s.IntN(4), 1+s.IntN(2), 1+s.IntN(2), s.IntN(5)
		q, k, v := s.heads(kvHeads*group, seqLen, headDim), s.heads(kvHeads, seqLen, headDim), s.heads(kvHeads, seqLen, headDim)
		want := GroupedAttention(q, k, v, .7, func(int) Mask { return Mask{Causal: true, Window: window} })

		c := NewKVCache(kvHeads, seqLen)
		for c.Len() < seqLen {
			pos := c.Len()
			if s.IntN(4) == 0 {
				// Speculate: write what will be thrown away, then rewind to an earlier position.
				n := 1 + s.IntN(seqLen-pos)
				must(CachedAttention(c, s.heads(kvHeads*group, n, headDim), s.heads(kvHeads, n, headDim), s.heads(kvHeads, n, headDim), pos, .7, window))
				pos = s.IntN(pos + 1)
			}
			n := 1 + s.IntN(seqLen-pos)
			got := must(CachedAttention(c, headRows(q, pos, pos+n), headRows(k, pos, pos+n), headRows(v, pos, pos+n), pos, .7, window))
			sameBits(t, join(got...), join(headRows(want, pos, pos+n)...))
			if c.Len() != pos+n {
				t.Fatalf("the cache holds %d positions after %d at %d", c.Len(), n, pos)
			}
		}
		for g := range kvHeads {
			sameBits(t, c.Keys(g).Data, k[g].Data)
			sameBits(t, c.Values(g).Data, v[g].Data)
		}
	})
}

func TestKVCacheErrors(t *testing.T) {
	s := newSource(1)
	c := NewKVCache(2, 5)
	k, v := s.heads(2, 3, 4), s.heads(2, 3, 4)
	if err := c.Append(0, k, v); err != nil {
		t.Fatal(err)
	}
	if c.Capacity() != 5 {
		t.Errorf("capacity %d, want 5", c.Capacity())
	}
	for _, tt := range []struct {
		name   string
		pos, n int
		want   error
	}{
		{"before the start", -1, 1, ErrPosition},
		{"a gap", 4, 1, ErrPosition},
		{"one too many", 3, 3, ErrCapacity},
		{"too many after a rewind", 1, 5, ErrCapacity},
	} {
		_, err := CachedAttention(c, s.heads(2, tt.n, 4), s.heads(2, tt.n, 4), s.heads(2, tt.n, 4), tt.pos, 1, 0)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
		if c.Len() != 3 {
			t.Fatalf("%s: the cache holds %d positions after an error, want 3", tt.name, c.Len())
		}
		for g := range 2 {
			sameBits(t, c.Keys(g).Data, k[g].Data)
			sameBits(t, c.Values(g).Data, v[g].Data)
		}
	}
	if err := c.Append(3, s.heads(2, 2, 4), s.heads(2, 2, 4)); err != nil {
		t.Errorf("filling the cache to its capacity: %v", err)
	}
}

// A clone and its origin do not see each other's appends, nor do matrices that were handed out.
func TestKVCacheClone(t *testing.T) {
	s := newSource(2)
	c := NewKVCache(1, 4)
	first, second, third := s.heads(1, 2, 3), s.heads(1, 1, 3), s.heads(1, 1, 3)
	must(0, c.Append(0, first, first))
	held := c.Keys(0)
	clone := c.Clone()
	must(0, c.Append(1, second, second))
	must(0, clone.Append(2, third, third))
	sameBits(t, c.Keys(0).Data, join(rowRange(first[0], 0, 1), second[0]))
	sameBits(t, clone.Values(0).Data, join(first[0], third[0]))
	sameBits(t, held.Data, first[0].Data)
}

func TestReorder(t *testing.T) {
	s := newSource(3)
	rows := make([]*KVCache, 3)
	var k [3][]Matrix
	for b := range rows {
		rows[b], k[b] = NewKVCache(1, 3), s.heads(1, 1, 2)
		must(0, rows[b].Append(0, k[b], k[b]))
	}
	reordered := must(Reorder(rows, []int{2, 0, 2}))
	for b, from := range []int{2, 0, 2} {
		sameBits(t, reordered[b].Keys(0).Data, k[from][0].Data)
	}
	// Two rows that came from one go their own ways.
	must(0, reordered[0].Append(1, k[0], k[0]))
	if reordered[2].Len() != 1 || rows[2].Len() != 1 {
		t.Errorf("an append to row 0 is seen in row 2 (%d) or in the old row 2 (%d)", reordered[2].Len(), rows[2].Len())
	}
	for _, bad := range []int{-1, 3} {
		if _, err := Reorder(rows, []int{0, bad, 0}); !errors.Is(err, ErrIndex) {
			t.Errorf("beam_idx %d: error %v, want ErrIndex", bad, err)
		}
	}
}
