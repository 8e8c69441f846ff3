package reference

import "math"

// Mask says which keys a query may see, and what becomes of the scaled scores of those. The zero Mask hides and changes nothing.
type Mask struct {
	Causal  bool      // hide the keys after the query's own position
	Window  int       // hide the keys Window or more positions away; 0: off
	Softcap float64   // bound the scaled score smoothly; 0: off
	Allow   []bool    // [Tq,Tk] row-major, false hides; nil: off
	Bias    []float64 // [Tq,Tk] row-major, added to the score, -Inf hides; nil: off
}

// Visible reports whether query i of seqQ may see key j of seqK. The last query stands at the last key, so query i stands at
//
//	p = i + (seqK - seqQ)
//
// and key j is visible when every part of the mask agrees:
//
//	causal      j <= p
//	window w    |p - j| < w
//	allow       allow_ij
//	bias        bias_ij != -Inf
func (m Mask) Visible(i, j, seqQ, seqK int) bool {
	p := i + (seqK - seqQ)
	return (!m.Causal || j <= p) &&
		(m.Window == 0 || (p-j < m.Window && j-p < m.Window)) &&
		(m.Allow == nil || m.Allow[i*seqK+j]) &&
		!math.IsInf(m.BiasAt(i, j, seqK), -1)
}

// BiasAt returns what is added to the score of query i and key j of seqK: 0 without a Bias.
func (m Mask) BiasAt(i, j, seqK int) float64 {
	if m.Bias == nil {
		return 0
	}
	return m.Bias[i*seqK+j]
}

// Score returns what becomes of x, the scaled score of query i and a visible key j of seqK:
//
//	s_ij = c tanh(x/c) + bias_ij        with a soft cap c
//	s_ij = x + bias_ij                  without
func (m Mask) Score(x float64, i, j, seqK int) float64 { return m.Cap(x) + m.BiasAt(i, j, seqK) }

// Cap returns the scaled score x after the soft cap c, c tanh(x/c): between -c and c, near x where |x| is small beside c, +-c at
// +-Inf. Without one it is x.
func (m Mask) Cap(x float64) float64 {
	if m.Softcap == 0 {
		return x
	}
	return float64(m.Softcap * math.Tanh(x/m.Softcap))
}

// CapGrad returns the gradient of Cap, c tanh(u) with u = x/c, from that of its result
//
//	dx = (1 - tanh^2 u) ds = 4 s t ds        s = 1/(1 + exp(-2u)), t = 1/(1 + exp(2u))
//
// The last form does not cancel: see GELUTanhGrad. Without a soft cap dx is ds.
func (m Mask) CapGrad(x, ds float64) float64 {
	if m.Softcap == 0 {
		return ds
	}
	u := x / m.Softcap
	return 4 * ds / (1 + math.Exp(-2*u)) / (1 + math.Exp(2*u))
}
