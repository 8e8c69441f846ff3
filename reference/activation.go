package reference

import "math"

// Activation names the nonlinearity of a feed-forward layer.
type Activation string

// The activations.
const (
	ActReLU     Activation = "relu"
	ActGELU     Activation = "gelu"      // the erf form
	ActGELUTanh Activation = "gelu_tanh" // the tanh approximation, GPT-2's
)

// Apply returns the activation of each element of x.
func (a Activation) Apply(x Matrix) Matrix {
	var f func(float64) float64
	switch a {
	case ActReLU:
		f = ReLU
	case ActGELU:
		f = GELU
	case ActGELUTanh:
		f = GELUTanh
	}
	require(f != nil, "Apply: unknown activation %q: use relu, gelu or gelu_tanh", string(a))
	y := NewMatrix(x.Rows, x.Cols)
	for i, v := range x.Data {
		y.Data[i] = f(v)
	}
	return y
}

// ReLU returns max(x, 0). ReLU(NaN) = NaN, ReLU(-0) = 0.
func ReLU(x float64) float64 { return math.Max(x, 0) }

// GELU returns the Gaussian error linear unit (Hendrycks and Gimpel 2016)
//
//	x Phi(x) = x/2 (1 + erf(x/sqrt 2)) = x/2 erfc(-x/sqrt 2)
//
// The last form is the one computed: 1 + erf cancels for negative x, where erfc does not. What is left for large negative x
// is a relative error near x^2 ulp, the sensitivity of Phi there to the rounding of x/sqrt 2.
//
// Special cases: GELU(-Inf) = 0 (the limit), GELU(+Inf) = +Inf, GELU(NaN) = NaN.
func GELU(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / 2 * math.Erfc(-x/math.Sqrt2)
}

// GELUTanh returns the approximation of GELU that GPT-2 uses (Hendrycks and Gimpel 2016)
//
//	x/2 (1 + tanh u) = x / (1 + exp(-2u))        u = sqrt(2/pi) (x + 0.044715 x^3)
//
// The last form is the one computed: 1 + tanh cancels for negative x.
//
// Special cases as in GELU.
func GELUTanh(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	u := math.Sqrt(2/math.Pi) * (x + float64(0.044715*x*x*x))
	return x / (1 + math.Exp(-2*u))
}
