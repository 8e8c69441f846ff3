package mutant

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// lossParts are the decisions in which cross-entropy goes wrong.
type lossParts struct {
	ignored     func(target int64, ignoreIndex int) bool
	classOf     func(target int64, classes int) (int, error)
	ignoredLoss func(logits []float32) float32
	meanOf      func(total float32, counted, all int) float32

	lossGrad    func(dx, p []float32, class int, dloss float32)
	ignoredGrad func(dx, logits []float32, dloss float32)
	upstream    func(dloss []float32, row, counted, all int, reduction string) float32
}

var _ = parts(func(p *plain) {
	p.lossParts = lossParts{
		ignored: func(target int64, ignoreIndex int) bool { return target == int64(ignoreIndex) }, classOf: classOf,
		ignoredLoss: func([]float32) float32 { return 0 }, meanOf: meanOf,
		lossGrad: lossGrad, ignoredGrad: func(dx, _ []float32, _ float32) { clear(dx) }, upstream: upstream,
	}
})

var _ = offer((*plain).crossEntropyOp)

func (p *plain) crossEntropyOp(a op.CrossEntropyArgs) error {
	if err := p.crossEntropy(a.Loss.F32, rowsOf(a.Logits), a.Targets.I64, a.CrossEntropyAttrs); err != nil {
		return fmt.Errorf("cross_entropy: %w", err)
	}
	return nil
}

// crossEntropy computes the loss of each row, log S - (x_t - m), and reduces it.
func (p *plain) crossEntropy(dst []float32, logits matrix, targets []int64, a op.CrossEntropyAttrs) error {
	losses := make([]float32, len(targets))
	counted := 0
	for i, target := range targets {
		row := logits.row(i)
		if p.ignored(target, a.IgnoreIndex) {
			losses[i] = p.ignoredLoss(row)
			continue
		}
		class, err := p.classOf(target, len(row))
		if err != nil {
			return err
		}
		m, s := p.logSum(row)
		losses[i] = p.store(-p.logProb(row[class], m, s))
		counted++
	}
	switch a.Reduction {
	case "none":
		copy(dst, losses)
	case "sum":
		dst[0] = p.store(p.sum(losses))
	case "mean":
		dst[0] = p.store(p.meanOf(p.sum(losses), counted, len(losses)))
	}
	return nil
}

func classOf(target int64, classes int) (int, error) {
	if target < 0 || target >= int64(classes) {
		return 0, fmt.Errorf("%w: target %d: want 0 to %d or ignore_index", op.ErrIndex, target, classes-1)
	}
	return int(target), nil
}

// meanOf divides by the rows that count; the mean of none is 0.
func meanOf(total float32, counted, _ int) float32 {
	if counted == 0 {
		return 0
	}
	return total / float32(counted)
}

var _ = offer((*plain).crossEntropyGradOp)

func (p *plain) crossEntropyGradOp(a op.CrossEntropyGradArgs) error {
	dlogits, err := p.crossEntropyGrad(rowsOf(a.Logits), a.Targets.I64, a.DLoss.F32, a.CrossEntropyAttrs)
	if err != nil {
		return fmt.Errorf("cross_entropy.grad: %w", err)
	}
	p.give(a.DLogits, dlogits.data)
	return nil
}

// crossEntropyGrad is (p_j - 1[j = t]) times the upstream gradient of each row.
func (p *plain) crossEntropyGrad(logits matrix, targets []int64, dloss []float32, a op.CrossEntropyAttrs) (matrix, error) {
	dx := newMatrix(logits.rows, logits.cols)
	counted := 0
	for _, target := range targets {
		if !p.ignored(target, a.IgnoreIndex) {
			counted++
		}
	}
	for i, target := range targets {
		upstream := p.upstream(dloss, i, counted, len(targets), a.Reduction)
		if p.ignored(target, a.IgnoreIndex) {
			p.ignoredGrad(dx.row(i), logits.row(i), upstream)
			continue
		}
		class, err := p.classOf(target, logits.cols)
		if err != nil {
			return matrix{}, err
		}
		probs := append([]float32(nil), logits.row(i)...)
		p.softmax(probs)
		p.lossGrad(dx.row(i), probs, class, upstream)
	}
	p.storeAll(dx.data)
	return dx, nil
}

