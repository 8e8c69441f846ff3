package optimized

import "math"

// expTable[i] holds the bits of 2^(i/32), less i/32 in units of the exponent: adding k to the exponent field, 32 units to one, makes
// 2^(k/32) of expTable[k mod 32].
var expTable = func() (t [32]uint64) {
	for i := range t {
		t[i] = math.Float64bits(math.Exp2(float64(i)/32)) - uint64(i)<<(52-5)
	}
	return t
}()

// exp returns e^x for |x| < 708, to a relative error of 6e-10; exp(0) = 1, exp(NaN) = NaN. Rounded to float32 it is within 0.51 ULP of the
// true value, subnormal results included.
//
//	e^x = 2^(k/32) e^r,   k = round(32 x / ln 2),   |r| <= ln(2)/64,   e^r = 1 + r + r^2/2 + r^3/6
//
// Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits. The method is that of the exponentials of ARM's optimized routines.
func exp(x float64) float64 {
	const round = 3 << 51
	t := x*(32/math.Ln2) + round
	k := math.Float64bits(t)
	r := x - (t-round)*(math.Ln2/32)
	return math.Float64frombits(expTable[k%32]+k<<(52-5)) * (1 + r + r*r*(0.5+r*(1.0/6)))
}

// expNegative returns e^x for x <= 0, -Inf included, and NaN for NaN. It is 0 where a float32 is.
func expNegative(x float64) float64 {
	if x < -105 {
		return 0
	}
	return exp(x)
}

// tanh returns the hyperbolic tangent, to a relative error of 1e-8. Near 0, where 1 - 2/(e^2x + 1) cancels, it is the series
//
//	tanh x = x - x^3/3 + 2 x^5/15 - 17 x^7/315 + 62 x^9/2835 - ...
func tanh(x float64) float64 {
	switch square := x * x; {
	case square < 0.01:
		return x * (1 - square*(1.0/3-square*(2.0/15-square*(17.0/315-square*(62.0/2835)))))
	case x > 20:
		return 1
	case x < -20:
		return -1
	}
	return 1 - 2/(exp(2*x)+1)
}
