package reference

import (
	"testing"
)

// Every composite calls its primitives: replacing one changes the result, so that none is bypassed.
func TestPrimitivesAreUsed(t *testing.T) {
	cfg := must(ConfigByName("tiny-post"))
	s := newSource(10)
	w, ids := s.gpt(cfg), []int{1, 2, 3}
	want := must(Exact.GPTLoss(ids, ids, -100, w, cfg))[0]
	double := func(m Matrix) Matrix { return ScaleBy(m, 2) }
	replacements := map[string]func(p *Primitives){
		"Linear": func(p *Primitives) {
			p.Linear = func(x, w Matrix, b []float64) Matrix { return double(Linear(x, w, b)) }
		},
		"LayerNorm": func(p *Primitives) {
			p.LayerNorm = func(x Matrix, g, b []float64, eps float64) Matrix { return double(LayerNormRows(x, g, b, eps)) }
		},
		"Activate": func(p *Primitives) {
			p.Activate = func(a Activation, x Matrix) Matrix { return double(a.Apply(x)) }
		},
		"Attention": func(p *Primitives) {
			p.Attention = func(q, k, v Matrix, scale float64, mask Mask) Matrix { return double(Attention(q, k, v, scale, mask)) }
		},
		"Add":     func(p *Primitives) { p.Add = func(a, b Matrix) Matrix { return Add(a, double(b)) } },
		"ScaleBy": func(p *Primitives) { p.ScaleBy = func(x Matrix, f float64) Matrix { return ScaleBy(x, 2*f) } },
		"Embed": func(p *Primitives) {
			p.Embed = func(ids []int, table Matrix) (Matrix, error) { return double(must(Embedding(ids, table))), nil }
		},
		"Sinusoid": func(p *Primitives) {
			p.Sinusoid = func(pos []int, d int) (Matrix, error) { return double(must(SinusoidalPositions(pos, d))), nil }
		},
		"CrossEntropy": func(p *Primitives) {
			p.CrossEntropy = func(x []float64, t int) float64 { return 2 * CrossEntropy(x, t) }
		},
	}
	for name, replace := range replacements {
		p := Exact
		replace(&p)
		if got := must(p.GPTLoss(ids, ids, -100, w, cfg))[0]; got == want {
			t.Errorf("replacing %s does not change the loss", name)
		}
	}
}
