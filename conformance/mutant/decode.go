package mutant

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// decodingParts are the decisions in which decoding goes wrong.
type decodingParts struct {
	usable      func(row []float32) error
	selectable  func(x float32) bool
	ranked      func(row []float32, left []int) []int // by logits, the first first
	scaled      func(x, m, temperature float32) float32
	keepK       func(ranked []int, row []float32, k int) int // how many top-k leaves
	nucleus     func(probs []float32, topP float32) int      // how many of the ranked top-p leaves
	stages      func(row []float32, ranked []int, a op.SamplingAttrs) []int
	largest     func(row []float32, left []int) float32
	greedyProbs func(probs []float32, row []float32, ranked []int)
	uniform24   func(bits int64) (float32, error)
	inverse     func(probs []float32, u float32) int
}

var _ = parts(func(p *plain) {
	p.decodingParts = decodingParts{
		usable: usable, selectable: func(x float32) bool { return x != -inf }, ranked: ranked, scaled: scaledLogit,
		keepK: keepK, nucleus: nucleus, stages: p.topKThenP,
		largest:     func(row []float32, left []int) float32 { return rowMax(gather(row, left)) },
		greedyProbs: func(probs, _ []float32, ranked []int) { probs[ranked[0]] = 1 },
		uniform24:   uniform24, inverse: inverse,
	}
})

// choices returns the tokens of a row that may be chosen, ranked.
func (p *plain) choices(row []float32) ([]int, error) {
	if err := p.usable(row); err != nil {
		return nil, err
	}
	var left []int
	for i, x := range row {
		if p.selectable(x) {
			left = append(left, i)
		}
	}
	return p.ranked(row, left), nil
}

// usable reports a row from which nothing can be chosen.
func usable(row []float32) error {
	m := -inf
	for i, x := range row {
		if x != x || x == inf {
			return fmt.Errorf("%w: logit %d is %v", op.ErrNumber, i, x)
		}
		m = max(m, x)
	}
	if m == -inf {
		return fmt.Errorf("%w: every logit is -Inf", op.ErrNumber)
	}
	return nil
}

// ranked sorts by logits, the largest first; equal ones stay in the order of their indices.
func ranked(row []float32, left []int) []int {
	slices.SortStableFunc(left, func(i, j int) int { return descending(row[i], row[j]) })
	return left
}

func descending(x, y float32) int {
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	}
	return 0
}

var _ = offer((*plain).greedyOp)

func (p *plain) greedyOp(a op.GreedyArgs) error {
	logits := rowsOf(a.Logits)
	for i := range logits.rows {
		left, err := p.choices(logits.row(i))
		if err != nil {
			return fmt.Errorf("greedy: %w", err)
		}
		a.Token.I64[i] = int64(left[0])
	}
	return nil
}

var _ = offer((*plain).distributionOp)

func (p *plain) distributionOp(a op.DistributionArgs) error {
	logits, probs := rowsOf(a.Logits), rowsOf(a.Probs)
	for i := range logits.rows {
		row, err := p.distribution(logits.row(i), a.SamplingAttrs)
		if err != nil {
			return fmt.Errorf("distribution: %w", err)
		}
		copy(probs.row(i), row)
	}
	return nil
}

// distribution returns the probabilities of a row's tokens after temperature, top-k and top-p.
func (p *plain) distribution(row []float32, a op.SamplingAttrs) ([]float32, error) {
	left, err := p.choices(row)
	if err != nil {
		return nil, err
	}
	probs := make([]float32, len(row))
	if a.Temperature == 0 {
		p.greedyProbs(probs, row, left)
		return probs, nil
	}
	left = p.stages(row, left, a)
	for n, x := range p.probsOf(row, left, a.Temperature) {
		probs[left[n]] = p.store(x)
	}
	return probs, nil
}

// probsOf is the softmax, at a temperature, of the tokens that are left.
func (p *plain) probsOf(row []float32, left []int, temperature float64) []float32 {
	x := gather(row, left)
	m := p.largest(row, left)
	for i := range x {
		x[i] = exp32(p.scaled(x[i], m, float32(temperature)))
	}
	p.divide(x, p.sum(x))
	return x
}

func scaledLogit(x, m, temperature float32) float32 { return (x - m) / temperature }

// topKThenP returns the tokens that top-k and then top-p leave.
func (p *plain) topKThenP(row []float32, ranked []int, a op.SamplingAttrs) []int {
	ranked = ranked[:p.keepK(ranked, row, a.TopK)]
	if a.TopP < 1 {
		ranked = ranked[:p.nucleus(p.probsOf(row, ranked, a.Temperature), float32(a.TopP))]
	}
	return ranked
}

func keepK(ranked []int, _ []float32, k int) int {
	if k == 0 {
		return len(ranked)
	}
	return min(k, len(ranked))
}

// nucleus is how many of the ranked probabilities it takes to reach topP.
func nucleus(probs []float32, topP float32) int {
	var sum float32
	for n, x := range probs {
		if sum += x; sum >= topP {
			return n + 1
		}
	}
	return len(probs)
}

var _ = offer((*plain).sampleOp)

func (p *plain) sampleOp(a op.SampleArgs) error {
	logits := rowsOf(a.Logits)
	for i := range logits.rows {
		token, err := p.sampled(logits.row(i), a.SamplingAttrs, a.Draws.I64[i])
		if err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		a.Token.I64[i] = int64(token)
	}
	return nil
}

func (p *plain) sampled(row []float32, a op.SamplingAttrs, bits int64) (int, error) {
	u, err := p.uniform24(bits)
	if err != nil {
		return 0, err
	}
	probs, err := p.distribution(row, a)
	if err != nil {
		return 0, err
	}
	return p.inverse(probs, u), nil
}

func uniform24(bits int64) (float32, error) {
	u, err := draw(bits)
	return float32(u), err
}

// inverse is the first token at which the sum of probabilities exceeds u, or the last that has one.
func inverse(probs []float32, u float32) int {
	var sum float32
	last := 0
	for i, x := range probs {
		if x > 0 {
			last = i
		}
		if sum += x; sum > u {
			return i
		}
	}
	return last
}
