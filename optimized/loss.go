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
}

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
	if cap(c.losses) < n {
		c.losses = make([]float64, 0, n)
	}
	c.losses = c.losses[:0]
}

// add appends the losses of rows of logits.
func (c *crossEntropy) add(logits []float32, targets []int64) {
	n := len(c.losses)
	c.losses = c.losses[:n+len(targets)]
	c.logits, c.targets, c.out = logits, targets, c.losses[n:]
	c.team.run(len(targets), costExp*len(logits)/len(targets), c)
	c.logits, c.targets, c.out = nil, nil, nil
}

// do computes log S - (x_t - m), with m = max x and S = sum exp(x_j - m); 0 where the target is ignored. A target of logit -Inf has loss
// +Inf; a NaN or +Inf in a row, or nothing but -Inf, makes S and the loss NaN.
func (c *crossEntropy) do(_, lo, hi int) {
	classes := len(c.logits) / len(c.targets)
	for i := lo; i < hi; i++ {
		c.out[i] = 0
		if t := c.targets[i]; t != c.ignore {
			x := c.logits[i*classes : (i+1)*classes]
			m, s := maxExpSum(x)
			c.out[i] = math.Log(s) - (float64(x[t]) - m)
		}
	}
}

// reduce writes the losses, their sum, or their mean over the rows that are not ignored: 0 where all are.
func (c *crossEntropy) reduce(y []float32, targets []int64, reduction string) {
	total, counted := 0.0, 0
	for i, loss := range c.losses {
		total += loss
		if targets[i] != c.ignore {
			counted++
		}
	}
	switch reduction {
	case "none":
		for i, loss := range c.losses {
			y[i] = float32(loss)
		}
	case "sum":
		y[0] = float32(total)
	case "mean":
		y[0] = float32(total / float64(max(1, counted)))
	}
}
