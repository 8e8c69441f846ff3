package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

var _ = register("rmsnorm", withEngine(newRMSNorm))

func newRMSNorm(e *engine, a op.RMSNormArgs) runner[op.RMSNormArgs] {
	gamma, eps := a.Gamma.F32, a.Eps
	// Each row of n becomes x_i / sqrt(mean x^2 + eps) * gamma_i. Squares are summed in float64, in which those of float32 neither overflow nor
	// vanish. A NaN makes the row NaN; beside an infinity, which becomes NaN, all is 0.
	rows := func(y, x []float32, n int) {
		for ; len(x) > 0; y, x = y[n:], x[n:] {
			inv := inverseRMS(x[:n], eps)
			for i, v := range x[:n] {
				y[i] = float32(float64(v) * inv * float64(gamma[i]))
			}
		}
	}
	return func(a op.RMSNormArgs) error {
		e.team.rows(a.Y.F32, a.X.F32, len(gamma), costMoment, rows)
		return nil
	}
}

// inverseRMS returns 1 / sqrt(mean x^2 + eps).
func inverseRMS(x []float32, eps float64) float64 {
	return 1 / math.Sqrt(sumSquares(x, 0)/float64(len(x))+eps)
}

var _ = register("rmsnorm.grad", withGradients(newRMSNormGrad))

func newRMSNormGrad(e *engine, a op.RMSNormGradArgs) runner[op.RMSNormGradArgs] {
	gamma, eps := a.Gamma.F32, a.Eps
	sums := make([]float64, len(gamma)) // of dgamma
	// Each row of n becomes (g_i - z_i mean(g z)) / r, with g = dy gamma, z = x / r and r as in newRMSNorm; dx is not dy.
	rows := func(dx, x, dy []float32, n int) {
		for ; len(x) > 0; dx, x, dy = dx[n:], x[n:], dy[n:] {
			inv, mean := inverseRMS(x[:n], eps), 0.0
			for i, v := range x[:n] {
				mean += float64(dy[i]) * float64(gamma[i]) * (float64(v) * inv) / float64(n)
			}
			for i, v := range x[:n] {
				dx[i] = float32((float64(dy[i])*float64(gamma[i]) - float64(v)*inv*mean) * inv)
			}
		}
	}
	return func(a op.RMSNormGradArgs) error {
		n := len(gamma)
		e.team.gradRows(a.DX.F32, a.X.F32, a.DY.F32, n, costMoment, rows)
		clear(sums)
		for x, dy := a.X.F32, a.DY.F32; len(x) > 0; x, dy = x[n:], dy[n:] {
			inv := inverseRMS(x[:n], eps)
			for i, v := range dy[:n] {
				sums[i] += float64(v) * (float64(x[i]) * inv)
			}
		}
		for i, s := range sums {
			a.DGamma.F32[i] = float32(s)
		}
		return nil
	}
}
