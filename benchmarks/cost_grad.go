package benchmarks

import "github.com/assaykit/assay/conformance/op"

// Costs of gradients, with what they need of the forward pass once, which a kernel has to compute again:
//
//	matmul, linear        4 M K N: two products; M N for a bias
//	softmax, log_softmax  5 an element for p, and 4 or 3
//	relu, gelu            1; 11 by erf, 17 by tanh
//	layernorm             16 an element: 5 to normalise; gamma dy, two means, their two products, two differences, a division; dgamma, dbeta
//	embedding             1 an element of dy
//	attention             6 D + 4 Dv + 11 for each pair: scores and weights, 2 D + 6; do . v and dv, 4 Dv; dq and dk, 4 D; 5 for ds and D_i
//	cross_entropy         6 V + 1 for each row that is not ignored
//
// Composites are the sum of their parts, forward and backward; the products at the forward pass's end, and sums that nobody needs, are
// left out of mha, ffn and block.
func (c *cost) gradients() []op.Implementation {
	elements := func(n float64, x op.Tensor) error { return c.add(n * float64(x.Len())) }
	return []op.Implementation{
		op.MatMulGrad(func(a op.MatMulGradArgs) error {
			return elements(4*float64(a.A.Len())/float64(a.DC.Len()/a.DC.Shape[len(a.DC.Shape)-1]), a.DC)
		}),
		op.LinearGrad(func(a op.LinearGradArgs) error { return c.add(linearGradCost(rows(a.X), a.W, a.B)) }),
		op.SoftmaxGrad(func(a op.SoftmaxGradArgs) error { return elements(9, a.X) }),
		op.LogSoftmaxGrad(func(a op.LogSoftmaxGradArgs) error { return elements(8, a.X) }),
		op.ReLUGrad(func(a op.ReLUGradArgs) error { return elements(1, a.X) }),
		op.GELUGrad(func(a op.GELUGradArgs) error {
			return elements(activationGradCost[map[string]string{"none": "gelu", "tanh": "gelu_tanh"}[a.Approximate]], a.X)
		}),
		op.LayerNormGrad(func(a op.LayerNormGradArgs) error { return elements(normaliseCost+layerNormGradCost, a.X) }),
		op.EmbeddingGrad(func(a op.EmbeddingGradArgs) error {
			c.bytes -= size(a.Table) // its shape is all that counts
			return elements(1, a.DY)
		}),
		op.AttentionGrad(func(a op.AttentionGradArgs) error {
			d := a.Dims()
			n := float64(d.Batch*d.Heads) * pairs(d.SeqQ, d.SeqK, a.Causal, a.Window)
			each := float64(2*d.HeadDim + 6)
			if a.Mask.Present() {
				n = maskedPairs(a.Mask, d.Batch, d.Heads, a.Causal, a.Window)
				if a.Mask.DType != op.Bool {
					each++
				}
			}
			if a.Softcap != 0 {
				each += 2 * softcapCost
			}
			return c.add(n * (each + attentionGradCost(d.HeadDim, d.ValueDim)))
		}),
		op.MHAGrad(func(a op.MHAGradArgs) error {
			c.selfAttentionGrad(a.X.Shape[0], a.X.Shape[1], a.MHAInputs)
			return c.add(-linearCost(rows(a.X), a.Wo, a.Bo))
		}),
		op.FFNGrad(func(a op.FFNGradArgs) error {
			c.ffnGrad(rows(a.X), a.FFNInputs)
			return c.add(-linearCost(rows(a.X), a.W2, a.B2))
		}),
		op.BlockGrad(func(a op.BlockGradArgs) error {
			c.blockGrad(a.X.Shape[0], a.X.Shape[1], a.BlockAttrs, a.BlockWeights)
			return c.add(-linearCost(rows(a.X), a.W2, a.B2) - float64(a.X.Len()))
		}),
		op.GPTLossGrad(func(a op.GPTLossGradArgs) error {
			c.loss(a.Targets, a.CrossEntropyAttrs, a.Wte.Shape[0])
			return c.modelGrad(a.Targets, a.IgnoreIndex, a.GPTAttrs, a.GPTWeights)
		}),
		op.CrossEntropyGrad(func(a op.CrossEntropyGradArgs) error {
			return c.add(6*float64(a.Logits.Shape[1]*counted(a.Targets, a.IgnoreIndex)) + float64(counted(a.Targets, a.IgnoreIndex)))
		}),
	}
}

const (
	normaliseCost     = 5
	layerNormGradCost = 11
)

var activationGradCost = map[string]float64{"relu": 1, "gelu": 11, "gelu_tanh": 17}

func linearGradCost(rows int, w, b op.Tensor) float64 {
	flops := 2 * linearCost(rows, w, op.Tensor{})
	if b.Present() {
		flops += float64(rows) * float64(w.Shape[len(w.Shape)-1])
	}
	return flops
}

// attentionGradCost is what a pair costs once its weight is known.
func attentionGradCost(headDim, valueDim int) float64 { return float64(4*headDim + 4*valueDim + 5) }

func counted(targets op.Tensor, ignore int) int {
	n := 0
	for _, t := range targets.I64 {
		if t != int64(ignore) {
			n++
		}
	}
	return n
}