func lossGrad(dx, probs []float32, class int, dloss float32) {
	for j := range dx {
		dx[j] = probs[j] * dloss
	}
	dx[class] = (probs[class] - 1) * dloss
}

// upstream is the gradient of the reduced loss with respect to the loss of a row.
func upstream(dloss []float32, row, counted, _ int, reduction string) float32 {
	switch reduction {
	case "none":
		return dloss[row]
	case "mean":
		return dloss[0] / float32(max(1, counted))
	}
	return dloss[0]
}

var _ = plant([]bug{
	{"cross-entropy-maximum-added-back", "cross_entropy", "XE-2", "Forms (log S + m) - x_t, which loses the loss beside a large m.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return x - (log32(s) + m) }
	}},
	{"cross-entropy-log-of-probability", "cross_entropy", "XE-2", "Takes the logarithm of softmax + 1e-12.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return log32(exp32(x-m)/s + 1e-12) }
	}},
	{"cross-entropy-no-maximum", "cross_entropy", "XE-2", "Does not subtract the maximum.", "", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
	{"cross-entropy-mean-over-all", "cross_entropy", "XE-4", "Divides the mean by all rows, ignored ones included.", "", func(p *plain) {
		p.meanOf = func(total float32, _, all int) float32 { return total / float32(all) }
	}},
	{"cross-entropy-mean-of-none", "cross_entropy", "XE-5", "Gives 0/0 where every row is ignored.", "", func(p *plain) {
		p.meanOf = func(total float32, counted, _ int) float32 { return total / float32(counted) }
	}},
	{"cross-entropy-ignored-leaks", "cross_entropy", "XE-3", "Multiplies the loss of an ignored row by 0, so that its NaN stays.", "", func(p *plain) {
		p.ignoredLoss = func(logits []float32) float32 { return 0 * -logProb(logits[0], rowMax(logits), 1) }
	}},
	{"cross-entropy-ignored-counts", "cross_entropy", "XE-3", "Takes ignored rows for rows of class 0.", "", func(p *plain) {
		p.ignored = func(int64, int) bool { return false }
		p.classOf = func(target int64, classes int) (int, error) {
			if target == -100 {
				target = 0
			}
			return classOf(target, classes)
		}
	}},
	{"cross-entropy-ignore-index-fixed", "cross_entropy", "XE-3", "Ignores -100, whatever ignore_index is.", "", func(p *plain) {
		p.ignored = func(target int64, _ int) bool { return target == -100 }
	}},
	{"cross-entropy-target-clamped", "cross_entropy", "XE-6", "Clamps a target to the classes.", "", func(p *plain) {
		p.classOf = func(target int64, classes int) (int, error) { return int(min(max(target, 0), int64(classes-1))), nil }
	}},
	{"cross-entropy-negative-ignored", "cross_entropy", "XE-6", "Ignores every negative target.", "", func(p *plain) {
		p.ignored = func(target int64, ignoreIndex int) bool { return target < 0 || target == int64(ignoreIndex) }
	}},
	{"cross-entropy-infinite-loss-clamped", "cross_entropy", "XE-7", "Clamps the loss of a target of -Inf to 100.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return max(logProb(x, m, s), -100) }
	}},
	{"cross-entropy-nan-row-zero", "cross_entropy", "XE-8", "Gives 0 for a row that holds a NaN.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return withoutNaN(logProb(x, m, s)) }
	}},
	{"cross-entropy-base-2", "cross_entropy", "XE-1", "Gives bits in place of nats.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return logProb(x, m, s) / math.Ln2 }
	}},
})

