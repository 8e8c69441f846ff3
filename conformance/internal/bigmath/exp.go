package bigmath

import (
	"math/big"
	"sync"
)

// Sqrt returns the square root of x >= 0, correctly rounded by math/big.
func Sqrt(x *big.Float, prec uint) *big.Float { return float(prec).Sqrt(x) }

// Exp returns e^x; 0 or +Inf where |x| passes limit.
//
// With k the integer nearest to x / log 2 and r = (x - k log 2) / 2^16, |r| < 2^-17, e^x = 2^k (e^r)^65536. The Taylor polynomial of e^r that
// leaves out terms below 2^-w is summed from its last term on, so that what rounds is next to nothing but the last sum; squaring 16 times
// multiplies the error by 2^16. x - k log 2 is formed with as many more bits as k has.
func Exp(x *big.Float, prec uint) *big.Float {
	const halvings = 16
	w := prec + guard
	if new(big.Float).Abs(x).Cmp(big.NewFloat(limit)) > 0 {
		if x.Sign() < 0 {
			return float(prec)
		}
		return float(prec).SetInf(false)
	}
	wide := w + 32
	k := nearest(float(wide).Quo(x, ln2.at(wide)))
	r := float(wide).Sub(x, float(wide).Mul(float(wide).SetInt(k), ln2.at(wide)))
	r = round(r.SetMantExp(r, -halvings), w)
	coefficients := inverseFactorials(w, int(w)/(halvings+1)+1)
	sum := float(w)
	for n := len(coefficients) - 1; n >= 0; n-- {
		sum.Mul(sum, r)
		sum.Add(sum, coefficients[n])
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return round(sum.SetMantExp(sum, int(k.Int64())), prec)
}

var factorials sync.Map // of precision: []*big.Float

// inverseFactorials returns 1/0!, 1/1!, ... 1/last!. For one precision, last is always the same.
func inverseFactorials(prec uint, last int) []*big.Float {
	if known, ok := factorials.Load(prec); ok {
		return known.([]*big.Float)
	}
	c := []*big.Float{integer(prec, 1)}
	for n := 1; n <= last; n++ {
		c = append(c, float(prec).Quo(c[n-1], integer(prec, int64(n))))
	}
	factorials.Store(prec, c)
	return c
}

// nearest returns the integer nearest to x.
func nearest(x *big.Float) *big.Int {
	half := big.NewFloat(0.5)
	if x.Sign() < 0 {
		half.Neg(half)
	}
	n, _ := float(x.Prec()).Add(x, half).Int(nil) // truncates
	return n
}

// Log returns the natural logarithm of x > 0.
//
// With x = m 2^e and 0.7 <= m < 1.4, log x = 2 atanh((m-1)/(m+1)) + e log 2. The series' argument is below 0.177 and formed from an exact
// m - 1, so that the result is accurate relative to itself also next to x = 1, where e = 0. Elsewhere |log m| < 0.36 and |e log 2| > 0.69:
// their sum loses two bits at most.
func Log(x *big.Float, prec uint) *big.Float {
	w := prec + guard
	exact := w + x.Prec()
	m := float(exact)
	e := x.MantExp(m)
	if m.Cmp(big.NewFloat(0.7)) < 0 {
		m.SetMantExp(m, 1)
		e--
	}
	one := integer(exact, 1)
	s := float(w).Quo(float(exact).Sub(m, one), float(exact).Add(m, one))
	if s.Sign() == 0 {
		return float(prec).Mul(integer(w, int64(e)), ln2.at(w))
	}
	sum := arcSeries(s, w, 1)
	sum.Add(sum, sum)
	return round(sum.Add(sum, float(w).Mul(integer(w, int64(e)), ln2.at(w))), prec)
}

// Pow returns x^y for x > 0, as e^(y log x). An error of y log x is a relative error of the result: the product has as many more bits as
// it may have before the point, and |log x| < 2^31.
func Pow(x, y *big.Float, prec uint) *big.Float {
	w := prec + guard + 32 + uint(max(0, exponent(y)))
	return Exp(float(w).Mul(y, Log(x, w)), prec)
}
