// Package refimpl serves package reference as an op.Implementation in float64: the implementation that every golden vector comes from.
package refimpl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// New returns the reference. It takes float tensors of F64 only; any other is an error that wraps op.ErrDType.
func New() op.Implementation { return With(Exact) }

// Functions are what the ops are computed with. Those that composites are built from are reference.Primitives.
type Functions struct {
	reference.Primitives
	MatMul           func(a, b reference.Matrix) reference.Matrix
	Softmax          func(x []float64) []float64
	LearnedPositions func(pos []int, table reference.Matrix) (reference.Matrix, error)
	AttentionScores  func(q, k reference.Matrix, scale float64, mask reference.Mask, stage reference.Stage) reference.Matrix
	// Loss is all of the op cross_entropy.
	Loss func(logits reference.Matrix, targets []int, ignoreIndex int, r reference.Reduction) ([]float64, error)

	MatMulGrad     func(a, b, dc reference.Matrix) (da, db reference.Matrix)
	SoftmaxGrad    func(x, dy []float64) []float64
	LogSoftmaxGrad func(x, dy []float64) []float64

	Init      func(draws []int, in, out int, c reference.InitConfig) (reference.Matrix, error)
	SGD       func(s reference.SGDState, grad []float64, lr float64, c reference.SGDConfig) reference.SGDState
	ClipValue func(g []float64, limit float64) []float64

	Distribution func(logits []float64, s reference.Sampling) ([]float64, error)
}

// Exact are the functions of SPEC.md.
var Exact = Functions{
	Primitives:       reference.Exact,
	MatMul:           reference.MatMul,
	Softmax:          reference.Softmax,
	LearnedPositions: reference.LearnedPositions,
	AttentionScores:  reference.AttentionScores,
	Loss: func(logits reference.Matrix, targets []int, ignoreIndex int, r reference.Reduction) ([]float64, error) {
		losses, err := reference.CrossEntropyRows(logits, targets, ignoreIndex)
		if err != nil {
			return nil, err
		}
		return reference.Reduce(losses, targets, ignoreIndex, r), nil
	},

	MatMulGrad:     reference.MatMulGrad,
	SoftmaxGrad:    reference.SoftmaxGrad,
	LogSoftmaxGrad: reference.LogSoftmaxGrad,

	Init:      reference.Init,
	SGD:       reference.SGD,
	ClipValue: reference.ClipValue,

	Distribution: reference.Distribution,
}

// With returns the ops computed with f in place of Exact. Golden vectors need it: a table of functions that return how far rounding
// carries a result, in place of the result, turns this package's loops over batches, heads and caches into those of an error analysis.
func With(f Functions) op.Implementation {
	set := op.Set(slices.Concat(f.forward(), f.gradients(), f.training(), f.decoding(), f.text())...)
	return op.WithFormats(float64Only{set}, op.Formats{Storage: op.Float64Format, Accumulate: op.Float64Format})
}

// float64Only refuses float tensors that are not F64.
type float64Only struct{ op.Implementation }

func (i float64Only) Offers(name string) bool { return op.Offers(i.Implementation, name) }

func (i float64Only) Open(spec op.Spec) (op.Kernel, error) {
	if err := refuseF32(spec.Op, spec.Const); err != nil {
		return nil, err
	}
	k, err := i.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return float64Kernel{k, spec.Op}, nil
}

type float64Kernel struct {
	op.Kernel
	name string
}

func (k float64Kernel) Run(dst, src []op.Tensor) error {
	if err := refuseF32(k.name, src); err != nil {
		return err
	}
	if err := refuseF32(k.name, dst); err != nil {
		return err
	}
	return wrap(k.Kernel.Run(dst, src))
}

func refuseF32(name string, ts []op.Tensor) error {
	for i, t := range ts {
		if t.DType == op.F32 {
			return fmt.Errorf("%s: %w: tensor %d is F32: convert it to F64, in which the reference computes", name, op.ErrDType, i)
		}
	}
	return nil
}

// fault is an error of package reference that wraps the boundary's sentinel too.
type fault struct{ error }

// kinds maps the sentinels of package reference to those of the boundary.
var kinds = []struct{ reference, op error }{
	{reference.ErrIndex, op.ErrIndex},
	{reference.ErrPosition, op.ErrPosition},
	{reference.ErrCapacity, op.ErrCapacity},
	{reference.ErrConfig, op.ErrAttrs},
	{reference.ErrNumber, op.ErrNumber},
}

