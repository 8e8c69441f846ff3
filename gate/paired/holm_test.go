package paired

import (
	"math"
	"testing"
)

func TestHolm(t *testing.T) {
	const alpha = 0.05
	corrected, level := Holm([]float64{0.01, 0.04, 0.03, 0.005}, alpha)
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(corrected[i]-want) > 1e-15 {
			t.Errorf("corrected[%d] = %v, want %v", i, corrected[i], want)
		}
	}
	for i, steps := range []float64{3, 2, 2, 4} {
		if level[i] != alpha/steps {
			t.Errorf("level[%d] = %v, want %v", i, level[i], alpha/steps)
		}
	}
}
