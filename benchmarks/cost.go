package benchmarks

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// Cost returns what one Run of an op has to do at least: floating-point operations, and bytes moved between memory and the processor.
//
// An operation is an addition, subtraction, multiplication, division, comparison for a maximum, or one evaluation of exp, log, erf, tanh,
// sin, cos or sqrt; a multiply-add is two. They are those of the equations of SPEC.md, whatever a kernel does:
//
//	matmul, linear        2 M K N, and M N for a bias
//	softmax, log_softmax  5 an element: maximum, subtract, exp, add, divide (or subtract log S)
//	relu, gelu            1; 5 by erf, 9 by tanh
//	layernorm             7 an element: add, subtract, square and add, divide, multiply, add; what is done once a row is left out
//	embedding, learned    0;  sinusoidal_positions: 2 an element, its angle and its sine or cosine
//	attention             2 D + 2 Dv + 6 for each pair of a query and a key that it sees: products, scale, softmax; 1 more for a float mask,
//	                      3 more for a soft cap
//	attention.scores      2 D + 1 for each pair, 3 more for a soft cap, 1 more for a float mask, 5 more for weights
//	cross_entropy         4 V + 2 for each row that is not ignored, and 1 a row for a sum or mean
//
// Pairs that a mask, causality or a window hides are not counted, so a kernel that computes them is not credited for them. Composites are
// the sum of their parts, residual sums included.
//
// Bytes are the compulsory traffic: every source, constant and destination once, nothing for intermediates. Of tables only the rows that
// are looked up count (all of them where the output weights are tied to them), and of a cache the kept entries that a query sees, read, and the
// new ones, written.
func Cost(spec op.Spec, src []op.Tensor) (flops, bytes float64, err error) {
	dst, err := op.Shapes(spec, src, op.F32)
	if err != nil {
		return 0, 0, err
	}
	c := new(cost)
	for _, ts := range [][]op.Tensor{spec.Const, src, dst} {
		for _, t := range ts {
			c.bytes += size(t)
		}
	}
	kernel, err := c.implementation().Open(spec)
	if err != nil {
		return 0, 0, err
	}
	if err := kernel.Run(dst, src); err != nil {
		return 0, 0, err
	}
	return c.flops, c.bytes, nil
}

var elementSize = map[op.DType]float64{op.F32: 4, op.F64: 8, op.I64: 8, op.Bool: 1}

func size(t op.Tensor) float64 { return elementSize[t.DType] * float64(t.Len()) }

// cost is an implementation that adds up operations instead of doing them: so it gets attributes and shapes as a kernel does.
type cost struct{ flops, bytes float64 }

func (c *cost) implementation() op.Implementation {
	var all []op.Implementation
	for _, p := range parts {
		all = append(all, p.costs(c)...)
	}
	return op.Set(all...)
}

