package reference

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSinusoidalPositions(t *testing.T) {
	// d = 4: angles pos and pos/100. sin 1, cos 1, sin 0.01 and cos 0.01 from tables.
	got := must(SinusoidalPositions([]int{0, 1, 100}, 4))
	within(t, got.Row(0), []float64{0, 1, 0, 1}, 0)
	within(t, got.Row(1), []float64{0.8414709848078965, 0.5403023058681398, 0.0099998333341666647, 0.99995000041666528}, 4)
	within(t, got.Row(2)[2:], []float64{0.8414709848078965, 0.5403023058681398}, 4)
	// Hugging Face's RoFormer test prints positions 1 of d = 6 to four digits, sines before cosines.
	got = must(SinusoidalPositions([]int{1}, 6))
	within(t, got.Data, []float64{0.8415, 0.5403, 0.0464, 0.9989, 0.0022, 1.0}, 5e-5/0x1p-53)

	for _, d := range []int{7, 0, -2} {
		if _, err := SinusoidalPositions([]int{0}, d); !errors.Is(err, ErrConfig) {
			t.Errorf("d_model %d: error %v, want ErrConfig", d, err)
		}
	}
	if _, err := SinusoidalPositions([]int{0, -1}, 4); !errors.Is(err, ErrPosition) {
		t.Errorf("position -1: error %v, want ErrPosition", err)
	}
}

// The encoding of pos + k is a rotation of that of pos that does not depend on pos, as the paper says of its choice.
func TestSinusoidalRotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pos, k := rapid.IntRange(0, 2048).Draw(t, "pos"), rapid.IntRange(0, 64).Draw(t, "k")
		d := 2 * rapid.IntRange(1, 16).Draw(t, "half")
		y := must(SinusoidalPositions([]int{pos, k, pos + k}, d))
		for i := 0; i < d; i += 2 {
			sinP, cosP, sinK, cosK := y.At(0, i), y.At(0, i+1), y.At(1, i), y.At(1, i+1)
			// The angles are up to 2112 and rounded to about 10 units of themselves.
			within(t, append(y.Row(2)[i:i+2:i+2], 1), []float64{sinP*cosK + cosP*sinK, cosP*cosK - sinP*sinK, 1}, 2112*20)
			within(t, []float64{math.Hypot(sinP, cosP)}, []float64{1}, 4)
		}
	})
}
