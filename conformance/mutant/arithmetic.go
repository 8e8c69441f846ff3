package mutant

import "math"

// Sums. Each function returns sum x_i y_i; a plain sum is the same with y_i = 1, where the product is exact. Products are rounded by the
// conversion, which keeps the compiler from fusing them with the addition.

func forward(x, y []float32) float32 {
	var sum float32
	for i := range x {
		sum += float32(x[i] * y[i])
	}
	return sum
}

func reversed(x, y []float32) float32 {
	var sum float32
	for i := len(x) - 1; i >= 0; i-- {
		sum += float32(x[i] * y[i])
	}
	return sum
}

func pairwise(x, y []float32) float32 {
	if half := len(x) / 2; half >= 4 {
		return pairwise(x[:half], y[:half]) + pairwise(x[half:], y[half:])
	}
	return forward(x, y)
}

func blocked(x, y []float32) float32 {
	var sums [8]float32
	for i := range x {
		sums[i%8] += float32(x[i] * y[i])
	}
	return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

// fused adds each product without rounding it. The product of two float32 is exact in float64; the sum is rounded to float64 and then
// to float32, which differs from a true fused multiply-add in one case of 2^29 and by half a unit there.
func fused(x, y []float32) float32 {
	var sum float32
	for i := range x {
		sum = float32(float64(x[i])*float64(y[i]) + float64(sum))
	}
	return sum
}

func wide(x, y []float32) float32 {
	var sum float64
	for i := range x {
		sum += float64(x[i]) * float64(y[i])
	}
	return float32(sum)
}

// narrow returns a sum in which each product and each partial sum is rounded to some bits of significand.
func narrow(bits int) func(x, y []float32) float32 {
	return func(x, y []float32) float32 {
		var sum float32
		for i := range x {
			sum = significant(sum+significant(x[i]*y[i], bits), bits)
		}
		return sum
	}
}

// significant rounds x to some bits of significand, to nearest, ties to even, in the range of float32: 8 for bfloat16, 11 for the
// precision of float16 and TF32.
func significant(x float32, bits int) float32 {
	drop := 24 - bits
	u := math.Float32bits(x)
	if u&0x7f800000 == 0x7f800000 { // NaN and infinities
		return x
	}
	u += 1<<(drop-1) - 1 + u>>drop&1
	return math.Float32frombits(u &^ (1<<drop - 1))
}

// rounded returns a copy of x with every element rounded to some bits of significand.
func rounded(x []float32, bits int) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[i] = significant(x[i], bits)
	}
	return y
}

func ones(n int) []float32 {
	y := make([]float32, n)
	for i := range y {
		y[i] = 1
	}
	return y
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

func log32(x float32) float32 { return float32(math.Log(float64(x))) }

func tanh32(x float32) float32 { return float32(math.Tanh(float64(x))) }

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// withoutNaN replaces NaN by 0.
func withoutNaN(x float32) float32 {
	if x != x {
		return 0
	}
	return x
}

func zeros(x []float32) []float32 { return make([]float32, len(x)) }

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