func (c *cost) forward() []op.Implementation {
	elements := func(n float64, x op.Tensor) error { return c.add(n * float64(x.Len())) }
	return []op.Implementation{
		op.MatMul(func(a op.MatMulArgs) error {
			n := len(a.A.Shape)
			k := a.A.Shape[n-1]
			if a.TransposeA {
				k = a.A.Shape[n-2]
			}
			return elements(2*float64(k), a.C)
		}),
		op.Linear(func(a op.LinearArgs) error { return c.add(linearCost(rows(a.X), a.W, a.B)) }),
		op.Softmax(func(a op.SoftmaxArgs) error { return elements(5, a.X) }),
		op.LogSoftmax(func(a op.LogSoftmaxArgs) error { return elements(5, a.X) }),
		op.ReLU(func(a op.ReLUArgs) error { return elements(1, a.X) }),
		op.GELU(func(a op.GELUArgs) error {
			return elements(activationCost[map[string]string{"none": "gelu", "tanh": "gelu_tanh"}[a.Approximate]], a.X)
		}),
		op.LayerNorm(func(a op.LayerNormArgs) error { return elements(layerNormCost, a.X) }),
		op.Embedding(func(a op.EmbeddingArgs) error { return c.lookUp(a.Table, a.IDs) }),
		op.SinusoidalPositions(func(a op.SinusoidalPositionsArgs) error { return elements(2, a.Y) }),
		op.LearnedPositions(func(a op.LearnedPositionsArgs) error { return c.lookUp(a.Table, a.Pos) }),
		op.Attention(c.attention),
		op.AttentionScores(c.attentionScores),
		op.AttentionCached(func(op.AttentionCachedArgs) (op.Runner[op.AttentionCachedArgs], error) {
			return runner[op.AttentionCachedArgs](c.attentionCached), nil
		}),
		op.MHA(func(a op.MHAArgs) error { return c.mha(a.MHAInputs) }),
		op.FFN(func(a op.FFNArgs) error { return c.ffn(rows(a.X), a.FFNInputs) }),
		op.Block(func(a op.BlockArgs) error { return c.block(a.BlockInputs) }),
		op.GPT(c.gpt),
		op.GPTLoss(func(a op.GPTLossArgs) error {
			n := len(a.IDs.I64)
			c.loss(a.Targets, a.CrossEntropyAttrs, a.Wte.Shape[0])
			return c.model(a.GPTAttrs, a.GPTWeights, n/a.IDs.Shape[1], a.IDs.Shape[1], 0)
		}),
		op.GPTCached(func(op.GPTCachedArgs) (op.Runner[op.GPTCachedArgs], error) {
			return runner[op.GPTCachedArgs](c.gptCached), nil
		}),
		op.CrossEntropy(func(a op.CrossEntropyArgs) error { return c.loss(a.Targets, a.CrossEntropyAttrs, a.Logits.Shape[1]) }),
	}
}

// runner adapts a function to an op.Runner.
type runner[A op.Args] func(A) error

func (r runner[A]) Run(a A) error { return r(a) }

func (c *cost) add(flops float64) error {
	c.flops += flops
	return nil
}

// rows returns how many vectors the tensor holds along its last axis.
func rows(t op.Tensor) int { return t.Len() / t.Shape[len(t.Shape)-1] }

const layerNormCost = 7

var activationCost = map[string]float64{"relu": 1, "gelu": 5, "gelu_tanh": 9}

func linearCost(rows int, w, b op.Tensor) float64 {
	n := len(w.Shape)
	in, out := float64(w.Shape[n-2]), float64(w.Shape[n-1])
	flops := 2 * float64(rows) * in * out
	if b.Present() {
		flops += float64(rows) * out
	}
	return flops
}

// lookUp takes back the rows of a table that are not looked up.
func (c *cost) lookUp(table, ids op.Tensor) error {
	c.bytes += float64(ids.Len())*size(table)/float64(table.Shape[0]) - size(table)
	return nil
}

// pairs returns how many keys the queries of one head see together; causal or windowed queries stand at the last keys.
func pairs(seqQ, seqK int, causal bool, window int) float64 {
	n := 0
	for i := range seqQ {
		p := i + seqK - seqQ
		lo, hi := visible(p, seqK, causal, window)
		n += max(hi-lo, 0)
	}
	return float64(n)
}

// visible returns the keys lo to hi-1 of seqK that a query at position p sees.
func visible(p, seqK int, causal bool, window int) (lo, hi int) {
	lo, hi = 0, seqK
	if window > 0 {
		lo, hi = max(lo, p-window+1), min(hi, p+window)
	}
	if causal {
		hi = min(hi, p+1)
	}
	return lo, hi
}

// maskedPairs is pairs over all heads of a batch under a mask tensor.
func maskedPairs(mask op.Tensor, batch, heads int, causal bool, window int) float64 {
	seqQ, seqK := mask.Shape[2], mask.Shape[3]
	n := 0
	for plane := range mask.Shape[0] * mask.Shape[1] {
		for i := range seqQ {
			lo, hi := visible(i+seqK-seqQ, seqK, causal, window)
			for j := lo; j < hi; j++ {
				at := (plane*seqQ+i)*seqK + j
				if x := mask.At(at); mask.DType == op.Bool && x == 1 || mask.DType != op.Bool && !math.IsInf(x, -1) {
					n++
				}
			}
		}
	}
	return float64(n) * float64(batch/mask.Shape[0]) * float64(heads/mask.Shape[1])
}

