package optimized

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// held returns the pages of all sequences.
func held(c *kvCache) map[*page]bool {
	all := map[*page]bool{}
	for _, seq := range c.seqs {
		for _, p := range seq {
			all[p] = true
		}
	}
	return all
}

// A reorder copies no more than the last page of each sequence, however long the sequences are.
func TestReorderCopiesDoNotGrow(t *testing.T) {
	const beams = 4
	shape := cacheShape{beams, 2, 8, 8}
	copied := map[int]int{} // bytes, by length
	for _, length := range []int{70, 134, 646, 4102} {
		c := newKVCache(16, 5000)
		c.begin(shape, 0, length, nil)
		pagesBefore := len(held(c))
		var before [][]*page
		for _, seq := range c.seqs {
			before = append(before, slices.Clone(seq))
		}
		parents := []int64{2, 2, 0, 1}
		c.fork(parents)
		c.begin(shape, length, 1, nil)
		for b, parent := range parents {
			for i, p := range before[parent] {
				if c.seqs[b][i] != p {
					copied[length] += 4 * c.pageSize()
				}
			}
		}
		if most := beams * 4 * c.pageSize(); copied[length] > most || copied[length] == 0 {
			t.Errorf("a reorder of %d positions copies %d bytes, want at most %d", length, copied[length], most)
		}
		if copied[length] != copied[70] {
			t.Errorf("a reorder of %d positions copies %d bytes, one of 70 %d", length, copied[length], copied[70])
		}
		if freed := pagesBefore - len(held(c)); freed != length/pageLen {
			t.Errorf("one sequence of %d positions is gone, and %d pages are free, want %d", length, freed, length/pageLen)
		}
	}
}

// Forks to more and fewer sequences, and steps after them, keep what each sequence holds apart from the others.
func TestForks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := newKVCache(4, 1000)
	tm := newTeam(1)
	var want [][]float32 // the keys of each sequence, which have one element
	push := func(batch, steps int) {
		shape := cacheShape{batch, 1, 1, 1}
		length := c.length
		x := make([]float32, batch*steps)
		for i := range x {
			x[i] = r.Float32()
		}
		c.begin(shape, length, steps, nil)
		h := heads{x, steps, steps, 1}
		c.append(tm, h, h, steps)
		for b := range batch {
			want[b] = append(append([]float32(nil), want[b]...), x[b*steps:(b+1)*steps]...)
		}
	}
	for range 20 {
		batch := 1 + r.IntN(3)
		c.restart(batch)
		want = make([][]float32, batch)
		c.length = 0
		push(batch, 1+r.IntN(150))
		for range 12 {
			parents := make([]int64, 1+r.IntN(6))
			var next [][]float32
			for i := range parents {
				parents[i] = r.Int64N(int64(batch))
				next = append(next, want[parents[i]])
			}
			c.fork(parents)
			batch, want = len(parents), next
			push(batch, 1+r.IntN(1+r.IntN(70)))
			for b, keys := range want {
				for i, k := range keys {
					if got := c.keyPanel(c.seqs[b][i/pageLen], 0, i%pageLen/c.nr)[i%c.nr]; got != k {
						t.Fatalf("sequence %d, position %d of %d: got %v, want %v", b, i, len(keys), got, k)
					}
				}
			}
			for p := range held(c) {
				if p.refs < 1 || p.refs > batch {
					t.Fatalf("a page has %d references, there are %d sequences", p.refs, batch)
				}
			}
			if free := len(c.free) + len(held(c)); free != c.total {
				t.Fatalf("%d pages are free or held, there are %d", free, c.total)
			}
		}
	}
}
