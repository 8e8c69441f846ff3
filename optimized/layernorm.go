package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// layerNorm is a normalization over rows of len(gamma) elements.
type layerNorm struct {
	gamma, beta []float32
	eps         float64
	rows        spanFunc // bound once: binding a method value allocates
}

func newLayerNorm(gamma, beta []float32, eps float64) *layerNorm {
	l := &layerNorm{gamma: gamma, beta: beta, eps: eps}
	l.rows = l.normalize
	return l
}

func newLayerNormOp(e *engine, a op.LayerNormArgs) runner[op.LayerNormArgs] {
	l := newLayerNorm(a.Gamma.F32, a.Beta.F32, a.Eps)
	return func(a op.LayerNormArgs) error {
		l.apply(e.team, a.Y.F32, a.X.F32)
		return nil
	}
}

// apply computes the rows of y from those of x, which may be y.
func (l *layerNorm) apply(t *team, y, x []float32) { t.rows(y, x, len(l.gamma), costMoment, l.rows) }

// normalize computes y_i = (x_i - mu) / sqrt(var + eps) * gamma_i + beta_i, with mu = mean x, var = mean (x - mu)^2, for each row of n.
// Both passes accumulate in float64, in which squares of float32 neither overflow nor vanish. NaN and infinities make the row NaN.
func (l *layerNorm) normalize(y, x []float32, n int) {
	for ; len(x) > 0; y, x = y[n:], x[n:] {
		y, x := y[:n], x[:n]
		mu := sum(x) / float64(n)
		inv := 1 / math.Sqrt(sumSquares(x, mu)/float64(n)+l.eps)
		gamma, beta := l.gamma[:n], l.beta[:n]
		for i, v := range x {
			y[i] = float32((float64(v)-mu)*inv*float64(gamma[i]) + float64(beta[i]))
		}
	}
}

// sum returns the sum of x, in four chains that do not wait for one another.
func sum(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(x[0])
		s1 += float64(x[1])
		s2 += float64(x[2])
		s3 += float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

// sumSquares returns the sum of (x - mu)^2.
func sumSquares(x []float32, mu float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		d0, d1, d2, d3 := float64(x[0])-mu, float64(x[1])-mu, float64(x[2])-mu, float64(x[3])-mu
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
	}
	for _, v := range x {
		d := float64(v) - mu
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}
