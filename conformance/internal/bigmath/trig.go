package bigmath

import "math/big"

// Sin returns the sine of x.
func Sin(x *big.Float, prec uint) *big.Float {
	s, _ := sinCos(x, prec)
	return s
}

// Cos returns the cosine of x.
func Cos(x *big.Float, prec uint) *big.Float {
	_, c := sinCos(x, prec)
	return c
}

// sinCos reduces x by the multiple n of pi/2 nearest to it, with as many more bits of pi as n has and as the difference loses, and sums
// the Taylor series of both functions at the rest, which is at most pi/4. The first term of each is at least 0.7 of its sum, and so no
// digits are lost there.
func sinCos(x *big.Float, prec uint) (sin, cos *big.Float) {
	w := prec + guard
	n, r := reduce(x, w)
	square := float(w).Mul(r, r)
	square.Neg(square)
	s, c := alternating(r, square, w, 1), alternating(integer(w, 1), square, w, 0)
	switch n {
	case 1:
		s, c = c, s.Neg(s)
	case 2:
		s, c = s.Neg(s), c.Neg(c)
	case 3:
		s, c = c.Neg(c), s
	}
	return round(s, prec), round(c, prec)
}

// reduce returns x = n pi/2 + r with |r| <= pi/4: n modulo 4, and r to w bits. The loop doubles the precision until r has them: it ends, since
// pi is irrational and x is not.
func reduce(x *big.Float, w uint) (quadrant int64, r *big.Float) {
	p := w + guard + uint(max(0, exponent(x)))
	for ; ; p *= 2 {
		halfPi := float(p).Quo(pi.at(p), integer(p, 2))
		n := nearest(float(p).Quo(x, halfPi))
		r = float(p).Sub(x, float(p).Mul(float(p).SetInt(n), halfPi))
		lost := max(0, exponent(x)-exponent(r))
		if n.Sign() == 0 || r.Sign() != 0 && p > w+guard/2+uint(lost) {
			return new(big.Int).And(n, big.NewInt(3)).Int64(), round(r, w)
		}
	}
}

// alternating is first (1 + square/((k+1)(k+2)) (1 + square/((k+3)(k+4)) ...)).
func alternating(first, square *big.Float, w uint, k int64) *big.Float {
	sum, term := round(first, w), round(first, w)
	for ; ; k += 2 {
		term.Mul(term, square)
		if term.Quo(term, integer(w, (k+1)*(k+2))); negligible(term, sum, w) {
			return sum
		}
		sum.Add(sum, term)
	}
}
