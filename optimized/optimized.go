// Package optimized is the fast implementation of the op table: float32, in blocks that fit the caches, on all processors.
//
// Everything is built from a few parts: a packed, blocked matrix product (gemm.go, pack.go) around the micro-kernels of internal/kernel;
// attention in tiles with an online softmax (attention.go) over keys and values that lie packed in pages (kvcache.go); an exponential
// (exp.go); and a team of goroutines (parallel.go). Layers, blocks and models (mha.go, ffn.go, block.go, model.go) put them together.
// Weights are packed once, at Open, and scratch memory belongs to the opened kernel, so that a decoding step
// does not allocate but where the cache grows, which it does by doubling.
//
// Gradients go backward through the same parts: a forward pass leaves a tape (block.go), and backward.go, attention_grad.go and model_grad.go
// read it. A Trainer takes whole training steps.
//
// Results are the same bits for any number of workers, on one kind of machine: micro-kernels differ in how they round. Storage and
// accumulation are float32; where float64 costs nothing (statistics of rows, exponentials, angles) it is used, and rounded once.
package optimized

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized/internal/kernel"
)

// Option changes what New returns.
type Option func(*config)

type config struct {
	workers int
	kern    kernel.Kernel
}

// Workers sets how many goroutines one kernel may compute on; below 1, and without this option, runtime.GOMAXPROCS(0).
func Workers(n int) Option { return func(c *config) { c.workers = n } }

// New returns the implementation: every op of the table, for float tensors of F32. A tensor of F64 is an error that wraps op.ErrDType.
func New(opts ...Option) op.Implementation {
	c := newConfig(opts)
	return float32Only{op.Set(slices.Concat(c.forward(), c.gradients(), c.training(), c.decoding(), c.text())...)}
}

func newConfig(opts []Option) config {
	c := config{kern: kernel.Best()}
	for _, o := range opts {
		o(&c)
	}
	if c.workers < 1 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	return c
}

func (c config) forward() []op.Implementation {
	return []op.Implementation{
		op.Open(opener(c, newMatMul)),
		op.Open(opener(c, newLinearOp)),
		op.Open(opener(c, newSoftmax)),
		op.Open(opener(c, newLogSoftmax)),
		op.Open(opener(c, newReLU)),
		op.Open(opener(c, newGELU)),
		op.Open(opener(c, newLayerNormOp)),
		op.Embedding(embedding),
		op.Open(opener(c, newSinusoidOp)),
		op.LearnedPositions(learnedPositions),
		op.Open(opener(c, newAttentionOp)),
		op.Open(opener(c, newAttentionScores)),
		op.Open(opener(c, newAttentionCached)),
		op.Open(opener(c, newMHAOp)),
		op.Open(opener(c, newFFNOp)),
		op.Open(opener(c, newBlockOp)),
		op.Open(opener(c, newGPTOp)),
		op.Open(opener(c, newGPTLoss)),
		op.Open(opener(c, newGPTCached)),
		op.Open(opener(c, newCrossEntropy)),
	}
}

// float32Only refuses tensors of F64.
type float32Only struct{ op.Implementation }

func (i float32Only) Offers(name string) bool { return op.Offers(i.Implementation, name) }

func (i float32Only) Open(spec op.Spec) (op.Kernel, error) {
	if err := refuseF64(spec.Op, "constant", spec.Const); err != nil {
		return nil, err
	}
	k, err := i.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return float32Kernel{k, spec.Op}, nil
}

// float32Kernel does not pass Close on: no kernel here holds anything that the garbage collector does not free.
type float32Kernel struct {
	op.Kernel
	name string
}

func (k float32Kernel) Run(dst, src []op.Tensor) error {
	if err := refuseF64(k.name, "source", src); err != nil {
		return err
	}
	if err := refuseF64(k.name, "destination", dst); err != nil {
		return err
	}
	return k.Kernel.Run(dst, src)
}

func refuseF64(name, role string, ts []op.Tensor) error {
	for i, t := range ts {
		if t.DType == op.F64 {
			return fmt.Errorf("%s: %w: %s tensor %d is F64: convert it to F32, in which this implementation computes", name, op.ErrDType, role, i)
		}
	}
	return nil
}

func (c config) gradients() []op.Implementation {
	return []op.Implementation{
		op.Open(gradOpener(c, newMatMulGrad)),
		op.Open(gradOpener(c, newLinearGradOp)),
		op.Open(gradOpener(c, newSoftmaxGrad)),
		op.Open(gradOpener(c, newLogSoftmaxGrad)),
		op.Open(gradOpener(c, newReLUGrad)),
		op.Open(gradOpener(c, newGELUGrad)),
		op.Open(gradOpener(c, newLayerNormGradOp)),
		op.Open(gradOpener(c, newEmbeddingGrad)),
		op.Open(gradOpener(c, newAttentionGradOp)),
		op.Open(gradOpener(c, newMHAGradOp)),
		op.Open(gradOpener(c, newFFNGradOp)),
		op.Open(gradOpener(c, newBlockGradOp)),
		op.Open(gradOpener(c, newGPTLossGrad)),
		op.Open(gradOpener(c, newCrossEntropyGrad)),
	}
}

func (c config) training() []op.Implementation {
	return []op.Implementation{
		op.Open(opener(c, newInit)),
		op.Open(opener(c, newAdam)),
		op.Open(opener(c, newSGD)),
		op.Open(opener(c, newClipNorm)),
		op.Open(opener(c, newClipValue)),
		op.LearningRate(learningRate),
		op.Open(gradOpener(c, newGPTTrain)),
	}
}

func (c config) decoding() []op.Implementation {
	return []op.Implementation{
		op.Open(opener(c, newGreedy)),
		op.Open(opener(c, newDistribution)),
		op.Open(opener(c, newSample)),
		op.Open(opener(c, newBeamSearchOp)),
		op.Open(opener(c, newGPTGenerate)),
	}
}

func (c config) text() []op.Implementation {
	return []op.Implementation{
		op.TextClean(textClean),
		op.TextEncode(newTextEncode),
		op.TextDecode(newTextDecode),
		op.TextSplit(textSplit),
		op.TextPack(textPack),
		op.TextBatches(textBatches),
	}
}
