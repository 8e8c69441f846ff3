package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/reference"
)

func TestClipNormGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{1, 5, 100, 3000} {
		for order, sum := range summations {
			g := random(rng, 0, 3, 1, n).Data
			limit := 0.7 * math.Sqrt(float64(n))
			ys, norm, err := Random.ClipNorm(limit, 1e-6, g)
			if err != nil {
				t.Fatal(err)
			}
			want, wantNorm, _ := reference.ClipNorm(limit, 1e-6, g)
			squares, got := make([]float32, n), make([]float64, n)
			for i, x := range g {
				squares[i] = float32(x) * float32(x)
			}
			length := sqrt32(sum(squares))
			factor := min(1, float32(limit)/(length+1e-6))
			for i, x := range g {
				got[i] = float64(factor * float32(x))
			}
			if r := max(worst([]float64{float64(length)}, []float64{wantNorm}, norm), worst(got, want[0], ys[0])); !(r < 1) {
				t.Errorf("%d elements, summed %s: error %.3g times the bound", n, order, r)
			}
		}
	}
}
