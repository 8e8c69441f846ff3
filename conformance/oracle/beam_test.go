package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/reference"
)

func TestScoreGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	nearest := 0.0
	for range 200 {
		n := 1 + rng.IntN(40)
		p := reference.LengthPenalty{Exponent: 3*rng.Float64() - 1, GNMT: rng.IntN(2) == 0}
		logs := random(rng, 0, 2, 1, n).Data
		for i, l := range logs {
			logs[i] = -math.Abs(l)
		}
		base := float32(n)
		if p.GNMT {
			base = (5 + base) / 6
		}
		var sum float32
		for _, l := range logs {
			sum += float32(l)
		}
		got := float64(sum / float32(math.Pow(float64(base), p.Exponent)))
		r := worst([]float64{got}, []float64{reference.Score(logs, n, p)}, Random.Score(logs, n, p))
		if !(r < 1) {
			t.Errorf("%d tokens, %+v: error %.3g times the bound", n, p, r)
		}
		nearest = max(nearest, r)
	}
	if nearest < 0.05 {
		t.Errorf("float32 comes no nearer than %.3g of the bound", nearest)
	}
	t.Logf("float32 %.3f", nearest)
}
