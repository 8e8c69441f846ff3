package mutant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestSumsOfIntegersAreExact(t *testing.T) {
	sums := map[string]func(x, y []float32) float32{
		"forward": forward, "reversed": reversed, "pairwise": pairwise, "blocked": blocked, "fused": fused, "float64": wide, "11 bits": narrow(11),
	}
	for name, dot := range sums {
		t.Run(name, func(t *testing.T) {
			for n := range 40 {
				x, y := make([]float32, n), make([]float32, n)
				want := float32(0)
				for i := range x {
					x[i], y[i] = float32(i%5-2), float32(i%7-3)
					want += x[i] * y[i]
				}
				if got := dot(x, y); got != want {
					t.Errorf("%d terms: got %v, want %v", n, got, want)
				}
			}
		})
	}
}

// The strategies must round differently, or they are one variant under several names.
func TestSumsDiffer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, 1000), make([]float32, 1000)
	for i := range x {
		x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	seen := map[float32]string{}
	for name, dot := range map[string]func(x, y []float32) float32{
		"forward": forward, "reversed": reversed, "pairwise": pairwise, "blocked": blocked, "fused": fused, "float64": wide,
	} {
		got := dot(x, y)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s both give %v", name, other, got)
		}
		seen[got] = name
	}
}

func TestSignificantIsBFloat16(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 10000 {
		x := math.Float32frombits(r.Uint32())
		got, want := significant(x, 8), float32(op.BFloat16Format.Round(float64(x)))
		if got != want && (got == got || want == want) {
			t.Fatalf("%v: got %v, want %v", x, got, want)
		}
	}
	for _, tt := range []struct{ x, want float32 }{ // 11 bits: ties to even around 2048
		{2048, 2048}, {2049, 2048}, {2050, 2050}, {2051, 2052}, {-2051, -2052}, {inf, inf}, {math.MaxFloat32, inf}, {0, 0},
	} {
		if got := significant(tt.x, 11); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.x, got, tt.want)
		}
	}
}
