package optimized_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

// A sequence cut into steps in any way gives the bits of the sequence at once.
func TestDecodeIsPrefill(t *testing.T) {
	m := modelSize{vocab: 31, ctx: 150, layers: 2, d: 24, hd: 24, gd: 12, f: 50}
	r := newRand(t)
	c := gptConst(r, m, true, true, false)
	const attrs = `{"heads":4,"kv_heads":2,"windows":[0,40]`
	whole, cached := spec("gpt", attrs+"}", c...), spec("gpt.cached", attrs+`,"capacity":150}`, c...)
	tokens := ids(r, m.vocab, 1, m.ctx)
	want := run(t, open(t, optimized.New(), whole), whole, tokens)
	for _, chunk := range []int{1, 2, 7, 64, 65, 150} {
		k := open(t, optimized.New(), cached)
		got := op.New(op.F32, want.Shape...)
		for pos := 0; pos < m.ctx; pos += chunk {
			n := min(chunk, m.ctx-pos)
			y := run(t, k, cached, op.Int64(tokens.I64[pos:pos+n], 1, n), scalar(pos), absent)
			copy(got.F32[pos*m.vocab:], y.F32)
		}
		same(t, got, want)
	}
}

// Random traces: growing, rewinding, reordering and failing, against the float64 reference.
func TestTraces(t *testing.T) {
	t.Parallel()
	const batch, h, g, d, dv, capacity = 3, 4, 2, 5, 3, 200
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRand(t)
			s := spec("attention.cached", fmt.Sprintf(`{"capacity":%d,"window":%d}`, capacity, i%2*70))
			k, ref := open(t, optimized.New(), s), open(t, refimpl.New(), s)
			length := 0
			for step := range 60 {
				n, pos := 1+r.IntN(3)*r.IntN(3)*r.IntN(20), length
				if r.IntN(4) == 0 {
					pos = r.IntN(length+3) - 1
				}
				beam := absent
				if r.IntN(3) == 0 {
					if beam = ids(r, batch, batch); r.IntN(6) == 0 {
						beam.I64[1] = batch
					}
				}
				src := []op.Tensor{normal(r, 1, batch, h, n, d), normal(r, 1, batch, g, n, d), normal(r, 1, batch, g, n, dv), scalar(pos), beam}
				got, want := op.New(op.F32, batch, h, n, dv), op.New(op.F64, batch, h, n, dv)
				err := k.Run([]op.Tensor{got}, src)
				wantErr := ref.Run([]op.Tensor{want}, convert(src, op.F64))
				if (err == nil) != (wantErr == nil) {
					t.Fatalf("step %d, pos %d of %d, %d new: got error %v, want %v", step, pos, length, n, err, wantErr)
				}
				if err == nil {
					length = pos + n
					near(t, got, want, 40*u)
				}
			}
		})
	}
}

func TestErrorsLeaveTheState(t *testing.T) {
	const capacity = 10
	m := modelSize{vocab: 5, ctx: capacity, layers: 2, d: 4, hd: 4, gd: 4, f: 4}
	r := newRand(t)
	s := spec("gpt.cached", `{"heads":2,"capacity":10}`, gptConst(r, m, true, true, false)...)
	k, undisturbed := open(t, optimized.New(), s), open(t, optimized.New(), s)
	beam := op.Int64([]int64{1, 0}, 2)
	tests := []struct {
		ids       op.Tensor
		pos, beam op.Tensor
		is        error
		says      string
	}{
		{op.Int64([]int64{0, 5}, 2, 1), scalar(3), beam, op.ErrIndex, "gpt.cached: index out of range: ids[1 0] = 5, want 0 to 4"},
		{op.Int64([]int64{0, -1}, 2, 1), scalar(1), beam, op.ErrIndex, "ids[1 0] = -1"},
		{ids(r, 5, 2, 1), scalar(4), beam, op.ErrPosition, "pos = 4, want 0 to 3"},
		{ids(r, 5, 2, 1), scalar(-1), beam, op.ErrPosition, "pos = -1, want 0 to 3"},
		{ids(r, 5, 2, 8), scalar(3), beam, op.ErrCapacity, "pos = 3 and 8 new positions, want at most 10"},
		{ids(r, 5, 2, 1), scalar(3), op.Int64([]int64{1, 2}, 2), op.ErrIndex, "beam_idx[1] = 2, want 0 to 1"},
		{ids(r, 5, 1, 1), scalar(3), absent, op.ErrShape, "the cache has batch 2"},
	}
	first, next := ids(r, 5, 2, 3), ids(r, 5, 2, 1)
	run(t, k, s, first, scalar(0), absent)
	run(t, undisturbed, s, first, scalar(0), absent)
	for _, tt := range tests {
		dst := op.New(op.F32, tt.ids.Shape[0], tt.ids.Shape[1], m.vocab)
		if err := k.Run([]op.Tensor{dst}, []op.Tensor{tt.ids, tt.pos, tt.beam}); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("got %v, want an error that wraps %q and says %q", err, tt.is, tt.says)
		}
	}
	same(t, run(t, k, s, next, scalar(3), absent), run(t, undisturbed, s, next, scalar(3), absent))
}

// The capacity alone costs no memory.
func TestLargeCapacity(t *testing.T) {
	r := newRand(t)
	s := spec("attention.cached", `{"capacity":16777216}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k := open(t, optimized.New(), s)
	x := normal(r, 1, 2, 2, 100, 16)
	same(t, run(t, k, s, x, x, x, scalar(0), absent), run(t, k, s, x, x, x, scalar(0), absent))
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("a cache of 100 positions took %d bytes, want at most 4 MiB", grown)
	}
}

// Steps of one token do not allocate, alone or with helpers, whether they stay in a page or begin one.
func TestDecodeDoesNotAllocate(t *testing.T) {
	m := modelSize{vocab: 100, ctx: 140, layers: 1, d: 128, hd: 128, gd: 128, f: 512}
	r := newRand(t)
	x := normal(r, 1, 2, 8, 1, 64)
	for _, tt := range []struct {
		s   op.Spec
		src []op.Tensor // pos is second last
		dst op.Tensor
	}{
		{spec("gpt.cached", `{"heads":8,"capacity":140}`, gptConst(r, m, true, true, false)...), []op.Tensor{ids(r, 100, 2, 1), scalar(0), absent}, op.New(op.F32, 2, 1, 100)},
		{spec("gpt.cached", `{"heads":8,"capacity":140}`, gptConst(r, m, true, true, false)...), []op.Tensor{ids(r, 100, 2, 1), scalar(0), op.Int64([]int64{1, 1}, 2)}, op.New(op.F32, 2, 1, 100)},
		{spec("attention.cached", `{"capacity":140}`), []op.Tensor{x, x, x, scalar(0), absent}, op.New(op.F32, 2, 8, 1, 64)},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/workers=%d", tt.s.Op, workers), func(t *testing.T) {
				k := open(t, optimized.New(optimized.Workers(workers)), tt.s)
				pos, dst := tt.src[len(tt.src)-2].I64, []op.Tensor{tt.dst}
				pos[0] = 0
				step := func() {
					if err := k.Run(dst, tt.src); err != nil {
						t.Fatal(err)
					}
					pos[0]++
				}
				for range 60 {
					step()
				}
				if n := testing.AllocsPerRun(70, step); n != 0 {
					t.Errorf("a step allocates %v times, want 0", n)
				}
			})
		}
	}
}
