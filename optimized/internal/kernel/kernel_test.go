package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

const guard = -12345

// operands returns a panel of A, a panel of B, and a tile of C whose rows are ldc apart, between guards.
func operands(r *rand.Rand, k Kernel, kc, ldc int) (a, b, c []float32) {
	fill := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	a, b, c = fill(kc*k.MR), fill(kc*k.NR), fill(k.MR*ldc+k.NR)
	for i := range c {
		if i/ldc >= k.MR || i%ldc >= k.NR {
			c[i] = guard
		}
	}
	return a, b, c
}

func TestTile(t *testing.T) {
	for _, k := range []Kernel{Generic(), Best()} {
		r := rand.New(rand.NewPCG(1, 2))
		for _, kc := range []int{1, 2, 3, 4, 5, 7, 8, 31, 64, 255, 256} {
			for _, ldc := range []int{k.NR, k.NR + 3} {
				a, b, c := operands(r, k, kc, ldc)
				was := append([]float32{}, c...)
				k.Tile(kc, a, b, c, ldc)
				for at, got := range c {
					i, j := at/ldc, at%ldc
					if i >= k.MR || j >= k.NR {
						if got != guard {
							t.Fatalf("kc %d, ldc %d: element (%d, %d), outside the tile, was written", kc, ldc, i, j)
						}
						continue
					}
					want, size := float64(was[at]), math.Abs(float64(was[at]))
					for p := range kc {
						term := float64(a[p*k.MR+i]) * float64(b[p*k.NR+j])
						want += term
						size += math.Abs(term)
					}
					if bound := float64(kc+1) * 0x1p-24 * size; math.Abs(float64(got)-want) > bound {
						t.Fatalf("kc %d, ldc %d: element (%d, %d) is %v, want %v within %.3g", kc, ldc, i, j, got, want, bound)
					}
				}
			}
		}
	}
}

// What Row computes has the bits that Tile computes for the same row.
func TestRowIsARowOfTile(t *testing.T) {
	for _, k := range []Kernel{Generic(), Best()} {
		r := rand.New(rand.NewPCG(3, 4))
		for _, kc := range []int{1, 2, 5, 64, 256} {
			a, b, c := operands(r, k, kc, k.NR)
			for i := range k.MR {
				row, out := make([]float32, kc), append([]float32{}, c[i*k.NR:]...)
				for p := range row {
					row[p] = a[p*k.MR+i]
				}
				k.Row(kc, row, b, out)
				whole := append([]float32{}, c...)
				k.Tile(kc, a, b, whole, k.NR)
				for j, got := range out {
					want := float32(guard)
					if j < k.NR {
						want = whole[i*k.NR+j]
					} else if i < k.MR-1 {
						want = c[i*k.NR+j]
					}
					if math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("kc %d, row %d: element %d is %v, want %v", kc, i, j, got, want)
					}
				}
			}
		}
	}
}

func TestEveryTermTakesPart(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, k := range []Kernel{Generic(), Best()} {
		for _, special := range []float32{inf, -inf, nan} {
			for column := range k.NR {
				a, b, c := make([]float32, 3*k.MR), make([]float32, 3*k.NR), make([]float32, (k.MR+1)*k.NR)
				b[k.NR+column] = special // A is 0
				k.Tile(3, a, b, c, k.NR)
				k.Row(3, a, b, c[k.MR*k.NR:])
				for i := range c {
					if isNaN := c[i] != c[i]; isNaN != (i%k.NR == column) {
						t.Errorf("0 * %v in column %d: element (%d, %d) is %v", special, column, i/k.NR, i%k.NR, c[i])
					}
				}
			}
		}
	}
}

func BenchmarkTile(b *testing.B) {
	const kc = 256
	k := Best()
	x, y, c := operands(rand.New(rand.NewPCG(1, 2)), k, kc, k.NR)
	b.Run(fmt.Sprintf("%dx%d", k.MR, k.NR), func(b *testing.B) {
		for b.Loop() {
			k.Tile(kc, x, y, c, k.NR)
		}
		b.ReportMetric(float64(2*kc*k.MR*k.NR)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
	b.Run(fmt.Sprintf("1x%d", k.NR), func(b *testing.B) {
		for b.Loop() {
			k.Row(kc, x, y, c)
		}
		b.ReportMetric(float64(2*kc*k.NR)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}