var _ = plant([]bug{
	{"cross-entropy-grad-target-missing", "cross_entropy.grad", "GRAD-26", "Does not subtract 1 at the target.", "", func(p *plain) {
		p.lossGrad = func(dx, probs []float32, _ int, dloss float32) {
			for j := range dx {
				dx[j] = probs[j] * dloss
			}
		}
	}},
	{"cross-entropy-grad-upstream-ignored", "cross_entropy.grad", "GRAD-26", "Takes the upstream gradient for 1.", "", func(p *plain) {
		p.upstream = func(_ []float32, row, counted, all int, reduction string) float32 {
			return upstream(ones(all), row, counted, all, reduction)
		}
	}},
	{"cross-entropy-grad-target-unscaled", "cross_entropy.grad", "GRAD-26", "Subtracts 1 at the target after the upstream gradient is multiplied.", "", func(p *plain) {
		p.lossGrad = func(dx, probs []float32, class int, dloss float32) {
			for j := range dx {
				dx[j] = probs[j] * dloss
			}
			dx[class]--
		}
	}},
	{"cross-entropy-grad-ignored-counts", "cross_entropy.grad", "GRAD-27", "Gives ignored rows the gradient of class 0.", "", func(p *plain) {
		p.ignoredGrad = func(dx, logits []float32, dloss float32) {
			probs := slices.Clone(logits)
			p.softmax(probs)
			lossGrad(dx, probs, 0, dloss)
		}
	}},
	{"cross-entropy-grad-ignored-product", "cross_entropy.grad", "GRAD-27", "Multiplies the gradient of ignored rows by 0, so that NaN stays.", "", func(p *plain) {
		p.ignoredGrad = func(dx, logits []float32, dloss float32) {
			for j := range dx {
				dx[j] = 0 * logits[j] * dloss
			}
		}
	}},
	{"cross-entropy-grad-ignore-index-fixed", "cross_entropy.grad", "GRAD-27", "Ignores -100 only, whatever the attribute says.", "", func(p *plain) {
		p.ignored = func(target int64, _ int) bool { return target == -100 }
		p.classOf = func(target int64, classes int) (int, error) { return int(max(0, target)) % classes, nil }
	}},
	{"cross-entropy-grad-mean-over-all", "cross_entropy.grad", "GRAD-28", "Divides by all rows, ignored ones included.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, _, all int, reduction string) float32 {
			return upstream(dloss, row, all, all, reduction)
		}
	}},
	{"cross-entropy-grad-mean-for-sum", "cross_entropy.grad", "GRAD-28", "Divides by the number of rows under sum, too.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, counted, all int, reduction string) float32 {
			if reduction == "sum" {
				reduction = "mean"
			}
			return upstream(dloss, row, counted, all, reduction)
		}
	}},
	{"cross-entropy-grad-mean-of-none", "cross_entropy.grad", "GRAD-28", "Gives 0/0 where every row is ignored.", "", func(p *plain) {
		p.upstream = func(dloss []float32, row, counted, _ int, reduction string) float32 {
			if reduction == "mean" {
				return dloss[0] / float32(counted)
			}
			return upstream(dloss, row, counted, counted, reduction)
		}
		p.ignoredGrad = func(dx, _ []float32, dloss float32) {
			for j := range dx {
				dx[j] = 0 * dloss
			}
		}
	}},
	{"cross-entropy-grad-target-clamped", "cross_entropy.grad", "GRAD-29", "Clamps targets to the classes.", "", func(p *plain) {
		p.classOf = func(target int64, classes int) (int, error) { return int(min(max(target, 0), int64(classes-1))), nil }
	}},
	{"cross-entropy-grad-nan-row-zero", "cross_entropy.grad", "GRAD-29", "Gives 0 in place of NaN.", "", func(p *plain) {
		p.lossGrad = func(dx, probs []float32, class int, dloss float32) {
			lossGrad(dx, probs, class, dloss)
			for j := range dx {
				dx[j] = withoutNaN(dx[j])
			}
		}
	}},
	{"cross-entropy-grad-no-maximum", "cross_entropy.grad", "GRAD-26", "Does not subtract the maximum when it computes p again.", "", func(p *plain) {
		p.rowMax = func([]float32) float32 { return 0 }
	}},
})
