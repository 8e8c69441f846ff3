package precise

import (
	"math"
	"math/big"

	"github.com/assaykit/assay/conformance/internal/bigmath"
)

// prec is how many bits every number has.
const prec = 256

// number is a real number of 256 bits, an infinity, or NaN, with the arithmetic of IEEE 754 on these; math/big has no NaN, so that it is a
// number without a value. One that a gradient is wanted of has a place on a tape.
type number struct {
	v    *big.Float // nil: NaN
	tape *tape
	at   int
}

var (
	nan      = number{}
	zero     = of(0)
	one      = of(1)
	two      = of(2)
	half     = of(0.5)
	infinity = of(math.Inf(1))
)

func float() *big.Float { return new(big.Float).SetPrec(prec) }

// of returns x, exactly.
func of(x float64) number {
	if math.IsNaN(x) {
		return nan
	}
	return number{v: float().SetFloat64(x)}
}

func ofInt(n int) number { return number{v: float().SetInt64(int64(n))} }

// ratio returns the number a/b.
func ratio(a, b int64) number {
	return number{v: float().Quo(float().SetInt64(a), float().SetInt64(b))}
}

func (x number) isNaN() bool    { return x.v == nil }
func (x number) isInf() bool    { return x.v != nil && x.v.IsInf() }
func (x number) isFinite() bool { return x.v != nil && !x.v.IsInf() }
func (x number) isZero() bool   { return x.v != nil && x.v.Sign() == 0 }
func (x number) sign() int      { return x.v.Sign() }

// plain returns the number without its place on a tape: a constant.
func (x number) plain() number { return number{v: x.v} }

// less reports whether x < y; it is false where either is NaN.
func less(x, y number) bool { return !x.isNaN() && !y.isNaN() && x.v.Cmp(y.v) < 0 }

// add returns x + y. Inf - Inf is NaN.
func add(x, y number) number {
	z := nan
	if !x.isNaN() && !y.isNaN() && !(x.isInf() && y.isInf() && x.sign() != y.sign()) {
		z = number{v: float().Add(x.v, y.v)}
	}
	if x.tape == nil && y.tape == nil {
		return z
	}
	return record(z, edge{x, one}, edge{y, one})
}

func sub(x, y number) number { return add(x, neg(y)) }

func neg(x number) number {
	if x.isNaN() {
		return x
	}
	return record(number{v: float().Neg(x.v)}, edge{x, of(-1)})
}

// mul returns x y. 0 * Inf is NaN.
func mul(x, y number) number {
	z := product(x, y)
	if x.tape == nil && y.tape == nil {
		return z
	}
	return record(z, edge{x, y}, edge{y, x})
}

func product(x, y number) number {
	if x.isNaN() || y.isNaN() || x.isInf() && y.isZero() || x.isZero() && y.isInf() {
		return nan
	}
	return number{v: float().Mul(x.v, y.v)}
}

// quo returns x / y. 0/0 and Inf/Inf are NaN.
func quo(x, y number) number {
	z := quotient(x, y)
	if x.tape == nil && y.tape == nil {
		return z
	}
	slope := quotient(one, y)
	return record(z, edge{x, slope}, edge{y, product(of(-1), product(z, slope))})
}

func quotient(x, y number) number {
	if x.isNaN() || y.isNaN() || x.isInf() && y.isInf() || x.isZero() && y.isZero() {
		return nan
	}
	return number{v: float().Quo(x.v, y.v)}
}

func square(x number) number { return mul(x, x) }

// sum adds up; the sum of nothing is 0.
func sum(xs ...number) number {
	total := zero
	for _, x := range xs {
		total = add(total, x)
	}
	return total
}

// logSum returns log sum_i x_i. The sum has so many bits that 1 plus the smallest float64 is not 1: a logarithm close to 0 is as accurate as
// any other.
func logSum(xs []number) number {
	total := new(big.Float).SetPrec(prec + 1100)
	edges := make([]edge, 0, len(xs))
	for _, x := range xs {
		if !x.isFinite() || x.sign() < 0 {
			return log(sum(xs...))
		}
		total.Add(total, x.v)
	}
	if total.Sign() == 0 {
		return log(sum(xs...))
	}
	slope := quotient(one, number{v: total})
	for _, x := range xs {
		edges = append(edges, edge{x, slope})
	}
	return record(number{v: bigmath.Log(total, prec)}, edges...)
}

