package bigmath

import (
	"math"
	"math/big"
)

// far is the argument beyond which erf is 1 to any precision used here: 1 - erf(far) < e^-16384 < 2^-23000.
const far = 128

// Erf returns the error function.
//
// For |x| <= far it is 2/sqrt(pi) e^(-x^2) sum_n 2^n x^(2n+1) / (1 3 5 ... (2n+1)) (Abramowitz and Stegun 1964, 7.1.6), whose terms have one
// sign: nothing cancels, also for small x. They shrink once 2n + 1 > 2x^2, and there are fewer than 2^16 of them.
func Erf(x *big.Float, prec uint) *big.Float {
	if new(big.Float).Abs(x).Cmp(big.NewFloat(far)) > 0 {
		return integer(prec, int64(x.Sign()))
	}
	w := prec + guard
	square := float(2*x.Prec()).Mul(x, x) // exact
	twice := float(w).Add(square, square)
	sum, term := round(x, w), round(x, w)
	for n := int64(3); ; n += 2 {
		term.Mul(term, twice)
		if term.Quo(term, integer(w, n)); negligible(term, sum, w) && twice.Cmp(integer(w, n)) < 0 {
			break
		}
		sum.Add(sum, term)
	}
	sum.Mul(sum, Exp(square.Neg(square), w))
	sum.Quo(sum, Sqrt(pi.at(w), w))
	return round(sum.Add(sum, sum), prec)
}

// OnePlusErf returns 1 + erf x, which for negative x is as small as e^(-x^2).
func OnePlusErf(x *big.Float, prec uint) *big.Float {
	return onePlus(Erf, x, prec, func(x float64) float64 { return x * x })
}

// Tanh returns the hyperbolic tangent, (e^2x - 1) / (e^2x + 1), the exponential with as many more bits as the difference loses for small x.
func Tanh(x *big.Float, prec uint) *big.Float {
	switch {
	case x.Sign() == 0:
		return float(prec)
	case exponent(x) > 20: // e^(-2|x|) < 2^-10^6
		return integer(prec, int64(x.Sign()))
	}
	w := prec + guard + uint(max(0, -exponent(x)))
	e := Exp(float(x.Prec()).Add(x, x), w)
	one := integer(w, 1)
	return float(prec).Quo(float(w).Sub(e, one), float(w).Add(e, one))
}

// OnePlusTanh returns 1 + tanh x, which for negative x is as small as e^2x.
func OnePlusTanh(x *big.Float, prec uint) *big.Float {
	return onePlus(Tanh, x, prec, func(x float64) float64 { return -2 * x })
}

// vanishes is where 1 + f(x) counts as 0: e^-vanishes is below 2^-5900.
const vanishes = 4096

// onePlus returns 1 + f(x) for an f that is odd and tends to 1; decay(x) says for negative x that 1 + f(x) is about e^-decay(x). f is formed
// with as many more bits as cancel.
func onePlus(f func(*big.Float, uint) *big.Float, x *big.Float, prec uint, decay func(float64) float64) *big.Float {
	w := prec + guard
	if x.Sign() < 0 {
		v, _ := x.Float64()
		lost := decay(v)
		if lost > vanishes {
			return float(prec)
		}
		w += uint(lost/math.Ln2) + guard
	}
	return float(prec).Add(integer(w, 1), f(x, w))
}
