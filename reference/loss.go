package reference

import "fmt"

// CrossEntropy returns the negative log-likelihood of one target, in nats
//
//	loss = log S - (x_t - m)        m = max_j x_j,  S = sum_j exp(x_j - m)
//
// x are the logits [V], t the target in [0, V). Subtracting m from x_t before anything is added keeps the loss accurate
// however far the logits are shifted.
//
// Special cases: a NaN or +Inf in x, or all -Inf -> NaN; x_t = -Inf, another finite -> +Inf.
func CrossEntropy(logits []float64, target int) float64 {
	m, logS := logSumExp(logits)
	return logS - (logits[target] - m)
}

// CrossEntropyGrad returns the gradient of CrossEntropy, log S - (x_t - m), with respect to the logits, from that of the loss
//
//	dx_j = (p_j - 1[j=t]) dloss        p = softmax(x)
//
// At the target, where p_t - 1 would cancel because the prediction is confident, it is -sum_{j != t} p_j. Elsewhere it is p_t - 1, whose
// rounding does not grow with the number of classes.
//
// Special cases: NaN throughout where p is NaN.
func CrossEntropyGrad(logits []float64, target int, dloss float64) []float64 {
	dx := Softmax(logits)
	if dx[target]--; dx[target] > -0.5 {
		others := 0.0
		for j, p := range dx {
			if j != target {
				others += p
			}
		}
		dx[target] = -others
	}
	for j := range dx {
		dx[j] *= dloss
	}
	return dx
}

// CrossEntropyRows returns the CrossEntropy of each row: logits [N,V], targets [N] -> [N]. The loss of a row whose target is
// ignoreIndex is 0, whatever its logits are. Any other target outside [0, V) is an error that wraps ErrIndex.
func CrossEntropyRows(logits Matrix, targets []int, ignoreIndex int) ([]float64, error) {
	return Exact.CrossEntropyRows(logits, targets, ignoreIndex)
}

// CrossEntropyRows is the function CrossEntropyRows, built from p.
func (p Primitives) CrossEntropyRows(logits Matrix, targets []int, ignoreIndex int) ([]float64, error) {
	require(len(targets) == logits.Rows, "CrossEntropyRows: %d rows of logits, %d targets", logits.Rows, len(targets))
	losses := make([]float64, len(targets))
	for i, target := range targets {
		if target == ignoreIndex {
			continue
		}
		if target < 0 || target >= logits.Cols {
			return nil, fmt.Errorf("reference: CrossEntropyRows: targets[%d] is %d, there are %d classes: %w", i, target, logits.Cols, ErrIndex)
		}
		losses[i] = p.CrossEntropy(logits.Row(i), target)
	}
	return losses, nil
}

// CrossEntropyRowsGrad returns CrossEntropyGrad of each row: logits [N,V], targets and dlosses [N] -> [N,V]. A row whose target is
// ignoreIndex has gradient 0, whatever its logits and its dloss are. Errors are those of CrossEntropyRows.
func CrossEntropyRowsGrad(logits Matrix, targets []int, ignoreIndex int, dlosses []float64) (Matrix, error) {
	return Exact.CrossEntropyRowsGrad(logits, targets, ignoreIndex, dlosses)
}

// CrossEntropyRowsGrad is the function CrossEntropyRowsGrad, built from p.
func (p Primitives) CrossEntropyRowsGrad(logits Matrix, targets []int, ignoreIndex int, dlosses []float64) (Matrix, error) {
	require(len(targets) == logits.Rows && len(dlosses) == logits.Rows,
		"CrossEntropyRowsGrad: %d rows of logits, %d targets, %d gradients", logits.Rows, len(targets), len(dlosses))
	dlogits := NewMatrix(logits.Rows, logits.Cols)
	for i, target := range targets {
		if target == ignoreIndex {
			continue
		}
		if target < 0 || target >= logits.Cols {
			return Matrix{}, fmt.Errorf("reference: CrossEntropyRowsGrad: targets[%d] is %d, there are %d classes: %w", i, target, logits.Cols, ErrIndex)
		}
		copy(dlogits.Row(i), p.CrossEntropyGrad(logits.Row(i), target, dlosses[i]))
	}
	return dlogits, nil
}

// Reduction names what becomes of the losses of single targets.
type Reduction string

// The reductions.
const (
	ReduceNone Reduction = "none"
	ReduceMean Reduction = "mean" // over the targets that are not ignored
	ReduceSum  Reduction = "sum"
)

// Reduce returns the losses themselves (none), or one element: their sum, or their mean over the targets that are not
// ignored. Where all are ignored, sum and mean are 0.
func Reduce(losses []float64, targets []int, ignoreIndex int, r Reduction) []float64 {
	require(len(losses) == len(targets), "Reduce: %d losses, %d targets", len(losses), len(targets))
	require(r == ReduceNone || r == ReduceMean || r == ReduceSum, "Reduce: unknown reduction %q: use none, mean or sum", string(r))
	if r == ReduceNone {
		return losses
	}
	sum, count := 0.0, 0
	for i, loss := range losses {
		if targets[i] != ignoreIndex {
			sum += loss
			count++
		}
	}
	if r == ReduceMean && count > 0 {
		sum /= float64(count)
	}
	return []float64{sum}
}

// ReduceGrad returns the gradient of Reduce with respect to the losses from that of its result: dloss itself (none), or for each target that
// is not ignored the one element of dloss (sum), divided by the number of such targets (mean). For a target that is ignored it is 0.
func ReduceGrad(dloss []float64, targets []int, ignoreIndex int, r Reduction) []float64 {
	require(r == ReduceNone || r == ReduceMean || r == ReduceSum, "ReduceGrad: unknown reduction %q: use none, mean or sum", string(r))
	require(r != ReduceNone || len(dloss) == len(targets), "ReduceGrad: %d gradients, %d targets", len(dloss), len(targets))
	count := 0
	for _, target := range targets {
		if target != ignoreIndex {
			count++
		}
	}
	dlosses := make([]float64, len(targets))
	for i, target := range targets {
		switch {
		case target == ignoreIndex:
		case r == ReduceNone:
			dlosses[i] = dloss[i]
		case r == ReduceSum:
			dlosses[i] = dloss[0]
		case r == ReduceMean:
			dlosses[i] = dloss[0] / float64(count)
		}
	}
	return dlosses
}
