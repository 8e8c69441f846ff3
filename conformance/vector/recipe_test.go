package vector

import (
	"math"
	"testing"
)

// The known answers that are published with the generator (Random123, kat_vectors, philox4x32 10).
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	tests := []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{ones, ones, ones, ones}, [2]uint32{ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	}
	for _, tt := range tests {
		if got := philox4x32(tt.ctr, tt.key); got != tt.want {
			t.Errorf("philox(%x, %x) = %x, want %x", tt.ctr, tt.key, got, tt.want)
		}
	}
}

func TestRecipeMoments(t *testing.T) {
	const n = 40000
	for _, tt := range []struct {
		kind           string
		variance, edge float64
	}{{"uniform", 1. / 3, 1}, {"sum4", 1. / 3, 2}} {
		r := Recipe{Kind: tt.kind, Seed: 1, Scale: 1}
		var sum, sq, top float64
		for _, x := range r.Generate([]int{n}) {
			sum += float64(x)
			sq += float64(x) * float64(x)
			top = max(top, math.Abs(float64(x)))
		}
		// Five standard errors of the mean and of the variance: a false alarm in two million seeds, and the seed is fixed.
		if mean := sum / n; math.Abs(mean) > 5*math.Sqrt(tt.variance/n) {
			t.Errorf("%s: mean %v", tt.kind, mean)
		}
		if v := sq / n; math.Abs(v-tt.variance) > 5*tt.variance*math.Sqrt(2./n) {
			t.Errorf("%s: variance %v, want %v", tt.kind, v, tt.variance)
		}
		if top > tt.edge {
			t.Errorf("%s: reaches %v, want at most %v", tt.kind, top, tt.edge)
		}
	}
}

func TestRecipeElementsDependOnSeedAndPositionOnly(t *testing.T) {
	for _, kind := range []string{"uniform", "sum4"} {
		long := (&Recipe{Kind: kind, Seed: 5, Scale: 2, Offset: 1}).Generate([]int{3, 7})
		short := (&Recipe{Kind: kind, Seed: 5, Scale: 2, Offset: 1}).Generate([]int{10})
		other := (&Recipe{Kind: kind, Seed: 6, Scale: 2, Offset: 1}).Generate([]int{10})
		same := 0
		for i := range short {
			if short[i] != long[i] {
				t.Errorf("%s: element %d is %v in one shape, %v in another", kind, i, short[i], long[i])
			}
			if short[i] == other[i] {
				same++
			}
		}
		if same > 1 {
			t.Errorf("%s: two seeds agree in %d of 10 elements", kind, same)
		}
	}
}
