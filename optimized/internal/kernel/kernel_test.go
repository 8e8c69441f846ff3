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
	for _, k := range All() {
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
							t.Fatalf("%s: kc %d, ldc %d: element (%d, %d), outside the tile, was written", k.Name, kc, ldc, i, j)
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
						t.Fatalf("%s: kc %d, ldc %d: element (%d, %d) is %v, want %v within %.3g", k.Name, kc, ldc, i, j, got, want, bound)
					}
				}
			}
		}
	}
}

// What Row computes has the bits that Tile computes for the same row.
func TestRowIsARowOfTile(t *testing.T) {
	for _, k := range All() {
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
						t.Fatalf("%s: kc %d, row %d: element %d is %v, want %v", k.Name, kc, i, j, got, want)
					}
				}
			}
		}
	}
}

// Every bit of Tile is that of the sum in ascending order, with the rounding that the kernel declares.
func TestTileSumsInOrder(t *testing.T) {
	for _, k := range All() {
		r := rand.New(rand.NewPCG(5, 6))
		for _, kc := range []int{1, 2, 3, 8, 255, 256} {
			a, b, c := operands(r, k, kc, k.NR)
			was := append([]float32{}, c...)
			k.Tile(kc, a, b, c, k.NR)
			for i := range k.MR {
				for j := range k.NR {
					var sum float32
					for p := range kc {
						x, y := a[p*k.MR+i], b[p*k.NR+j]
						if k.Fused {
							sum = fma(x, y, sum)
						} else {
							sum += x * y
						}
					}
					if got, want := c[i*k.NR+j], was[i*k.NR+j]+sum; math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("%s: kc %d: element (%d, %d) is %x, want %x", k.Name, kc, i, j, math.Float32bits(got), math.Float32bits(want))
					}
				}
			}
		}
	}
}

// fma returns x*y + z, rounded once. The product is exact in float64. The sum is rounded to odd, from which rounding to float32 gives what
// rounding the exact sum would (Boldo and Melquiond 2008).
func fma(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	v := s - p
	if e := (p - (s - v)) + (c - v); e != 0 && math.Float64bits(s)&1 == 0 { // s + e is the exact sum
		s = math.Nextafter(s, s+math.Copysign(math.Inf(1), e))
	}
	return float32(s)
}

func TestFMA(t *testing.T) {
	for _, tt := range []struct{ x, y, z, want float32 }{
		{1, 1, 1, 2},
		{1 + 0x1p-12, 1 + 0x1p-12, -1, 0x1p-11 + 0x1p-24}, // the product rounded would lose 2^-24
		{1, 1 + 0x1p-23, 0x1p-24, 1 + 0x1p-22},            // a tie, to even
		{0x1p-30, 0x1p-30, 1 + 0x1p-23, 1 + 0x1p-23},      // too small to be seen
		{1 + 0x1p-23, 0x1p-24, 1 + 0x1p-23, 1 + 0x1p-22},  // just above a tie: rounding to float64 makes one of it
		{1 + 0x1p-23, -0x1p-24, 1 + 0x1p-22, 1 + 0x1p-23}, // just below one
		{0x1p-100, 0x1p-49, 0, 0x1p-149}, {3, 0, -2, -2},
	} {
		if got := fma(tt.x, tt.y, tt.z); got != tt.want {
			t.Errorf("fma(%v, %v, %v) = %x, want %x", tt.x, tt.y, tt.z, got, tt.want)
		}
	}
}

func TestEveryTermTakesPart(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, k := range All() {
		for _, special := range []float32{inf, -inf, nan} {
			for column := range k.NR {
				a, b, c := make([]float32, 3*k.MR), make([]float32, 3*k.NR), make([]float32, (k.MR+1)*k.NR)
				b[k.NR+column] = special // A is 0
				k.Tile(3, a, b, c, k.NR)
				k.Row(3, a, b, c[k.MR*k.NR:])
				for i := range c {
					if isNaN := c[i] != c[i]; isNaN != (i%k.NR == column) {
						t.Errorf("%s: 0 * %v in column %d: element (%d, %d) is %v", k.Name, special, column, i/k.NR, i%k.NR, c[i])
					}
				}
			}
		}
	}
}

func BenchmarkKernel(b *testing.B) {
	const kc = 256
	for _, k := range All() {
		x, y, c := operands(rand.New(rand.NewPCG(1, 2)), k, kc, k.NR)
		b.Run(fmt.Sprintf("%s/%dx%d", k.Name, k.MR, k.NR), func(b *testing.B) {
			for b.Loop() {
				k.Tile(kc, x, y, c, k.NR)
			}
			b.ReportMetric(float64(2*kc*k.MR*k.NR)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
		b.Run(fmt.Sprintf("%s/1x%d", k.Name, k.NR), func(b *testing.B) {
			for b.Loop() {
				k.Row(kc, x, y, c)
			}
			b.ReportMetric(float64(2*kc*k.NR)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
