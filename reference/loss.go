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

// CrossEntropyRows returns the CrossEntropy of each row: logits [N,V], targets [N] -> [N]. The loss of a row whose target is
// ignoreIndex is 0, whatever its logits are. Any other target outside [0, V) is an error that wraps ErrIndex.
func CrossEntropyRows(logits Matrix, targets []int, ignoreIndex int) ([]float64, error) {
	return Exact.crossEntropyRows(logits, targets, ignoreIndex)
}

func (p Primitives) crossEntropyRows(logits Matrix, targets []int, ignoreIndex int) ([]float64, error) {
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
