package benchmarks

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = register(part{(*cost).training, config.training, trainingWorkloads})

func (c config) training(seq int) []Workload {
	return []Workload{c.adam(), c.gptTrain(2, seq)}
}

// mini is a model of the size that two processors train.
var mini = config{reference.Config{
	Name: "mini", Vocab: 512, Ctx: 128, DModel: 128, Layers: 4, Heads: 4, KVHeads: 4, HeadDim: 32, FFN: 512,
	Norm: reference.PreNorm, Activation: reference.ActGELUTanh, Eps: 1e-5, Positions: reference.PositionsLearned, Tied: true,
}}

// trainingWorkloads are the update of one matrix of gpt3-small, and steps of mini.
func trainingWorkloads() []Workload {
	return append(small(model("gpt3-small").adam()), mini.gptTrain(2, 128))
}

// adam is a step of AdamW on the first matrix of a feed-forward layer.
func (c config) adam() Workload {
	attrs := op.AdamAttrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Decoupled: true, Step: 100}
	w := c.workload("adam", "layer=ffn/params", c.DModel*c.FFN, attrs, nil, func(d draw) []op.Tensor {
		return []op.Tensor{d.normal("grad", c.DModel, c.FFN), op.Float32([]float32{1e-3})}
	})
	w.Tokens, w.Stateful = 0, true
	w.Spec = func() op.Spec {
		s, d := op.Spec{Op: "adam", Attrs: raw(attrs)}, draw(w.Name+" const")
		s.Const = []op.Tensor{d.normal("param", c.DModel, c.FFN), d.normal("m", c.DModel, c.FFN), d.tensor("uniform", "v", 0.5, 1, c.DModel, c.FFN)}
		return s
	}
	return w
}

// gptTrain is a whole step on so many micro-batches of one sequence. adam_eps is large enough for the first step, the sign of a gradient
// that may be 0, not to be a matter of rounding.
func (c config) gptTrain(batches, seq int) Workload {
	attrs := op.GPTTrainAttrs{
		GPTAttrs:      c.attrs(),
		ScheduleAttrs: op.ScheduleAttrs{Schedule: "warmup_cosine", LR: 1e-3, MinLR: 1e-4, Warmup: 10, WarmupOffset: 1, Total: 1 << 20},
		IgnoreIndex:   -100, Beta1: 0.9, Beta2: 0.95, AdamEps: 1e-5, WeightDecay: 0.1, Decoupled: true, MaxNorm: 1, NoDecay: []string{"biases", "norms"},
	}
	key := fmt.Sprintf("layers=%d/batches=%d/seq", c.Layers, batches)
	w := c.workload("gpt.train", key, seq, attrs, c.dims(), func(d draw) []op.Tensor {
		return []op.Tensor{d.tokens("ids", c.Vocab, batches, 1, seq), d.tokens("targets", c.Vocab, batches, 1, seq)}
	}, c.absent()...)
	w.Tokens, w.Stateful = batches*seq, true
	return w
}

// Costs of training:
//
//	init           2 an element of a uniform scheme, 6 of a normal one: log, root, cosine and three products
//	adam           14 an element: 3 for m, 4 for v, 7 for the parameter; 2 more for weight decay
//	sgd            2 an element; 3 more with momentum, 2 with Nesterov's, 2 with weight decay
//	clip_norm      3 an element: squares, their sum, a product;  clip_value: 2
//	learning_rate  5 an element
//	gpt.train      gpt.loss.grad for each micro-batch, and 2 for the norm, 1 for clipping, and Adam's, for each parameter
//
// Of gpt.train, bytes count parameters and moments read and written once.
func (c *cost) training() []op.Implementation {
	return []op.Implementation{
		op.Init(func(a op.InitArgs) error {
			if a.Normal() {
				return c.add(6 * float64(a.W.Len()))
			}
			return c.add(2 * float64(a.W.Len()))
		}),
		op.Adam(func(op.AdamArgs) (op.Runner[op.AdamArgs], error) {
			return runner[op.AdamArgs](func(a op.AdamArgs) error { return c.add(adamCost(a.WeightDecay) * float64(a.Grad.Len())) }), nil
		}),
		op.SGD(func(op.SGDArgs) (op.Runner[op.SGDArgs], error) { return runner[op.SGDArgs](c.sgd), nil }),
		op.ClipNorm(func(a op.ClipNormArgs) error { return c.add(3 * float64(a.G.Len())) }),
		op.ClipValue(func(a op.ClipValueArgs) error { return c.add(2 * float64(a.G.Len())) }),
		op.LearningRate(func(a op.LearningRateArgs) error { return c.add(5 * float64(a.T.Len())) }),
		op.GPTTrain(func(op.GPTTrainArgs) (op.Runner[op.GPTTrainArgs], error) {
			return runner[op.GPTTrainArgs](c.gptTrain), nil
		}),
	}
}

func adamCost(decay float64) float64 {
	if decay != 0 {
		return 16
	}
	return 14
}

func (c *cost) sgd(a op.SGDArgs) error {
	each := 2.0
	if a.Momentum != 0 {
		each += 3
	}
	if a.Nesterov {
		each += 2
	}
	if a.WeightDecay != 0 {
		each += 2
	}
	return c.add(each * float64(a.Grad.Len()))
}

func (c *cost) gptTrain(a op.GPTTrainArgs) error {
	for i := range a.IDs.Shape[0] {
		targets := microBatch(a.Targets, i)
		c.loss(targets, op.CrossEntropyAttrs{IgnoreIndex: a.IgnoreIndex, Reduction: "mean"}, a.Wte.Shape[0])
		step := new(cost) // whose tables are read whole by the update
		if err := step.modelGrad(targets, a.IgnoreIndex, a.GPTAttrs, a.GPTWeights); err != nil {
			return err
		}
		c.add(step.flops)
	}
	each := 2.0
	if a.MaxNorm > 0 {
		each++
	}
	for _, p := range a.GPTWeights.Tensors() {
		c.flops += (each + adamCost(a.WeightDecay)) * float64(p.Len())
		c.bytes += 4 * size(p)
	}
	return nil
}

// microBatch returns part i of a tensor [M B T].
func microBatch(x op.Tensor, i int) op.Tensor {
	n := x.Shape[1] * x.Shape[2]
	return op.Int64(x.I64[i*n:(i+1)*n], x.Shape[1:]...)
}
