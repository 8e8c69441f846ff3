package optimized_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

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
