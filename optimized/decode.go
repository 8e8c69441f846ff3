package optimized

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// choices is the task of choosing from rows of logits, a row at a time. Row i that nothing can be chosen from leaves bad[i].
type choices struct {
	team  *team
	work  []chooser // by worker
	vocab int
	x     []float32
	bad   []bool
	each  func(c *chooser, row int, x []float32) (ok bool) // what to do with a row
}

func newChoices(e *engine, a op.SamplingAttrs) *choices {
	c := &choices{team: e.team, work: make([]chooser, e.team.workers)}
	for i := range c.work {
		c.work[i].SamplingAttrs = a
	}
	return c
}

// run calls each for every row of x, and returns an error that names the first row from which nothing can be chosen.
func (c *choices) run(name string, x []float32, vocab int) error {
	c.x, c.vocab, c.bad = x, vocab, append(c.bad[:0], make([]bool, len(x)/vocab)...)
	c.team.run(len(c.bad), costExp*vocab, c)
	c.x = nil
	if row := slices.Index(c.bad, true); row >= 0 {
		return fmt.Errorf("%s: %w: row %d of the logits has a NaN, a +Inf, or nothing but -Inf: nothing can be chosen from it", name, op.ErrNumber, row)
	}
	return nil
}

func (c *choices) do(worker, lo, hi int) {
	for i := lo; i < hi; i++ {
		c.bad[i] = !c.each(&c.work[worker], i, c.x[i*c.vocab:(i+1)*c.vocab])
	}
}

var _ = register("greedy", withEngine(newGreedy))

func newGreedy(e *engine, _ op.GreedyArgs) runner[op.GreedyArgs] {
	c := newChoices(e, op.SamplingAttrs{})
	var token []int64
	c.each = func(_ *chooser, row int, x []float32) bool {
		best, ok := largest(x)
		token[row] = int64(best)
		return ok
	}
	return func(a op.GreedyArgs) error {
		token = a.Token.I64
		err := c.run("greedy", a.Logits.F32, lastAxis(a.Logits))
		token = nil
		return err
	}
}

var _ = register("distribution", withEngine(newDistribution))

func newDistribution(e *engine, a op.DistributionArgs) runner[op.DistributionArgs] {
	c := newChoices(e, a.SamplingAttrs)
	var probs []float32
	c.each = func(c *chooser, row int, x []float32) bool {
		y := probs[row*len(x):][:len(x)]
		sum, ok := c.weigh(x)
		clear(y)
		for n, i := range c.left {
			y[i] = float32(c.weights[n] / sum)
		}
		return ok
	}
	return func(a op.DistributionArgs) error {
		probs = a.Probs.F32
		err := c.run("distribution", a.Logits.F32, lastAxis(a.Logits))
		probs = nil
		return err
	}
}

var _ = register("sample", withEngine(newSample))

func newSample(e *engine, a op.SampleArgs) runner[op.SampleArgs] {
	c := newChoices(e, a.SamplingAttrs)
	var args op.SampleArgs
	c.each = func(c *chooser, row int, x []float32) bool {
		token, ok := c.sample(x, uint32(args.Draws.I64[row]))
		args.Token.I64[row] = int64(token)
		return ok
	}
	return func(a op.SampleArgs) error {
		for i, d := range a.Draws.I64 {
			if err := draw32("sample", i, d); err != nil {
				return err
			}
		}
		args = a
		err := c.run("sample", a.Logits.F32, lastAxis(a.Logits))
		args = op.SampleArgs{}
		return err
	}
}

// draw32 returns an error unless a draw is a number of 32 bits.
func draw32(opName string, i int, draw int64) error {
	if draw < 0 || draw > math.MaxUint32 {
		return fmt.Errorf("%s: %w: draw %d is %d, want a number of 32 bits", opName, op.ErrIndex, i, draw)
	}
	return nil
}

// largest returns the index of the largest logit, of equal ones the first. It is not ok where a row holds a NaN or +Inf, or nothing but -Inf.
func largest(x []float32) (best int, ok bool) {
	m, nan := float32(math.Inf(-1)), false
	for i, v := range x {
		if v > m {
			m, best = v, i
		}
		nan = nan || v != v
	}
	return best, !nan && !math.IsInf(float64(m), 0)
}

// chooser makes the distribution of a row of logits. It is the scratch memory of one worker.
type chooser struct {
	op.SamplingAttrs
	heap    []int32   // tokens that are not ranked yet
	left    []int32   // the tokens that are left
	weights []float64 // exp((x - m)/T) of each
}