// attend counts attention over a number of pairs.
func (c *cost) attend(pairs float64, headDim, valueDim int, mask op.Tensor) error {
	each := float64(2*headDim + 2*valueDim + 6)
	if mask.Present() && mask.DType != op.Bool {
		each++
	}
	return c.add(pairs * each)
}

func (c *cost) attention(a op.AttentionArgs) error {
	d := a.Dims()
	n := float64(d.Batch*d.Heads) * pairs(d.SeqQ, d.SeqK, a.Causal, a.Window)
	if a.Mask.Present() {
		n = maskedPairs(a.Mask, d.Batch, d.Heads, a.Causal, a.Window)
	}
	if a.Softcap != 0 {
		c.add(n * softcapCost)
	}
	return c.attend(n, d.HeadDim, d.ValueDim, a.Mask)
}

// softcapCost is a division, tanh and a product.
const softcapCost = 3

func (c *cost) attentionScores(a op.AttentionScoresArgs) error {
	batch, heads, seqQ, seqK := a.S.Shape[0], a.S.Shape[1], a.S.Shape[2], a.S.Shape[3]
	each := float64(2*a.Q.Shape[3] + 1)
	if a.Stage != "scores" && a.Softcap != 0 {
		each += softcapCost
	}
	if a.Stage == "scores" || a.Stage == "capped" {
		return c.add(float64(batch*heads*seqQ*seqK) * each)
	}
	n := float64(batch*heads) * pairs(seqQ, seqK, a.Causal, a.Window)
	if a.Mask.Present() {
		n = maskedPairs(a.Mask, batch, heads, a.Causal, a.Window)
		if a.Mask.DType != op.Bool {
			each++
		}
	}
	if a.Stage == "weights" {
		each += 5
	}
	return c.add(n * each)
}

func (c *cost) attentionCached(a op.AttentionCachedArgs) error {
	batch, heads, seq, headDim, valueDim := a.Q.Shape[0], a.Q.Shape[1], a.Q.Shape[2], a.Q.Shape[3], a.V.Shape[3]
	kept, err := position(a.Pos)
	if err != nil {
		return fmt.Errorf("attention.cached: %w", err)
	}
	c.cache(kept, seq, a.Window, (size(a.K)+size(a.V))/float64(seq))
	return c.attend(float64(batch*heads)*pairs(seq, kept+seq, true, a.Window), headDim, valueDim, op.Tensor{})
}

// position returns how many entries a step keeps.
func position(pos op.Tensor) (int, error) {
	if p := pos.I64[0]; p < 0 || p > 1<<24 {
		return 0, fmt.Errorf("%w: pos is %d, want from 0 to the capacity", op.ErrPosition, p)
	}
	return int(pos.I64[0]), nil
}

// cache counts the traffic with a cache whose entries have so many bytes: kept ones that the first new query sees, and new ones.
func (c *cost) cache(kept, added, window int, entry float64) {
	lo, _ := visible(kept, kept+added, true, window)
	c.bytes += entry * float64(max(kept-lo, 0)+added)
}

func (c *cost) mha(a op.MHAInputs) error {
	batch, seq, headDim := a.X.Shape[0], a.X.Shape[1], a.Wq.Shape[1]/a.Heads
	c.projections(batch*seq, a.MHAWeights)
	n := float64(batch*a.Heads) * pairs(seq, seq, a.Causal, a.Window)
	if a.Mask.Present() {
		n = maskedPairs(a.Mask, batch, a.Heads, a.Causal, a.Window)
	}
	return c.attend(n, headDim, headDim, a.Mask)
}

func (c *cost) projections(rows int, w op.MHAWeights) {
	c.flops += linearCost(rows, w.Wq, w.Bq) + linearCost(rows, w.Wk, w.Bk) + linearCost(rows, w.Wv, w.Bv) + linearCost(rows, w.Wo, w.Bo)
}

func (c *cost) ffn(rows int, a op.FFNInputs) error {
	hidden := float64(rows * a.W1.Shape[len(a.W1.Shape)-1])
	return c.add(linearCost(rows, a.W1, a.B1) + activationCost[a.Activation]*hidden + linearCost(rows, a.W2, a.B2))
}

