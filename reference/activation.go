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

// ApplyGrad returns the gradient of Apply from that of its result, dx_i = act'(x_i) dy_i in general: see the gradient of each activation.
func (a Activation) ApplyGrad(x, dy Matrix) Matrix {
	var f func(x, dy float64) float64
	switch a {
	case ActReLU:
		f = ReLUGrad
	case ActGELU:
		f = GELUGrad
	case ActGELUTanh:
		f = GELUTanhGrad
	}
	require(f != nil, "ApplyGrad: unknown activation %q: use relu, gelu or gelu_tanh", string(a))
	require(x.Rows == dy.Rows && x.Cols == dy.Cols, "ApplyGrad: x is %dx%d, dy is %dx%d", x.Rows, x.Cols, dy.Rows, dy.Cols)
	dx := NewMatrix(x.Rows, x.Cols)
	for i, v := range x.Data {
		dx.Data[i] = f(v, dy.Data[i])
	}
	return dx
}

// ReLU returns max(x, 0). ReLU(NaN) = NaN, ReLU(-0) = 0.
func ReLU(x float64) float64 { return math.Max(x, 0) }

// ReLUGrad returns the gradient of ReLU, max(x, 0), from that of its result: dy where x > 0 and 0 where x <= 0, 0 itself included.
// It chooses and does not multiply, so it is 0 for x <= 0 whatever dy is. At x = NaN it is NaN.
func ReLUGrad(x, dy float64) float64 {
	switch {
	case x > 0:
		return dy
	case math.IsNaN(x):
		return math.NaN()
	}
	return 0
}

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

// GELUGrad returns the gradient of GELU, x Phi(x), from that of its result
//
//	dx = (Phi(x) + x phi(x)) dy        phi(x) = exp(-x^2/2) / sqrt(2 pi)
//
// with Phi(x) = erfc(-x/sqrt 2)/2 as there. Special cases: the derivative is 0 at -Inf, 1 at +Inf (the limits), NaN at NaN, and finite
// elsewhere: phi is 0 before x phi(x) could be Inf * 0.
func GELUGrad(x, dy float64) float64 {
	derivative := float64(math.Erfc(-x/math.Sqrt2) / 2)
	if phi := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi); phi != 0 {
		derivative += float64(x * phi)
	}
	return derivative * dy
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
	u := float64(math.Sqrt(2/math.Pi) * (x + float64(0.044715*x*x*x)))
	return x / (1 + math.Exp(-2*u))
}

// GELUTanhGrad returns the gradient of GELUTanh, x/2 (1 + tanh u), from that of its result
//
//	dx = ((1 + tanh u)/2 + x/2 (1 - tanh^2 u) u') dy        u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
//
// With s = (1 + tanh u)/2 = 1/(1 + exp(-2u)) and t = (1 - tanh u)/2 = 1/(1 + exp(2u)), neither of which cancels, 1 - tanh^2 u = 4 s t.
//
// Special cases as in GELUGrad.
func GELUTanhGrad(x, dy float64) float64 {
	u := float64(math.Sqrt(2/math.Pi) * (x + float64(0.044715*x*x*x)))
	s, t := 1/(1+math.Exp(-2*u)), 1/(1+math.Exp(2*u))
	derivative := s
	if st := s * t; st != 0 {
		slope := math.Sqrt(2/math.Pi) * (1 + float64(3*0.044715*x*x))
		derivative += float64(2 * x * st * slope)
	}
	return derivative * dy
}
