package optimized

import "math"

// A gradFunc computes whole rows of n elements of dx, from the forward's x and the upstream dy; dx may be dy.
type gradFunc func(dx, x, dy []float32, n int)

// gradSpans is the task of a gradFunc.
type gradSpans struct {
	f         gradFunc
	dx, x, dy []float32
	n         int
}

func (s *gradSpans) do(_, lo, hi int) {
	lo, hi = lo*s.n, hi*s.n
	s.f(s.dx[lo:hi], s.x[lo:hi], s.dy[lo:hi], s.n)
}

// gradRows computes the rows of dx with f, at a cost of so many operations an element.
func (t *team) gradRows(dx, x, dy []float32, n, cost int, f gradFunc) {
	t.gradSpans = gradSpans{f, dx, x, dy, n}
	t.run(len(x)/n, n*cost, &t.gradSpans)
	t.gradSpans = gradSpans{}
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

// reluGrad computes dy where x > 0, and 0 where it is not; NaN where x is.
func reluGrad(dx, x, dy []float32, _ int) {
	for i, v := range x {
		switch {
		case v > 0:
			dx[i] = dy[i]
		case v <= 0:
			dx[i] = 0
		default:
			dx[i] = v
		}
	}
}

// geluGrad computes dy (Phi(x) + x phi(x)). Where x is negative, both have the factor exp(-x^2/2), as in normalTail.
func geluGrad(dx, x, dy []float32, _ int) {
	for i, v := range x {
		slope := 1.0
		switch {
		case v <= -14.5: // the slope is less than the smallest float32
			slope = 0
		case v >= 14.5:
		default:
			t := math.Abs(float64(v))
			slope = normalTail(t) - t*exp(-t*t/2)*(math.Sqrt2/2/math.SqrtPi)
			if v > 0 {
				slope = 1 - slope
			}
		}
		dx[i] = float32(slope * float64(dy[i]))
	}
}

// geluTanhGrad computes dy (s + 2 x u' s (1 - s)), where gelu_tanh is x s, s = 1 / (1 + exp(-2u)).
func geluTanhGrad(dx, x, dy []float32, _ int) {
	const twice = 2 * math.Sqrt2 / (math.SqrtPi) // 2 sqrt(2/pi)
	for i, v := range x {
		slope := 1.0
		switch {
		case v <= -15: // the slope is less than the smallest float32
			slope = 0
		case v >= 15:
		default:
			x := float64(v)
			e := exp(-twice * (x + 0.044715*x*x*x))
			s := 1 / (1 + e)
			slope = s + x*twice*(1+3*0.044715*x*x)*s*(e*s)
		}
		dx[i] = float32(slope * float64(dy[i]))
	}
}

// columnSums is the task of adding up the columns of a matrix, a share of them at a time: each in the order of rows.
type columnSums struct {
	y []float32
	x view
}

// addColumns adds the sums of the columns of x, which is row-major, to y.
func (t *team) addColumns(y []float32, x view) {
	t.columns = columnSums{y, x}
	t.run(shares(x.cols), columnShare*x.rows, &t.columns)
	t.columns = columnSums{}
}

// columnShare is how many columns are summed together, in float64.
const columnShare = 64

func shares(columns int) int { return (columns + columnShare - 1) / columnShare }

func (c *columnSums) do(_, lo, hi int) {
	for share := lo; share < hi; share++ {
		first := share * columnShare
		var sums [columnShare]float64
		y := c.y[first:min(first+columnShare, c.x.cols)]
		for r := range c.x.rows {
			for j, v := range c.x.data[r*c.x.row+first:][:len(y)] {
				sums[j] += float64(v)
			}
		}
		for j := range y {
			y[j] += float32(sums[j])
		}
	}
}
