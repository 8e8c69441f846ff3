package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// crossEntropy computes losses of rows of logits, a chunk of rows at a time, and reduces them.
type crossEntropy struct {
	team   *team
	ignore int64
	losses []float64

	// the chunk that runs now
	logits  []float32
	targets []int64
	out     []float64
	dlogits []float32 // nil where there is no gradient
	weights []float64 // the upstream gradient, by row
}

var _ = register("cross_entropy", withEngine(newCrossEntropy))

// crossEntropyOp is the op cross_entropy.
type crossEntropyOp struct{ crossEntropy }

func newCrossEntropy(e *engine, a op.CrossEntropyArgs) *crossEntropyOp {
	return &crossEntropyOp{crossEntropy{team: e.team, ignore: int64(a.IgnoreIndex)}}
}

func (k *crossEntropyOp) Run(a op.CrossEntropyArgs) error {
	if err := k.check("cross_entropy", a.Targets, a.Logits.Shape[1]); err != nil {
		return err
	}
	k.begin(len(a.Targets.I64))
	k.add(a.Logits.F32, a.Targets.I64)
	k.reduce(a.Loss.F32, a.Targets.I64, a.Reduction)
	return nil
}

var _ = register("cross_entropy.grad", withGradients(newCrossEntropyGrad))

// crossEntropyGrad is the op cross_entropy.grad.
type crossEntropyGrad struct {
	crossEntropy
	weights []float64
}

func newCrossEntropyGrad(e *engine, a op.CrossEntropyGradArgs) *crossEntropyGrad {
	return &crossEntropyGrad{crossEntropy: crossEntropy{team: e.team, ignore: int64(a.IgnoreIndex)}}
}

func (k *crossEntropyGrad) Run(a op.CrossEntropyGradArgs) error {
	if err := k.check("cross_entropy.grad", a.Targets, a.Logits.Shape[1]); err != nil {
		return err
	}
	k.weights = k.upstream(k.weights, a.Targets.I64, a.DLoss.F32, a.Reduction)
	k.begin(len(a.Targets.I64))
	k.addGrad(a.DLogits.F32, a.Logits.F32, a.Targets.I64, k.weights)
	return nil
}

// check returns an error that names the first target outside [0, classes) that is not ignored.
func (c *crossEntropy) check(opName string, targets op.Tensor, classes int) error {
	for i, t := range targets.I64 {
		if t != c.ignore && (t < 0 || t >= int64(classes)) {
			return outside(opName, "targets", targets.Shape, i, t, classes, op.ErrIndex)
		}
	}
	return nil
}

// begin forgets all losses and makes room for those of n rows.
func (c *crossEntropy) begin(n int) {
	c.losses = grow(&c.losses, n)[:0]
}

// add appends the losses of rows of logits.
func (c *crossEntropy) add(logits []float32, targets []int64) {
	n := len(c.losses)
	c.losses = c.losses[:n+len(targets)]
	c.logits, c.targets, c.out = logits, targets, c.losses[n:]
	c.team.run(len(targets), costExp*len(logits)/len(targets), c)
	c.logits, c.targets, c.out = nil, nil, nil
}

// addGrad is add that computes gradients too: dlogits, which may be the logits, of the sum over rows of weight times loss.
func (c *crossEntropy) addGrad(dlogits, logits []float32, targets []int64, weights []float64) {
	c.dlogits, c.weights = dlogits, weights
	c.add(logits, targets)
	c.dlogits, c.weights = nil, nil
}

// do computes log S - (x_t - m), with m = max x and S = sum exp(x_j - m); 0 where the target is ignored. A target of logit -Inf has loss
// +Inf; a NaN or +Inf in a row, or nothing but -Inf, makes S and the loss NaN.
func (c *crossEntropy) do(_, lo, hi int) {
	classes := len(c.logits) / len(c.targets)
	for i := lo; i < hi; i++ {
		t, x := c.targets[i], c.logits[i*classes:(i+1)*classes]
		switch {
		case c.dlogits != nil:
			c.out[i] = c.differentiate(c.dlogits[i*classes:(i+1)*classes], x, t, c.weights[i])
		case t == c.ignore:
			c.out[i] = 0
		default:
			m, s := maxExpSum(x)
			c.out[i] = math.Log(s) - (float64(x[t]) - m)
		}
	}
}

// differentiate computes a row's dx_j = w (p_j - 1[j=t]), p = softmax(x), and returns its loss. The target's is formed as
// -w (S - exp(x_t - m)) / S, which does not cancel. All is 0 where the target is ignored.
func (c *crossEntropy) differentiate(dx, x []float32, t int64, w float64) float64 {
	if t == c.ignore {
		clear(dx)
		return 0
	}
	xt, m, s := float64(x[t]), maximum(x), 0.0
	for j, v := range x {
		e := expNegative(float64(v) - m)
		s += e
		dx[j] = float32(e)
	}
	for j, e := range dx {
		dx[j] = float32(float64(e) / s * w)
	}
	dx[t] = float32((expNegative(xt-m) - s) / s * w)
	return math.Log(s) - (xt - m)
}

// counted returns how many targets are not ignored.
func (c *crossEntropy) counted(targets []int64) int {
	n := 0
	for _, t := range targets {
		if t != c.ignore {
			n++
		}
	}
	return n
}

// upstream returns the gradient of the reduced loss with respect to each row's, times that of what follows; it grows buf.
func (c *crossEntropy) upstream(buf []float64, targets []int64, dloss []float32, reduction string) []float64 {
	buf = buf[:0]
	counted := c.counted(targets)
	for i := range targets {
		switch reduction {
		case "none":
			buf = append(buf, float64(dloss[i]))
		case "sum":
			buf = append(buf, float64(dloss[0]))
		case "mean":
			buf = append(buf, float64(dloss[0])/float64(max(1, counted)))
		}
	}
	return buf
}

// reduce writes the losses, their sum, or their mean over the rows that are not ignored: 0 where all are.
func (c *crossEntropy) reduce(y []float32, targets []int64, reduction string) {
	total := 0.0
	for _, loss := range c.losses {
		total += loss
	}
	switch reduction {
	case "none":
		for i, loss := range c.losses {
			y[i] = float32(loss)
		}
	case "sum":
		y[0] = float32(total)
	case "mean":
		y[0] = float32(total / float64(max(1, c.counted(targets))))
	}
}
