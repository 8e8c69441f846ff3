package oracle

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assaykit/assay/reference"
)

// Ways to form a distribution in float32, given the tokens that are left: y has the logits of these, all those of the whole row.
var distributing = map[string]func(sum summation, y, all []float32, m, temperature float32) []float32{
	"dropped first": func(sum summation, y, _ []float32, m, temperature float32) []float32 {
		return sum.softmax(scaled(y, func(x float32) float32 { return (x - m) / temperature }))
	},
	"by the inverse": func(sum summation, y, _ []float32, m, temperature float32) []float32 {
		inverse := 1 / temperature
		return sum.softmax(scaled(y, func(x float32) float32 { return (x - m) * inverse }))
	},
	"dropped last": func(sum summation, y, all []float32, m, temperature float32) []float32 {
		f := func(x float32) float32 { return (x - m) / temperature }
		total := sum(scaled(all, func(x float32) float32 { return exp32(f(x)) }))
		p := scaled(y, func(x float32) float32 { return exp32(f(x)) / total })
		left := sum(p)
		return scaled(p, func(v float32) float32 { return v / left })
	},
}

func scaled(x []float32, f func(float32) float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

func TestDistributionGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	nearest, planted := 0.0, 0.0
	for _, n := range []int{2, 9, 65, 1000} {
		for _, s := range []reference.Sampling{
			{Temperature: 1, TopP: 1}, {Temperature: 0.1, TopP: 1}, {Temperature: 3, TopK: n/2 + 1, TopP: 1}, {Temperature: 0.7, TopP: 0.9},
			{Temperature: 1.3, TopK: 40, TopP: 0.8},
		} {
			x := random(rng, 20, 3, 1, n).Data
			want, err := reference.Distribution(x, s)
			if err != nil {
				t.Fatal(err)
			}
			g, err := Random.Distribution(x, s)
			if err != nil {
				t.Fatal(err)
			}
			var left []int
			var y []float64
			for i, p := range want {
				if p > 0 {
					left, y = append(left, i), append(y, x[i])
				}
			}
			for form, f := range distributing {
				for order, sum := range summations {
					got := make([]float64, n)
					row := narrow(x)
					for k, v := range f(sum, narrow(y), row, maximum(row), float32(s.Temperature)) {
						got[left[k]] = float64(v)
					}
					r := worst(got, want, g)
					if !(r < 1) {
						t.Errorf("%d tokens, %+v, %s, summed %s: error %.3g times the bound", n, s, form, order, r)
					}
					nearest = max(nearest, r)
				}
			}
			if len(left) > 1 { // a mistake of 1e-5 in the temperature or the denominator
				s.Temperature *= 1 + 1e-5
				hot, _ := reference.Distribution(x, s)
				planted = max(planted, worst(hot, want, g))
				if r := worst(dividedBy(slices.Clone(want), 1+1e-5), want, g); n < 100 && !(r > 1) {
					t.Errorf("%d tokens, %+v: 1e-5 in the denominator is %.3g of the bound", n, s, r)
				}
			}
		}
	}
	if nearest < 0.05 || planted < 1 {
		t.Errorf("float32 comes within %.3g of the bound, a temperature that is 1e-5 off is %.3g times it", nearest, planted)
	}
	t.Logf("float32 %.3f, a temperature that is 1e-5 off %.3f", nearest, planted)
}
