package benchmarks

import "github.com/assaykit/assay/conformance/op"

var _ = register(part{(*cost).gradients, config.gradients, gpt3Gradients})

func (c config) gradients(seq int) []Workload {
	return []Workload{
		c.matmulGrad(seq), c.linearGrad("attn", seq), c.linearGrad("ffn", seq), c.layerNormGrad(seq), c.softmaxGrad(seq), c.geluGrad(seq),
		c.embeddingGrad(seq), c.attentionGrad(seq), c.mhaGrad(seq), c.ffnGrad(seq), c.blockGrad(seq), c.gptLossGrad(seq), c.crossEntropyGrad(seq),
	}
}

// gpt3Gradients are the gradients at the sizes of GPT-3's smallest decoder. One layer stands for its twelve.
func gpt3Gradients() []Workload {
	c := model("gpt3-small")
	c.Layers = 1
	return append(
		small(c.layerNormGrad(1024), c.geluGrad(128), c.attentionGrad(128)),
		c.matmulGrad(1024), c.linearGrad("ffn", 1024), c.attentionGrad(1024), c.blockGrad(128), c.gptLossGrad(32), c.crossEntropyGrad(16),
	)
}

// upstream turns the workload of an op into one of its gradient. The gradient from above has the shape of the op's result, and numbers
// of the order of 1.
func upstream(w Workload, shape ...int) Workload {
	forward := w.Inputs
	spec := w.Spec
	w.Name = "op=" + w.Op + ".grad" + w.Name[len("op="+w.Op):]
	w.Op += ".grad"
	name := w.Name
	w.Spec = func() op.Spec {
		s := spec()
		s.Op = w.Op
		return s
	}
	w.Inputs = func(set int) []op.Tensor {
		return append(forward(set), draw(name+" upstream "+string(rune('0'+set))).normal("upstream", shape...))
	}
	return w
}

func (c config) matmulGrad(seq int) Workload { return upstream(c.matmul(seq), seq, c.FFN) }

func (c config) linearGrad(layer string, seq int) Workload {
	return upstream(c.linear(layer, seq), seq, map[string]int{"attn": c.Heads * c.HeadDim, "ffn": c.FFN}[layer])
}

func (c config) layerNormGrad(seq int) Workload { return upstream(c.layerNorm(seq), seq, c.DModel) }

func (c config) softmaxGrad(seq int) Workload { return upstream(c.softmax(seq), seq, c.Vocab) }

func (c config) geluGrad(seq int) Workload { return upstream(c.gelu(seq), seq, c.FFN) }

func (c config) embeddingGrad(seq int) Workload {
	return upstream(c.workload("embedding", "seq", seq, none{}, c.dims(), func(d draw) []op.Tensor {
		return []op.Tensor{d.tokens("ids", c.Vocab, seq)}
	}), seq, c.DModel)
}

func (c config) attentionGrad(seq int) Workload {
	c.KVHeads = c.Heads
	return upstream(c.attention(seq), 1, c.Heads, seq, c.HeadDim)
}

func (c config) mhaGrad(seq int) Workload { return upstream(c.mha(seq), 1, seq, c.DModel) }

func (c config) ffnGrad(seq int) Workload { return upstream(c.ffn(seq), 1, seq, c.DModel) }

func (c config) blockGrad(seq int) Workload { return upstream(c.block(seq), 1, seq, c.DModel) }

func (c config) gptLossGrad(seq int) Workload { return upstream(c.gptLoss(seq)) }

func (c config) crossEntropyGrad(seq int) Workload { return upstream(c.crossEntropy(seq)) }
