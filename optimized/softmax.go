package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

var _ = register("softmax", withEngine(newSoftmax))

func newSoftmax(e *engine, _ op.SoftmaxArgs) runner[op.SoftmaxArgs] {
	return func(a op.SoftmaxArgs) error {
		e.team.rows(a.Y.F32, a.X.F32, lastAxis(a.X), costExp, softmaxRows)
		return nil
	}
}

// softmaxRows computes y_i = exp(x_i - m) / S, m = max x, S = sum exp(x_j - m), for each row of n.
//
// A row with a NaN or +Inf, and one of nothing but -Inf, has x_j - m = NaN for some j, and so S and the whole row are NaN.
func softmaxRows(y, x []float32, n int) {
	for ; len(x) > 0; y, x = y[n:], x[n:] {
		y, x := y[:n], x[:n]
		m := maximum(x)
		sum := 0.0
		for i, v := range x {
			e := expNegative(float64(v) - m)
			sum += e
			y[i] = float32(e)
		}
		for i, e := range y {
			y[i] = float32(float64(e) / sum)
		}
	}
}

var _ = register("softmax.grad", withGradients(newSoftmaxGrad))

func newSoftmaxGrad(e *engine, _ op.SoftmaxGradArgs) runner[op.SoftmaxGradArgs] {
	return func(a op.SoftmaxGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, lastAxis(a.X), costExp, softmaxGrad)
		return nil
	}
}

// softmaxGrad computes dx_i = p_i (dy_i - sum_j p_j dy_j), p = softmax(x), for each row of n; dx is not dy.
func softmaxGrad(dx, x, dy []float32, n int) {
	for ; len(x) > 0; dx, x, dy = dx[n:], x[n:], dy[n:] {
		dx, x, dy := dx[:n], x[:n], dy[:n]
		m := maximum(x)
		sum, mean := 0.0, 0.0
		for i, v := range x {
			e := expNegative(float64(v) - m)
			sum += e
			mean += e * float64(dy[i])
			dx[i] = float32(e)
		}
		mean /= sum
		for i, e := range dx {
			dx[i] = float32(float64(e) / sum * (float64(dy[i]) - mean))
		}
	}
}

var _ = register("log_softmax", withEngine(newLogSoftmax))

func newLogSoftmax(e *engine, _ op.LogSoftmaxArgs) runner[op.LogSoftmaxArgs] {
	return func(a op.LogSoftmaxArgs) error {
		e.team.rows(a.Y.F32, a.X.F32, lastAxis(a.X), costExp, logSoftmaxRows)
		return nil
	}
}

// logSoftmaxRows computes y_i = (x_i - m) - log S for each row of n. Special rows are as in softmaxRows.
func logSoftmaxRows(y, x []float32, n int) {
	for ; len(x) > 0; y, x = y[n:], x[n:] {
		m, s := maxExpSum(x[:n])
		logS := math.Log(s)
		for i, v := range x[:n] {
			y[i] = float32((float64(v) - m) - logS)
		}
	}
}

var _ = register("log_softmax.grad", withGradients(newLogSoftmaxGrad))

func newLogSoftmaxGrad(e *engine, _ op.LogSoftmaxGradArgs) runner[op.LogSoftmaxGradArgs] {
	return func(a op.LogSoftmaxGradArgs) error {
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, lastAxis(a.X), 2*costExp, logSoftmaxGrad)
		return nil
	}
}

// logSoftmaxGrad computes dx_i = dy_i - p_i sum_j dy_j, p = softmax(x), for each row of n.
func logSoftmaxGrad(dx, x, dy []float32, n int) {
	for ; len(x) > 0; dx, x, dy = dx[n:], x[n:], dy[n:] {
		m, s := maxExpSum(x[:n])
		factor := sum(dy[:n]) / s
		for i, v := range x[:n] {
			dx[i] = float32(float64(dy[i]) - expNegative(float64(v)-m)*factor)
		}
	}
}

func lastAxis(t op.Tensor) int { return t.Shape[len(t.Shape)-1] }

// maxExpSum returns m = max x and S = sum exp(x_j - m).
func maxExpSum(x []float32) (m, s float64) {
	m = maximum(x)
	for _, v := range x {
		s += expNegative(float64(v) - m)
	}
	return m, s
}

// maximum returns the largest element that is not a NaN, -Inf where there is none.
func maximum(x []float32) float64 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return float64(m)
}
