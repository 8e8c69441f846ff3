package reference

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSoftmax(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name    string
		x, want []float64
		units   float64
	}{
		{"logarithms of 1, 2, 3", []float64{0, math.Log(2), math.Log(3)}, []float64{1. / 6, 2. / 6, 3. / 6}, 8},
		{"one element", []float64{-3}, []float64{1}, 0},
		{"equal elements", []float64{7, 7, 7, 7}, []float64{.25, .25, .25, .25}, 0},
		{"far ahead", []float64{1000, 0, 880}, []float64{1, 0, math.Exp(-120)}, 4},
		{"far below", []float64{-1e300, -1e300}, []float64{.5, .5}, 0},
		{"one -Inf", []float64{1, -inf, 1}, []float64{.5, 0, .5}, 0},
		{"all -Inf", []float64{-inf, -inf}, []float64{nan, nan}, 0},
		{"+Inf", []float64{0, inf, 0}, []float64{nan, nan, nan}, 0},
		{"NaN first", []float64{nan, 0, 1}, []float64{nan, nan, nan}, 0},
		{"NaN last", []float64{0, inf, nan}, []float64{nan, nan, nan}, 0},
		{"empty", nil, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { within(t, Softmax(tt.x), tt.want, tt.units) })
	}
}

func TestLogSoftmax(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name    string
		x, want []float64
		units   float64
	}{
		{"one element", []float64{-3}, []float64{0}, 0},
		{"one -Inf", []float64{1, -inf, 1}, []float64{-math.Ln2, -inf, -math.Ln2}, 2},
		{"all -Inf", []float64{-inf, -inf}, []float64{nan, nan}, 0},
		{"+Inf", []float64{0, inf, 0}, []float64{nan, nan, nan}, 0},
		{"NaN", []float64{0, nan}, []float64{nan, nan}, 0},
		{"finite where softmax is 0", []float64{0, -2000}, []float64{0, -2000}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { within(t, LogSoftmax(tt.x), tt.want, tt.units) })
	}
}

// The examples printed in the ONNX operator documentation (Softmax and LogSoftmax), to the float32 digits printed there.
func TestSoftmaxONNX(t *testing.T) {
	const float32Digits = 0x1p-23 / 0x1p-53
	within(t, Softmax([]float64{-1, 0, 1}), []float64{0.09003058, 0.24472848, 0.66524094}, float32Digits)
	within(t, LogSoftmax([]float64{-1, 0, 1}), []float64{-2.4076061, -1.407606, -0.407606}, float32Digits)
	within(t, LogSoftmax([]float64{10000, 10001, 10002, 10003}), []float64{-3.4401896, -2.4401896, -1.4401896, -0.44018966}, float32Digits)
}

// The largest element's log-probability keeps its relative accuracy: log S would be log 1 = 0 here. (log1p(e^-50) = e^-50 to 22 digits.)
func TestLogSoftmaxConfident(t *testing.T) {
	within(t, LogSoftmax([]float64{50, 0})[:1], []float64{-1.928749847963917783e-22}, 4)
}

func TestSoftmaxAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		x := s.vector(1 + s.IntN(40))
		p, logP := Softmax(x), LogSoftmax(x)

		sum, logs, shifted, reversed := 0.0, make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
		for i := range x {
			sum += p[i]
			logs[i] = math.Log(p[i])
			shifted[i] = x[i] + 1024
			reversed[len(x)-1-i] = x[i]
		}
		within(t, []float64{sum}, []float64{1}, float64(len(x)+2))
		within(t, logP, logs, 32)
		// Shifting by 1024 rounds each x by at most half a unit in the last place of 1024, which is 1024 units.
		within(t, Softmax(shifted), p, 2*1024+32)
		for i, q := range Softmax(reversed) {
			within(t, []float64{q}, []float64{p[len(x)-1-i]}, float64(len(x)+2))
		}
	})
}

var _ = derivative(func(s source) []differentiable {
	return []differentiable{rowDerivative(s, "Softmax", Softmax, SoftmaxGrad), rowDerivative(s, "LogSoftmax", LogSoftmax, LogSoftmaxGrad)}
})

// A shift of a row changes no softmax, so its gradients sum to 0.
func TestSoftmaxGradAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 2 + s.IntN(20)
		x, dy := s.vector(n), s.vector(n)
		axpy(dy, 1, filled(n, 0.1)) // so that nothing is all but 0
		size := 1 + maximum(rowOf(math.Abs)(dy))
		for name, dx := range map[string][]float64{"Softmax": SoftmaxGrad(x, dy), "LogSoftmax": LogSoftmaxGrad(x, dy)} {
			if sum, _ := sumOf(dx); !(math.Abs(sum) <= 0x1p-53*64*float64(n)*size) {
				t.Fatalf("%s: the gradient sums to %v", name, sum)
			}
		}
	})
}

func TestSpecialsOfSoftmaxGrad(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	checkSpecials(t, []special{
		{"softmax of one element", SoftmaxGrad([]float64{7}, []float64{3}), []float64{0}},
		{"softmax with a NaN", SoftmaxGrad([]float64{7, nan}, []float64{3, 1}), []float64{nan, nan}},
		{"softmax with -Inf", SoftmaxGrad([]float64{7, -inf}, []float64{3, 1}), []float64{0, 0}},
		{"softmax of equal elements", SoftmaxGrad([]float64{7, 7}, []float64{3, 1}), []float64{.5, -.5}},
		{"log-softmax of equal elements", LogSoftmaxGrad([]float64{7, 7}, []float64{3, 1}), []float64{1, -1}},
		{"log-softmax with underflow", LogSoftmaxGrad([]float64{0, -1000}, []float64{3, 1}), []float64{-1, 1}},
	})
}