func (f fault) Unwrap() []error {
	wrapped := []error{f.error}
	for _, k := range kinds {
		if errors.Is(f.error, k.reference) {
			wrapped = append(wrapped, k.op)
		}
	}
	return wrapped
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fault{err}
}

func (f Functions) forward() []op.Implementation {
	return []op.Implementation{
		op.MatMul(f.matMul),
		op.Linear(f.linear),
		op.Softmax(func(a op.SoftmaxArgs) error { return eachRow(a.Y, a.X, f.Softmax) }),
		op.LogSoftmax(func(a op.LogSoftmaxArgs) error { return eachRow(a.Y, a.X, f.LogSoftmax) }),
		op.ReLU(func(a op.ReLUArgs) error { return f.activate(a.Y, a.X, reference.ActReLU) }),
		op.GELU(func(a op.GELUArgs) error { return f.activate(a.Y, a.X, gelu[a.Approximate]) }),
		op.LayerNorm(f.layerNorm),
		op.Embedding(f.embedding),
		op.SinusoidalPositions(f.sinusoidalPositions),
		op.LearnedPositions(f.learnedPositions),
		op.Attention(f.attention),
		op.AttentionScores(f.attentionScores),
		op.AttentionCached(f.openAttentionCached),
		op.MHA(f.mha),
		op.FFN(f.ffn),
		op.Block(f.block),
		op.GPT(f.gpt),
		op.GPTLoss(f.gptLoss),
		op.GPTCached(f.openGPTCached),
		op.CrossEntropy(f.crossEntropy),
	}
}

func (f Functions) gradients() []op.Implementation {
	return []op.Implementation{
		op.MatMulGrad(f.matMulGrad),
		op.LinearGrad(f.linearGrad),
		op.SoftmaxGrad(func(a op.SoftmaxGradArgs) error { return eachPair(a.DX, a.X, a.DY, f.SoftmaxGrad) }),
		op.LogSoftmaxGrad(func(a op.LogSoftmaxGradArgs) error { return eachPair(a.DX, a.X, a.DY, f.LogSoftmaxGrad) }),
		op.ReLUGrad(func(a op.ReLUGradArgs) error { return f.activateGrad(a.DX, a.X, a.DY, reference.ActReLU) }),
		op.GELUGrad(func(a op.GELUGradArgs) error { return f.activateGrad(a.DX, a.X, a.DY, gelu[a.Approximate]) }),
		op.LayerNormGrad(f.layerNormGrad),
		op.EmbeddingGrad(f.embeddingGrad),
		op.AttentionGrad(f.attentionGrad),
		op.MHAGrad(f.mhaGrad),
		op.FFNGrad(f.ffnGrad),
		op.BlockGrad(f.blockGrad),
		op.GPTLossGrad(f.gptLossGrad),
		op.CrossEntropyGrad(f.crossEntropyGrad),
	}
}

func (f Functions) training() []op.Implementation {
	return []op.Implementation{
		op.Init(f.init),
		op.Adam(f.openAdam),
		op.SGD(f.openSGD),
		op.ClipNorm(f.clipNorm),
		op.ClipValue(f.clipValue),
		op.LearningRate(f.learningRate),
		op.GPTTrain(f.openGPTTrain),
	}
}

func (f Functions) decoding() []op.Implementation {
	return []op.Implementation{
		op.Greedy(greedy),
		op.Distribution(f.distribution),
		op.Sample(sample),
		op.BeamSearch(f.beamSearch),
		op.GPTGenerate(f.openGPTGenerate),
	}
}

func (f Functions) text() []op.Implementation {
	return []op.Implementation{
		op.TextClean(textClean),
		op.TextEncode(openTextEncode),
		op.TextDecode(openTextDecode),
		op.TextSplit(func(a op.TextSplitArgs) error {
			train, validation := reference.Split(ints(a.IDs), a.Fraction)
			padded(a.Train, train)
			padded(a.Validation, validation)
			return nil
		}),
		op.TextPack(textPack),
		op.TextBatches(textBatches),
	}
}

// runner is a kernel that is no more than a function.
type runner[A op.Args] func(A) error

func (f runner[A]) Run(a A) error { return f(a) }
