package mutant

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/assaykit/assay/conformance/op"
)

// counted is a kernel that is counted while it is open.
type counted struct {
	op.Kernel
	open *atomic.Int64
}

func (c counted) Close() error {
	c.open.Add(-1)
	return nil
}

// late is a kernel that returns before its result is there.
type late struct {
	next        op.Kernel
	dst, result []float32
}

func (l *late) Run(dst, src []op.Tensor) error {
	err := l.next.Run(dst, src)
	l.dst, l.result = dst[0].F32, append([]float32(nil), dst[0].F32...)
	clear(l.dst)
	return err
}

func (l *late) Close() error {
	copy(l.dst, l.result)
	return nil
}

// The bugs of kernels whose mathematics is right.
var _ = plantInBuffers([]bug{
	{"relu-writes-past-end", "relu", "BUF-2", "Writes one element past its destination.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			if y := dst[0].F32; cap(y) > len(y) {
				y[:len(y)+1][len(y)] = 0
			}
			return err
		}
	})},
	{"gelu-writes-a-vector-past-end", "gelu", "BUF-2", "Writes the last vector of an unrolled loop, which is past its destination.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			if y := dst[0].F32; cap(y) >= len(y)+32 {
				y[:len(y)+32][len(y)+31] = 0
			}
			return err
		}
	})},
	{"linear-shape-changed", "linear", "BUF-2", "Flattens its destination and leaves it so.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			dst[0].Shape[0] = len(dst[0].F32)
			return err
		}
	})},
	{"softmax-last-element-unwritten", "softmax", "BUF-1", "Leaves the last element of its destination as it was.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			last := len(dst[0].F32) - 1
			before := dst[0].F32[last]
			err := next.Run(dst, src)
			dst[0].F32[last] = before
			return err
		}
	})},
	{"linear-adds-to-destination", "linear", "BUF-1", "Adds to its destination: dst += in place of dst =.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			before := append([]float32(nil), dst[0].F32...)
			err := next.Run(dst, src)
			for i := range before {
				dst[0].F32[i] += before[i]
			}
			return err
		}
	})},
	{"layernorm-in-place", "layernorm", "BUF-3", "Normalizes its source in place.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			copy(src[0].F32, dst[0].F32)
			return err
		}
	})},
	{"embedding-ids-changed", "embedding", "BUF-3", "Overwrites the ids with offsets into the table.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			for i := range src[0].I64 {
				src[0].I64[i] *= 2
			}
			return err
		}
	})},
	{"linear-weights-changed", "linear", "BUF-3", "Packs its weights where they lie.", "", func(p *plain) {
		p.weights = func(w matrix) matrix {
			columns := transposed(w)
			copy(w.data, columns.data)
			return columns
		}
	}},
	{"matmul-order-by-run", "matmul", "BUF-4", "Sums from the other end in every other run.", "", func(p *plain) {
		var runs atomic.Int64
		p.around = func(next op.Kernel) op.Kernel {
			return kernel(func(dst, src []op.Tensor) error { runs.Add(1); return next.Run(dst, src) })
		}
		p.dot = func(x, y []float32) float32 {
			if runs.Load()%2 == 0 {
				return reversed(x, y)
			}
			return forward(x, y)
		}
	}},
	{"softmax-maximum-remembered", "softmax", "BUF-4", "Starts the maximum at the largest that the implementation has seen.", "", func(p *plain) {
		var mu sync.Mutex
		largest := -inf
		p.rowMax = func(x []float32) float32 {
			mu.Lock()
			defer mu.Unlock()
			if m := rowMax(x); m > largest && m < inf {
				largest = m
			}
			return max(largest, rowMax(x))
		}
	}},
	{"matmul-order-by-load", "matmul", "BUF-5", "Splits its sums by how many kernels are open.", "", func(p *plain) {
		var open atomic.Int64
		p.around = func(next op.Kernel) op.Kernel {
			open.Add(1)
			return counted{next, &open}
		}
		p.dot = func(x, y []float32) float32 {
			if open.Load() > 1 {
				return reversed(x, y)
			}
			return forward(x, y)
		}
	}},
	{"softmax-shared-scratch", "softmax", "BUF-5", "Has one scratch memory for all its kernels.", "", func(p *plain) {
		var scratch [1 << 12]atomic.Uint32 // no data race, and yet a bug
		p.around = func(next op.Kernel) op.Kernel {
			return kernel(func(dst, src []op.Tensor) error {
				err := next.Run(dst, src)
				y := dst[0].F32[:min(len(dst[0].F32), len(scratch))]
				for i, v := range y {
					scratch[i].Store(math.Float32bits(v))
				}
				for range 20 {
					runtime.Gosched()
				}
				for i := range y {
					y[i] = math.Float32frombits(scratch[i].Load())
				}
				return err
			})
		}
	}},
	{"greedy-first-result-kept", "greedy", "BUF-4", "Returns the result of its first Run in every other of the same shape.", "", running(func(next op.Kernel) kernel {
		var first []int64
		return func(dst, src []op.Tensor) error {
			if token := dst[0].I64; len(token) == len(first) {
				copy(token, first)
				return nil
			}
			err := next.Run(dst, src)
			first = append([]int64(nil), dst[0].I64...)
			return err
		}
	})},
	{"linear-accumulator-kept", "linear", "BUF-4", "Begins a Run with the sums of the one before.", "", running(func(next op.Kernel) kernel {
		var sums []float32
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			y := dst[0].F32
			for i := range min(len(y), len(sums)) {
				y[i] += sums[i]
			}
			sums = append([]float32(nil), y...)
			return err
		}
	})},
	{"layernorm-ninth-call", "layernorm", "BUF-4", "Is wrong from the ninth call of a kernel on.", "", running(func(next op.Kernel) kernel {
		calls := 0
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			if calls++; calls >= 9 {
				clear(dst[0].F32)
			}
			return err
		}
	})},
	{"softmax-result-by-address", "softmax", "BUF-4", "Returns the result that it computed from the same address.", "flashinfer-bench starter-kit #21", running(func(next op.Kernel) kernel {
		results := map[*float32][]float32{}
		return func(dst, src []op.Tensor) error {
			key := &src[0].F32[0]
			if y, ok := results[key]; ok {
				copy(dst[0].F32, y)
				return nil
			}
			err := next.Run(dst, src)
			results[key] = append([]float32(nil), dst[0].F32...)
			return err
		}
	})},
	{"linear-weights-by-address", "linear", "BUF-4", "Packs the weights of an address once, for all its kernels.", "", func(p *plain) {
		var mu sync.Mutex
		packed := map[*float32]matrix{}
		weights := p.weights
		p.weights = func(w matrix) matrix {
			mu.Lock()
			defer mu.Unlock()
			key := &w.data[0]
			if _, ok := packed[key]; !ok {
				w.data = append([]float32(nil), w.data...)
				packed[key] = weights(w)
			}
			return packed[key]
		}
	}},
	{"softmax-declines-large-numbers", "softmax", "BUF-6", "Declines numbers for which it would need the maximum.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			for _, x := range src[0].F32 {
				if x > 80 {
					return op.Unsupported("softmax", "numbers above 80")
				}
			}
			return next.Run(dst, src)
		}
	})},
	{"relu-writes-again", "relu", "BUF-7", "Writes its first result again while a later kernel works.", "", func(p *plain) {
		var mu sync.Mutex
		var first, result []float32
		p.around = func(next op.Kernel) op.Kernel {
			return kernel(func(dst, src []op.Tensor) error {
				err := next.Run(dst, src)
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first, result = dst[0].F32, append([]float32(nil), dst[0].F32...)
				} else if &first[0] != &dst[0].F32[0] {
					copy(first, result)
				}
				return err
			})
		}
	}},
	{"gelu-late-result", "gelu", "BUF-7", "Waits for its result only when it is closed.", "", func(p *plain) {
		p.around = func(next op.Kernel) op.Kernel { return &late{next: next} }
	}},
	{"attention-cached-keeps-reference", "attention.cached", "BUF-7", "Keeps the first keys and values where the caller has them.", "", func(p *plain) {
		p.held = func(x []float32) []float32 { return x[:len(x):len(x)] }
	}},
	{"attention-cached-one-cache", "attention.cached", "KV-6", "Has one cache for all its kernels, so that a new one does not start empty.", "", func(p *plain) {
		var mu sync.Mutex
		shared := new(cache)
		p.newCache = func(capacity int) *cache {
			mu.Lock()
			defer mu.Unlock()
			shared.capacity = capacity
			return shared
		}
		p.around = func(next op.Kernel) op.Kernel {
			return kernel(func(dst, src []op.Tensor) error {
				mu.Lock()
				defer mu.Unlock()
				return next.Run(dst, src)
			})
		}
	}},
	{"attention-cached-previous-result", "attention.cached", "KV-1", "Returns the result of the step before, but in the first.", "flashinfer-bench starter-kit #21", func(p *plain) {
		p.around = func(next op.Kernel) op.Kernel {
			var previous []float32
			return kernel(func(dst, src []op.Tensor) error {
				err := next.Run(dst, src)
				out := dst[0].F32
				result := append([]float32(nil), out...)
				copy(out, previous)
				previous = result
				return err
			})
		}
	}},
})
