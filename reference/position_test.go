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

// The sinusoids that tests of Hugging Face's models print, of all sines before all cosines, from the first column on; those of FSMT are
// fairseq's, with the angle pos / 10000^(i / (d/2 - 1)), and others than Vaswani et al.'s. (transformers, tests/models/roformer,
// tests/test_modeling_marian.py and tests/models/fsmt.)
func TestOthersPositions(t *testing.T) {
	for _, tt := range []struct {
		name      string
		d, pos    int
		columns   []float64
		tolerance float64
		same      bool
	}{
		{"RoFormer", 6, 0, []float64{0, 0, 0, 1, 1, 1}, 1e-4, true},
		{"RoFormer", 6, 1, []float64{0.8415, 0.0464, 0.0022, 0.5403, 0.9989, 1.0}, 1e-4, true},
		{"RoFormer", 512, 0, []float64{0, 0, 0, 0, 0}, 1e-4, true},
		{"RoFormer", 512, 1, []float64{0.8415, 0.8219, 0.8020, 0.7819, 0.7617}, 1e-4, true},
		{"RoFormer", 512, 2, []float64{0.9093, 0.9364, 0.9581, 0.9749, 0.9870}, 1e-4, true},
		{"Marian", 512, 1, []float64{0.84147096, 0.82177866, 0.80180490, 0.78165019, 0.76140374}, 1e-3, true},
		{"Marian", 512, 2, []float64{0.90929741, 0.93651021, 0.95829457, 0.97505713, 0.98720258}, 1e-3, true},
		{"FSMT", 6, 2, []float64{0.9093, 0.019999, 0.0002, -0.41615, 0.9998, 1.0}, 1e-4, false},
		{"FSMT", 6, 3, []float64{0.14112, 0.029995, 0.0003, -0.98999, 0.99955, 1.0}, 1e-4, false},
	} {
		worst := 0.0
		y := must(SinusoidalPositions([]int{tt.pos}, tt.d))
		for i, want := range tt.columns {
			at := 2 * i
			if i >= tt.d/2 {
				at = 2*(i-tt.d/2) + 1
			}
			worst = max(worst, math.Abs(y.At(0, at)-want))
		}
		if (worst <= tt.tolerance) != tt.same {
			t.Errorf("%s, d = %d, position %d: differs by %v, want within %v: %v", tt.name, tt.d, tt.pos, worst, tt.tolerance, tt.same)
		}
	}
}
