package precise

type lossAttrs struct {
	IgnoreIndex int64  `json:"ignore_index"`
	Reduction   string `json:"reduction"`
}

func lossDefaults() lossAttrs { return lossAttrs{IgnoreIndex: -100, Reduction: "mean"} }

// crossEntropyOf is XE-1 on one row, in [0, V) its target: log S - (x_t - m).
func crossEntropyOf(xs []number, target int64) number {
	m, es := exponentials(xs)
	return sub(logSum(es), sub(xs[target], m))
}

// reduced is XE-3 to XE-5 over the losses of rows, asked for only where a row is not ignored.
func reduced(a lossAttrs, targets []int64, loss func(row int) number) Result {
	rowLoss := byRow(1, func(i int) []number {
		if targets[i] == a.IgnoreIndex {
			return []number{zero}
		}
		return []number{loss(i)}
	})
	if a.Reduction == "none" {
		return rowLoss
	}
	return byRow(1, func(int) []number {
		total, counted := zero, 0
		for i, t := range targets {
			if t != a.IgnoreIndex {
				total = add(total, rowLoss(i))
				counted++
			}
		}
		if a.Reduction == "mean" && counted > 0 {
			total = quo(total, ofInt(counted))
		}
		return []number{total}
	})
}

// validTargets: XE-6.
func validTargets(a lossAttrs, targets []int64, classes int) bool {
	for _, t := range targets {
		if t != a.IgnoreIndex && (t < 0 || t >= int64(classes)) {
			return false
		}
	}
	return true
}

var _ = register("cross_entropy", lossDefaults, crossEntropy)

func crossEntropy(a lossAttrs, in arrays) Step {
	logits, targets := in["logits"], in["targets"].I64
	if !validTargets(a, targets, logits.dim(1)) {
		return fails("index")
	}
	return gives("loss", reduced(a, targets, func(i int) number { return crossEntropyOf(logits.row(i), targets[i]) }))
}