func (c *cost) block(a op.BlockInputs) error {
	batch, seq, d := a.X.Shape[0], a.X.Shape[1], a.X.Shape[2]
	headDim := a.Wq.Shape[1] / a.Heads
	c.projections(batch*seq, op.MHAWeights{Wq: a.Wq, Bq: a.Bq, Wk: a.Wk, Bk: a.Bk, Wv: a.Wv, Bv: a.Bv, Wo: a.Wo, Bo: a.Bo})
	c.attend(float64(batch*a.Heads)*pairs(seq, seq, a.Causal, a.Window), headDim, headDim, op.Tensor{})
	c.ffn(batch*seq, op.FFNInputs{FFNAttrs: op.FFNAttrs{Activation: a.Activation}, W1: a.W1, B1: a.B1, W2: a.W2, B2: a.B2})
	return c.add(float64(batch*seq*d) * (2*layerNormCost + 2)) // two norms, two residual sums
}

func (c *cost) gpt(a op.GPTArgs) error {
	return c.model(a.GPTAttrs, a.GPTWeights, a.IDs.Shape[0], a.IDs.Shape[1], 0)
}

func (c *cost) gptCached(a op.GPTCachedArgs) error {
	batch, seq := a.IDs.Shape[0], a.IDs.Shape[1]
	kept, err := position(a.Pos)
	if err != nil {
		return fmt.Errorf("gpt.cached: %w", err)
	}
	entry := (size(a.Bk) + size(a.Bv)) / float64(a.Bk.Shape[0]) * float64(batch) // a bias is as long as an entry of its layer
	for l := range a.Wq.Shape[0] {
		c.cache(kept, seq, window(a.Windows, l), entry)
	}
	return c.model(a.GPTAttrs, a.GPTWeights, batch, seq, kept)
}

func window(windows []int, layer int) int {
	if len(windows) == 0 {
		return 0
	}
	return windows[layer%len(windows)]
}

// model counts a whole model over seq tokens that follow kept ones.
func (c *cost) model(a op.GPTAttrs, w op.GPTWeights, batch, seq, kept int) error {
	layers, d, headDim := w.Wq.Shape[0], w.Wq.Shape[1], w.Wq.Shape[2]/a.Heads
	tokens := batch * seq
	width := float64(tokens * d)
	for l := range layers {
		c.projections(tokens, op.MHAWeights{Wq: w.Wq, Bq: w.Bq, Wk: w.Wk, Bk: w.Bk, Wv: w.Wv, Bv: w.Bv, Wo: w.Wo, Bo: w.Bo})
		c.attend(float64(batch*a.Heads)*pairs(seq, kept+seq, true, window(a.Windows, l)), headDim, headDim, op.Tensor{})
		c.ffn(tokens, op.FFNInputs{FFNAttrs: op.FFNAttrs{Activation: a.Activation}, W1: w.W1, B1: w.B1, W2: w.W2, B2: w.B2})
		c.add(width * (2*layerNormCost + 2))
	}
	if a.ScaleEmbedding {
		c.add(width)
	}
	switch a.Positions {
	case "learned":
		c.add(width)
		c.bytes += float64(seq)*size(w.Wpe)/float64(w.Wpe.Shape[0]) - size(w.Wpe)
	case "sinusoidal":
		c.add(3 * width)
	}
	if w.LNfGamma.Present() {
		c.add(layerNormCost * width)
	}
	if w.Wout.Present() {
		c.bytes += float64(tokens)*size(w.Wte)/float64(w.Wte.Shape[0]) - size(w.Wte)
	}
	return c.add(2 * width * float64(w.Wte.Shape[0]))
}

func (c *cost) loss(targets op.Tensor, a op.CrossEntropyAttrs, classes int) error {
	for _, t := range targets.I64 {
		if t != int64(a.IgnoreIndex) {
			c.flops += float64(4*classes + 2)
		}
	}
	if a.Reduction != "none" {
		c.flops += float64(len(targets.I64))
	}
	return nil
}
