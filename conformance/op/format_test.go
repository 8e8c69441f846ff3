package op_test

import (
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestFormats(t *testing.T) {
	tests := []struct {
		f              op.Format
		u, tiny, large float64
	}{
		{op.Float64Format, 0x1p-53, 0x1p-1022, math.MaxFloat64},
		{op.Float32Format, 0x1p-24, 0x1p-126, math.MaxFloat32},
		{op.BFloat16Format, 0x1p-8, 0x1p-126, 0x1.fep127},
		{op.Float16Format, 0x1p-11, 0x1p-14, 65504},
	}
	for _, tt := range tests {
		if tt.f.UnitRoundoff() != tt.u || tt.f.SmallestNormal() != tt.tiny || tt.f.Max() != tt.large {
			t.Errorf("%s: got u %v, smallest normal %v, max %v", tt.f, tt.f.UnitRoundoff(), tt.f.SmallestNormal(), tt.f.Max())
		}
		if got := tt.f.ULP(1); got != 2*tt.u {
			t.Errorf("%s: ULP(1) = %v, want %v", tt.f, got, 2*tt.u)
		}
		if got := tt.f.ULP(0); got != 2*tt.u*tt.tiny {
			t.Errorf("%s: ULP(0) = %v, want the smallest subnormal", tt.f, got)
		}
		if err := tt.f.Valid(); err != nil {
			t.Error(err)
		}
	}
	if op.Format("fp8").Valid() == nil {
		t.Error("fp8 is valid")
	}
}

func TestRound(t *testing.T) {
	inf := math.Inf(1)
	tests := []struct {
		f       op.Format
		x, want float64
	}{
		{op.BFloat16Format, 1 + 0x1p-9, 1},                             // below half
		{op.BFloat16Format, 1 + 0x1p-8, 1},                             // tie to even
		{op.BFloat16Format, 1 + 3*0x1p-8, 1 + 0x1p-6},                  // tie to even, upwards
		{op.BFloat16Format, -math.Pi, -3.140625},                       // the bfloat16 nearest to pi
		{op.Float16Format, 65519, 65504},                               // just below the half that overflows
		{op.Float16Format, 65520, inf},                                 //
		{op.Float16Format, 0x1p-25, 0},                                 // tie to even at the smallest subnormal
		{op.Float16Format, 0x1.8p-25, 0x1p-24},                         //
		{op.Float32Format, 1e39, inf},                                  //
		{op.Float64Format, 0.1, 0.1},                                   //
		{op.BFloat16Format, inf, inf},                                  //
		{op.BFloat16Format, 0, 0},                                      //
		{op.Float16Format, 2049, 2048}, {op.Float16Format, 2051, 2052}, // ties to even
	}
	for _, tt := range tests {
		if got := tt.f.Round(tt.x); got != tt.want {
			t.Errorf("%s.Round(%v) = %v, want %v", tt.f, tt.x, got, tt.want)
		}
	}
	for _, x := range []float64{1e-45, 1.5e-42, 3, -7.25e30, 1e-38} { // Round against the hardware
		if got, want := op.Float32Format.Round(x), float64(float32(x)); got != want {
			t.Errorf("float32 Round(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(op.Float16Format.Round(math.NaN())) {
		t.Error("NaN does not round to NaN")
	}
}

// Every pattern of 16 bits: bfloat16 is the upper half of a float32; a float16 is the number that rounding to float16 leaves as it is.
func TestNumberOfBits(t *testing.T) {
	same := func(a, b float64) bool {
		return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
	}
	seen := map[float64]bool{}
	for i := range 1 << 16 {
		if got, want := op.BFloat16Format.Number(uint16(i)), float64(math.Float32frombits(uint32(i)<<16)); !same(got, want) {
			t.Fatalf("bfloat16 %#04x: got %v, want %v", i, got, want)
		}
		x := op.Float16Format.Number(uint16(i))
		if !same(op.Float16Format.Round(x), x) {
			t.Fatalf("float16 %#04x: %v is not of the format", i, x)
		}
		seen[x] = true
	}
	for bits, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x0001: 0x1p-24, 0x0400: 0x1p-14, 0x7bff: 65504, 0xfc00: math.Inf(-1)} {
		if got := op.Float16Format.Number(bits); got != want {
			t.Errorf("float16 %#04x: got %v, want %v", bits, got, want)
		}
	}
	if want := 1<<16 - 2*1023 - 1; len(seen) != want+2*1023 { // each NaN is a key of its own; 0 and -0 are one
		t.Errorf("float16: %d numbers, want %d", len(seen), want)
	}
}
