package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Distribution gauges the probabilities of sampling, with y = (x - m)/T of the tokens that are left.
//
//	Acc = softmax of y with E_j = 2 |y_j|, and 2 p_i more        the division, the rounding of T; another normalization
//	In  = softmax of y with |x_j|/T in the place of |y_j|
//	Eta = that of softmax
//
// Tokens that are dropped are exact zeros, and a token that is left alone is an exact one.
func (m Model) Distribution(x []float64, s reference.Sampling) (Gauges, error) {
	p, err := reference.Distribution(x, s)
	if err != nil {
		return Gauges{}, err
	}
	var left []int
	top := math.Inf(-1)
	for i, v := range p {
		if v > 0 {
			left, top = append(left, i), math.Max(top, x[i])
		}
	}
	g := newGauges(len(x))
	if len(left) == 1 {
		return g, nil
	}
	y, acc, in := make([]float64, len(left)), make([]float64, len(left)), make([]float64, len(left))
	for n, i := range left {
		y[n] = (x[i] - top) / s.Temperature
		acc[n], in[n] = 2*math.Abs(y[n]), math.Abs(x[i])/s.Temperature
	}
	own := m.softmax(y, acc, in)
	for n, i := range left {
		g.Acc[i], g.In[i], g.Eta[i] = own.Acc[n]+2*p[i], own.In[n], own.Eta[n]
	}
	return g, nil
}

// Elementary returns the part of a probability's relative error that does not grow with its logit's distance from the maximum: that of exp,
// and of the sums and divisions over a vocabulary.
func (m Model) Elementary(vocab int) float64 { return eps + m.c(vocab) + 3 }

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Distribution = func(logits []float64, s reference.Sampling) ([]float64, error) {
		p, err := reference.Distribution(logits, s)
		if err != nil {
			return nil, err
		}
		return h.one(p, func(m Model) Gauges { return there(m.Distribution(logits, s)) }), nil
	}
})

// Rows are independent.
var _, _, _ = cut("greedy", byRows), cut("distribution", byRows), cut("sample", byRows)
