package reference

import "fmt"

// KVCache holds the keys and values of one sequence, so that a decoder computes them once.
//
// Its matrices are replaced and never written to, which is why Clone and the results of Keys and Values may share them.
type KVCache struct {
	capacity     int
	keys, values []Matrix // one per KV head, Len rows each
}

// NewKVCache returns an empty cache for kvHeads heads and at most capacity positions.
func NewKVCache(kvHeads, capacity int) *KVCache {
	require(kvHeads > 0 && capacity > 0, "NewKVCache: %d heads, capacity %d", kvHeads, capacity)
	return &KVCache{capacity: capacity, keys: make([]Matrix, kvHeads), values: make([]Matrix, kvHeads)}
}

// Len returns the number of positions held.
func (c *KVCache) Len() int { return c.keys[0].Rows }

// Capacity returns the number of positions that the cache can hold.
func (c *KVCache) Capacity() int { return c.capacity }

// Keys returns the keys of KV head g [Len,D].
func (c *KVCache) Keys(g int) Matrix { return c.keys[g] }

// Values returns the values of KV head g [Len,Dv].
func (c *KVCache) Values(g int) Matrix { return c.values[g] }

// Clone returns a cache that holds the same and goes its own way.
func (c *KVCache) Clone() *KVCache {
	return &KVCache{
		capacity: c.capacity,
		keys:     append([]Matrix(nil), c.keys...),
		values:   append([]Matrix(nil), c.values...),
	}
}

// Append keeps the first pos positions, forgets the rest and appends the rows of k and v, one matrix per KV head
//
//	keys_g   = [keys_g[0:pos]; k_g]
//	values_g = [values_g[0:pos]; v_g]        k_g [T,D], v_g [T,Dv];  Len = pos + T
//
// pos = Len extends the sequence; a smaller pos rewinds it first. pos outside [0, Len] is an error that wraps ErrPosition,
// pos + T above the capacity one that wraps ErrCapacity; an error leaves the cache as it was.
func (c *KVCache) Append(pos int, k, v []Matrix) error {
	require(len(k) == len(c.keys) && len(v) == len(c.keys), "Append: the cache has %d heads, k %d, v %d", len(c.keys), len(k), len(v))
	if err := c.admits(pos, k[0].Rows); err != nil {
		return err
	}
	for g := range c.keys {
		c.keys[g] = extend(c.keys[g], pos, k[g])
		c.values[g] = extend(c.values[g], pos, v[g])
	}
	return nil
}

// admits reports why n rows cannot be appended at pos, or nil when they can.
func (c *KVCache) admits(pos, n int) error {
	if pos < 0 || pos > c.Len() {
		return fmt.Errorf("reference: KVCache: pos is %d, the cache holds %d positions: %w", pos, c.Len(), ErrPosition)
	}
	if pos+n > c.capacity {
		return fmt.Errorf("reference: KVCache: pos %d + %d new positions, capacity %d: %w", pos, n, c.capacity, ErrCapacity)
	}
	return nil
}

// extend returns a new matrix: the first n rows of a, then b.
func extend(a Matrix, n int, b Matrix) Matrix {
	require(n == 0 || a.Cols == b.Cols, "Append: the cache has head dim %d, the new rows %d", a.Cols, b.Cols)
	c := NewMatrix(n+b.Rows, b.Cols)
	copy(c.Data, a.Data[:n*a.Cols])
	copy(c.Data[n*b.Cols:], b.Data)
	return c
}

// CachedAttention appends k and v to the cache at pos (see KVCache.Append) and returns grouped attention of q over all that
// the cache then holds, causal with the last query at the last key, and windowed where window > 0
//
//	o = grouped attention(q, keys, values)        q H x [T,D], k and v G x [T,D] -> o H x [T,D]
//
// Errors are those of Append.
func CachedAttention(c *KVCache, q, k, v []Matrix, pos int, scale float64, window int) ([]Matrix, error) {
	return Exact.CachedAttention(c, q, k, v, pos, scale, window)
}

// CachedAttention is the function CachedAttention, built from p.
func (p Primitives) CachedAttention(c *KVCache, q, k, v []Matrix, pos int, scale float64, window int) ([]Matrix, error) {
	if err := c.Append(pos, k, v); err != nil {
		return nil, err
	}
	causal := func(int) Mask { return Mask{Causal: true, Window: window} }
	return p.GroupedAttention(q, c.keys, c.values, scale, causal), nil
}

// over returns the attender that appends to the cache at pos and attends over what it then holds. The caller has asked
// c.admits, so the append cannot fail.
func (p Primitives) over(c *KVCache, pos int) attender {
	return func(q, k, v []Matrix, scale float64, masks func(head int) Mask) []Matrix {
		err := c.Append(pos, k, v)
		require(err == nil, "over: %v", err)
		return p.GroupedAttention(q, c.keys, c.values, scale, masks)
	}
}

// Reorder returns the states that beam search goes on with
//
//	new_b = a clone of old[beamIdx_b]
//
// for caches and model states alike. An index outside [0, len(old)) is an error that wraps ErrIndex.
func Reorder[S interface{ Clone() S }](old []S, beamIdx []int) ([]S, error) {
	require(len(beamIdx) == len(old), "Reorder: %d states, %d indices", len(old), len(beamIdx))
	reordered := make([]S, len(old))
	for b, from := range beamIdx {
		if from < 0 || from >= len(old) {
			return nil, fmt.Errorf("reference: Reorder: beam_idx[%d] is %d, there are %d rows: %w", b, from, len(old), ErrIndex)
		}
		reordered[b] = old[from].Clone()
	}
	return reordered, nil
}