// selfAttentionGrad counts mha forward and backward.
func (c *cost) selfAttentionGrad(batch, seq int, a op.MHAInputs) {
	c.mha(op.MHAInputs{MHAAttrs: a.MHAAttrs, MHAWeights: a.MHAWeights, X: op.Tensor{Shape: []int{batch, seq}}, Mask: a.Mask})
	for _, l := range [][2]op.Tensor{{a.Wq, a.Bq}, {a.Wk, a.Bk}, {a.Wv, a.Bv}, {a.Wo, a.Bo}} {
		c.add(linearGradCost(batch*seq, l[0], l[1]))
	}
	n := float64(batch*a.Heads) * pairs(seq, seq, a.Causal, a.Window)
	if a.Mask.Present() {
		n = maskedPairs(a.Mask, batch, a.Heads, a.Causal, a.Window)
	}
	headDim := a.Wq.Shape[len(a.Wq.Shape)-1] / a.Heads
	c.add(n*attentionGradCost(headDim, headDim) + 2*float64(batch*seq*a.Wq.Shape[len(a.Wq.Shape)-2])) // dx is a sum of three
}

// ffnGrad counts ffn forward and backward.
func (c *cost) ffnGrad(rows int, a op.FFNInputs) {
	c.ffn(rows, a)
	hidden := float64(rows * a.W1.Shape[len(a.W1.Shape)-1])
	c.add(linearGradCost(rows, a.W1, a.B1) + activationGradCost[a.Activation]*hidden + linearGradCost(rows, a.W2, a.B2))
}

// blockGrad counts a block forward and backward: two norms and two sums each way.
func (c *cost) blockGrad(batch, seq int, a op.BlockAttrs, w op.BlockWeights) {
	c.selfAttentionGrad(batch, seq, attentionOf(a, w))
	c.ffnGrad(batch*seq, op.FFNInputs{FFNAttrs: op.FFNAttrs{Activation: a.Activation}, W1: w.W1, B1: w.B1, W2: w.W2, B2: w.B2})
	c.add(float64(batch*seq*w.Wq.Shape[len(w.Wq.Shape)-2]) * (2*layerNormCost + 2 + 2*layerNormGradCost + 2))
}

// modelGrad counts a whole model forward and backward.
func (c *cost) modelGrad(targets op.Tensor, ignore int, a op.GPTAttrs, w op.GPTWeights) error {
	batch, seq := targets.Shape[0], targets.Shape[1]
	width := float64(batch * seq * w.Wte.Shape[1])
	forward := new(cost)
	if err := forward.model(a, w, batch, seq, 0); err != nil {
		return err
	}
	c.bytes += forward.bytes
	for l := range w.Wq.Shape[0] {
		attrs := op.BlockAttrs{Heads: a.Heads, KVHeads: a.KVHeads, Activation: a.Activation, Causal: true, Window: window(a.Windows, l)}
		both, once := new(cost), new(cost)
		weights := layer(w, l)
		both.blockGrad(batch, seq, attrs, weights)
		once.block(op.BlockInputs{BlockAttrs: attrs, BlockWeights: weights, X: op.Tensor{Shape: []int{batch, seq, w.Wte.Shape[1]}}})
		c.add(both.flops - once.flops)
	}
	if w.LNfGamma.Present() {
		c.add(layerNormGradCost * width)
	}
	if a.ScaleEmbedding {
		c.add(width)
	}
	if a.Positions == "learned" {
		c.add(width)
	}
	c.add(2*float64(w.Wte.Shape[0]*counted(targets, ignore)) + width) // dlogits of p, and the embedding's rows
	return c.add(forward.flops + 4*width*float64(w.Wte.Shape[0]))
}

// attentionOf returns the self-attention of a block.
func attentionOf(a op.BlockAttrs, w op.BlockWeights) op.MHAInputs {
	return op.MHAInputs{
		MHAAttrs:   op.MHAAttrs{Heads: a.Heads, KVHeads: a.KVHeads, Causal: a.Causal, Window: a.Window},
		MHAWeights: op.MHAWeights{Wq: w.Wq, Bq: w.Bq, Wk: w.Wk, Bk: w.Bk, Wv: w.Wv, Bv: w.Bv, Wo: w.Wo, Bo: w.Bo},
	}
}

// layer returns the weights of block l.
func layer(w op.GPTWeights, l int) op.BlockWeights {
	of := func(t op.Tensor) op.Tensor {
		n := t.Len() / t.Shape[0]
		return op.Float32(t.F32[l*n:(l+1)*n], t.Shape[1:]...)
	}
	return op.BlockWeights{
		LN1Gamma: of(w.LN1Gamma), LN1Beta: of(w.LN1Beta), LN2Gamma: of(w.LN2Gamma), LN2Beta: of(w.LN2Beta),
		Wq: of(w.Wq), Bq: of(w.Bq), Wk: of(w.Wk), Bk: of(w.Bk), Wv: of(w.Wv), Bv: of(w.Bv), Wo: of(w.Wo), Bo: of(w.Bo),
		W1: of(w.W1), B1: of(w.B1), W2: of(w.W2), B2: of(w.B2),
	}
}