// dot is sum_i x_i y_i, one place on the tape.
func dot(xs, ys []number) number {
	total, term := float(), float()
	taped := false
	for i, x := range xs {
		y := ys[i]
		taped = taped || x.tape != nil || y.tape != nil
		switch {
		case total == nil:
		case x.isFinite() && y.isFinite():
			if !total.IsInf() {
				total.Add(total, term.Mul(x.v, y.v))
			}
		default:
			total = add(number{v: total}, product(x, y)).v
		}
	}
	z := number{v: total}
	if !taped {
		return z
	}
	edges := make([]edge, 0, 2*len(xs))
	for i, x := range xs {
		edges = append(edges, edge{x, ys[i]}, edge{ys[i], x})
	}
	return record(z, edges...)
}

// apply evaluates an elementary function on a finite argument; slope is its derivative, asked for only on a tape.
func apply(x number, f func(*big.Float, uint) *big.Float, slope func(z number) number) number {
	z := number{v: f(x.v, prec)}
	if x.tape == nil {
		return z
	}
	return record(z, edge{x, slope(z)})
}

// exp returns e^x: 0 at -Inf, +Inf at +Inf.
func exp(x number) number {
	switch {
	case x.isNaN():
		return record(nan, edge{x, nan})
	case x.isInf() && x.sign() < 0:
		return record(zero, edge{x, zero})
	case x.isInf():
		return record(x.plain(), edge{x, x.plain()})
	}
	return apply(x, bigmath.Exp, func(z number) number { return z })
}

// log returns the natural logarithm: -Inf at 0, +Inf at +Inf, NaN below 0.
func log(x number) number {
	switch {
	case x.isNaN() || x.sign() < 0:
		return record(nan, edge{x, nan})
	case x.isZero():
		return record(of(math.Inf(-1)), edge{x, infinity})
	case x.isInf():
		return record(x.plain(), edge{x, zero})
	}
	return apply(x, bigmath.Log, func(number) number { return quotient(one, x) })
}

// sqrt returns the square root: +Inf at +Inf, NaN below 0.
func sqrt(x number) number {
	switch {
	case x.isNaN() || x.sign() < 0:
		return record(nan, edge{x, nan})
	case x.isInf():
		return record(x.plain(), edge{x, zero})
	}
	return apply(x, bigmath.Sqrt, func(z number) number { return quotient(half, z) })
}

// onePlusErf returns 1 + erf x, of a finite x.
func onePlusErf(x number) number {
	return apply(x, bigmath.OnePlusErf, func(number) number { // 2/sqrt(pi) e^(-x^2)
		return quotient(product(two, exp(product(of(-1), product(x, x)))), sqrt(pi()))
	})
}

// onePlusTanh returns 1 + tanh x, of a finite x.
func onePlusTanh(x number) number {
	return apply(x, bigmath.OnePlusTanh, func(z number) number { // 1 - tanh^2 = (1 + tanh)(1 - tanh)
		return product(z, number{v: bigmath.OnePlusTanh(float().Neg(x.v), prec)})
	})
}

// tanh returns the hyperbolic tangent, 1 and -1 at the infinities.
func tanh(x number) number {
	switch {
	case x.isNaN():
		return record(nan, edge{x, nan})
	case x.isInf():
		return record(ofInt(x.sign()), edge{x, zero})
	}
	return apply(x, bigmath.Tanh, func(z number) number { return sub(one, product(z, z)) })
}

// sin, cos and pow are of finite constants.
func sin(x number) number    { return number{v: bigmath.Sin(x.v, prec)} }
func cos(x number) number    { return number{v: bigmath.Cos(x.v, prec)} }
func pow(x, y number) number { return number{v: bigmath.Pow(x.v, y.v, prec)} }
func pi() number             { return number{v: bigmath.Pi(prec)} }

// largest returns the maximum, as a constant; NaN where there is a NaN.
func largest(xs []number) number {
	m := of(math.Inf(-1))
	for _, x := range xs {
		if x.isNaN() {
			return nan
		}
		if less(m, x) {
			m = x
		}
	}
	return m.plain()
}

// power is x^n, by multiplication.
func power(x number, n int) number {
	y := one
	for ; n > 0; n /= 2 {
		if n%2 == 1 {
			y = mul(y, x)
		}
		x = mul(x, x)
	}
	return y
}

// most returns the larger number.
func most(x, y number) number {
	if less(x, y) {
		return y
	}
	return x
}
