// Package bigmath evaluates elementary functions on the floats of math/big, to any precision.
//
// Every function returns a new number of prec bits whose relative error is below 2^(1-prec), the final rounding included; the argument is
// taken as exact, however many bits it has. Each one says how: what the argument is reduced to, which series is summed, and why the guard
// bits absorb the roundings. Arguments are finite.
package bigmath

import (
	"math/big"
	"sync"
)

// guard is how many bits wider than its result every function works. A sum of at most 2^14 terms, each off by a few roundings, is off by
// less than 2^20 of them, and the reductions below multiply that by at most 2^10.
const guard = 64

// limit is the magnitude of an argument beyond which e^x is 0 or infinite: its exponent would not be one of math/big.
const limit = 1 << 30

func float(prec uint) *big.Float { return new(big.Float).SetPrec(prec) }

func integer(prec uint, n int64) *big.Float { return float(prec).SetInt64(n) }

// round returns x rounded to prec bits.
func round(x *big.Float, prec uint) *big.Float { return float(prec).Set(x) }

// exponent returns e with 2^(e-1) <= |x| < 2^e, and 0 for 0.
func exponent(x *big.Float) int { return x.MantExp(nil) }

// negligible reports whether adding term to sum cannot move it by more than 2^-prec of itself.
func negligible(term, sum *big.Float, prec uint) bool {
	return term.Sign() == 0 || exponent(term) < exponent(sum)-int(prec)-1
}

// constant is a number that is computed once a precision.
type constant struct {
	compute func(prec uint) *big.Float
	mu      sync.Mutex
	known   map[uint]*big.Float
}

func (c *constant) at(prec uint) *big.Float {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.known[prec]
	if !ok {
		if c.known == nil {
			c.known = map[uint]*big.Float{}
		}
		x = c.compute(prec)
		c.known[prec] = x
	}
	return x
}

var (
	pi  = constant{compute: machin}
	ln2 = constant{compute: func(prec uint) *big.Float { // log 2 = 2 atanh(1/3)
		third := float(prec+guard).Quo(integer(prec+guard, 1), integer(prec+guard, 3))
		sum := arcSeries(third, prec+guard, 1)
		return round(sum.Add(sum, sum), prec)
	}}
)

// Pi returns the circle constant.
func Pi(prec uint) *big.Float { return new(big.Float).Copy(pi.at(prec)) }

// machin is pi = 16 atan(1/5) - 4 atan(1/239) (Machin 1706).
func machin(prec uint) *big.Float {
	w := prec + guard
	inverse := func(n int64) *big.Float { return float(w).Quo(integer(w, 1), integer(w, n)) }
	a := arcSeries(inverse(5), w, -1)
	b := arcSeries(inverse(239), w, -1)
	a.Mul(a, integer(w, 16))
	b.Mul(b, integer(w, 4))
	return round(a.Sub(a, b), prec)
}

// arcSeries is sum_i sign^i s^(2i+1) / (2i+1) for |s| <= 1/3: atanh s for sign 1, atan s for sign -1. Its terms shrink by at least 9 each.
func arcSeries(s *big.Float, prec uint, sign int64) *big.Float {
	square := float(prec).Mul(s, s)
	if sign < 0 {
		square.Neg(square)
	}
	power, sum, term := round(s, prec), round(s, prec), float(prec)
	for n := int64(3); ; n += 2 {
		power.Mul(power, square)
		if term.Quo(power, integer(prec, n)); negligible(term, sum, prec) {
			return sum
		}
		sum.Add(sum, term)
	}
}
