package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// A mask says which keys the queries see: causal, window and mask tensor together (SPEC.md MSK).
type mask struct {
	seqQ, seqK  int
	causal      bool
	window      int // 0: off
	allowed     []bool
	bias        []float32
	batch, head int // how far apart the rows of batch items and heads are in the tensor, 0 where it is shared
}

// newMask returns the mask of attention over seqQ queries and seqK keys; tensor may be absent.
func newMask(seqQ, seqK int, causal bool, window int, tensor op.Tensor) mask {
	if window >= seqQ+seqK { // wider than any distance, so that no sum with it can overflow
		window = 0
	}
	m := mask{seqQ: seqQ, seqK: seqK, causal: causal, window: window, allowed: tensor.Bool, bias: tensor.F32}
	if tensor.Present() {
		if n := seqQ * seqK; tensor.Shape[1] > 1 {
			m.head = n
		}
		if n := seqQ * seqK * tensor.Shape[1]; tensor.Shape[0] > 1 {
			m.batch = n
		}
	}
	return m
}

// keys returns the keys from lo to hi-1 that causal and window let query i see. The last query stands at the last key.
func (m *mask) keys(i int) (lo, hi int) {
	at := i + m.seqK - m.seqQ
	hi = m.seqK
	switch {
	case m.causal:
		hi = at + 1
	case m.window > 0:
		hi = min(hi, at+m.window)
	}
	if m.window > 0 {
		lo = at - m.window + 1
	}
	return max(0, lo), hi
}

// row returns the part of the mask tensor that belongs to a query, for all keys; nil where there is none.
func (m *mask) row(b, h, i int) (allowed []bool, bias []float32) {
	at := b*m.batch + h*m.head + i*m.seqK
	switch {
	case m.allowed != nil:
		allowed = m.allowed[at : at+m.seqK]
	case m.bias != nil:
		bias = m.bias[at : at+m.seqK]
	}
	return allowed, bias
}

// visible returns a bit for each of the n keys from first, set where query i of head h sees the key; and what is to be added to the scores
// of those keys, nil for nothing.
func (m *mask) visible(b, h, i, first, n int) (seen uint64, bias []float32) {
	lo, hi := m.keys(i)
	lo, hi = max(lo, first)-first, min(hi, first+n)-first
	if lo >= hi {
		return 0, nil
	}
	seen = (1<<hi - 1) &^ (1<<lo - 1)
	allowed, bias := m.row(b, h, i)
	if allowed != nil {
		for j, ok := range allowed[first : first+n] {
			if !ok {
				seen &^= 1 << j
			}
		}
	}
	if bias != nil {
		bias = bias[first : first+n]
		for j, v := range bias {
			if math.IsInf(float64(v), -1) {
				seen &^= 1 << j
			}
		}
	}
	return seen, bias
}