// weigh leaves the tokens that are left in c.left, in index order, and what their probabilities are proportional to in c.weights. It returns
// the sum of these.
//
// Tokens are ranked only as far as top-k and top-p need it: few of many in one pass that keeps the best so far, others in a heap, whose making
// takes a time proportional to their number, and come out of it in order. Both compare logits as they are given, so that rounding ties
// nothing.
func (c *chooser) weigh(x []float32) (sum float64, ok bool) {
	best, ok := largest(x)
	c.left, c.weights, c.heap = c.left[:0], c.weights[:0], c.heap[:0]
	if !ok {
		return 0, false
	}
	if c.Temperature == 0 {
		c.left, c.weights = append(c.left, int32(best)), append(c.weights, 1)
		return 1, true
	}
	ranked := c.TopK > 0 && c.TopK < len(x)
	switch {
	case ranked && c.TopK <= len(x)/few:
		c.left = first(c.left, x, c.TopK)
	case ranked:
		c.heap = possible(c.heap, x)
		heapify(c.heap, x)
		for range min(c.TopK, len(c.heap)) {
			c.left = append(c.left, c.pop(x))
		}
	default:
		c.left = possible(c.left, x)
	}
	if c.TopP < 1 {
		c.nucleus(x, x[best], ranked)
		ranked = true
	}
	if ranked {
		slices.Sort(c.left)
	}
	for _, i := range c.left {
		w := c.weight(x[i], x[best])
		c.weights = append(c.weights, w)
		sum += w
	}
	return sum, true
}

// few is how many times as many tokens as are wanted make a pass over all that keeps the best faster than a heap.
const few = 32

// possible appends the tokens whose logit is not -Inf.
func possible(tokens []int32, x []float32) []int32 {
	for i, v := range x {
		if v >= -math.MaxFloat32 {
			tokens = append(tokens, int32(i))
		}
	}
	return tokens
}

// first returns the first n tokens by rank, in the memory of tokens; fewer where fewer are possible.
func first(tokens []int32, x []float32, n int) []int32 {
	tokens = tokens[:0]
	worst := float32(math.Inf(-1)) // what a token must be larger than to be among them
	for i, v := range x {
		if !(v > worst) {
			continue
		}
		if len(tokens) == n {
			tokens = tokens[:n-1]
		}
		at := len(tokens)
		for at > 0 && v > x[tokens[at-1]] {
			at--
		}
		tokens = slices.Insert(tokens, at, int32(i))
		if len(tokens) == n {
			worst = x[tokens[n-1]]
		}
	}
	return tokens
}

// weight returns exp((x - m)/T).
func (c *chooser) weight(x, m float32) float64 {
	return expNegative((float64(x) - float64(m)) / c.Temperature)
}

// nucleus leaves of the tokens in c.left, which may be ranked, the first by rank whose weights reach TopP of the sum of all.
func (c *chooser) nucleus(x []float32, m float32, ranked bool) {
	total := 0.0
	c.weights = c.weights[:0]
	for _, i := range c.left {
		w := c.weight(x[i], m)
		c.weights = append(c.weights, w)
		total += w
	}
	if !ranked {
		// Tokens of less than the rest's mean weight are not needed: all of them together have less than the rest. Half of it, for rounding.
		least := (1 - c.TopP) * total / float64(len(c.left)) / 2
		c.heap = c.heap[:0]
		for n, i := range c.left {
			if c.weights[n] >= least {
				c.heap = append(c.heap, i)
			}
		}
		c.left = c.left[:0]
		heapify(c.heap, x)
	}
	c.weights = c.weights[:0]
	sum, n := 0.0, 0
	for more := true; more; more = sum < c.TopP*total && (n < len(c.left) || !ranked && len(c.heap) > 0) {
		if n == len(c.left) {
			c.left = append(c.left, c.pop(x))
		}
		sum += c.weight(x[c.left[n]], m)
		n++
	}
	c.left = c.left[:n]
}

// sample returns the token that a draw chooses: the first in index order at which the sum of probabilities is greater than u, or else the
// last that has one.
func (c *chooser) sample(x []float32, draw uint32) (token int, ok bool) {
	total, ok := c.weigh(x)
	u := float64(draw>>8) * 0x1p-24 * total
	sum := 0.0
	for n, i := range c.left {
		if w := c.weights[n]; w > 0 {
			token = int(i)
			if sum += w; sum > u {
				break
			}
		}
	}
	return token, ok
}

// before reports whether token i is ranked before j: its logit is larger, or equal and its index lower.
func before(x []float32, i, j int32) bool { return x[i] > x[j] || x[i] == x[j] && i < j }

// heapify makes a heap of tokens with the first by rank on top.
func heapify(heap []int32, x []float32) {
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sink(heap, i, x)
	}
}

// pop takes the first by rank out of the heap.
func (c *chooser) pop(x []float32) int32 {
	top, last := c.heap[0], len(c.heap)-1
	c.heap[0] = c.heap[last]
	c.heap = c.heap[:last]
	sink(c.heap, 0, x)
	return top
}

func sink(heap []int32, i int, x []float32) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && before(x, heap[child+1], heap[child]) {
			child++
		}
		if !before(x, heap[child], heap[i]) {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}
