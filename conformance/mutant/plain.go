package mutant

import (
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
)

// plain computes all ops in float32, naively. Its parts are the decisions in which kernels go wrong; correct sets the right ones.
type plain struct {
	formats op.Formats
	offers  []string // the ops

	// Arithmetic.
	dot   func(x, y []float32) float32 // sum x_i y_i
	sum   func(x []float32) float32
	store func(x float32) float32 // rounding of what one primitive hands to the next

	matmulParts
	linearParts
	softmaxParts
	activationParts
	layerNormParts
	embeddingParts
	positionParts
	attentionParts
	cacheParts
	mhaParts
	ffnParts
	blockParts
	modelParts
	lossParts
	initParts
	optimizerParts
	clipParts
	scheduleParts
	trainerParts
	decodingParts
	searchParts
	generationParts
	textParts
	codecParts
	batchParts

	attributes func(a []byte) []byte // as they are understood

	// around wraps each kernel, for bugs that are not in the mathematics.
	around func(k op.Kernel) op.Kernel
}

// correct returns the implementation without a bug, which sums from the first term to the last.
func correct() *plain {
	p := &plain{
		formats: op.Formats{Storage: op.Float32Format, Accumulate: op.Float32Format},
		offers:  op.Names(),

		dot: forward, store: func(x float32) float32 { return x },

		attributes: func(a []byte) []byte { return a }, around: func(k op.Kernel) op.Kernel { return k },
	}
	p.sum = func(x []float32) float32 { return p.dot(x, ones(len(x))) }
	p.setMatmul()
	p.setLinear()
	p.setSoftmax()
	p.setActivation()
	p.setLayerNorm()
	p.setEmbedding()
	p.setPosition()
	p.setAttention()
	p.setCache()
	p.setMHA()
	p.setFFN()
	p.setBlock()
	p.setModel()
	p.setLoss()
	p.setInit()
	p.setOptimizer()
	p.setClip()
	p.setSchedule()
	p.setTrainer()
	p.setDecoding()
	p.setSearch()
	p.setGeneration()
	p.setText()
	p.setCodec()
	p.setBatches()
	return p
}

func (p *plain) implementation() op.Implementation {
	return op.Set(slices.Concat(p.forwardOps(), p.gradientOps(), p.trainingOps(), p.decodingOps(), p.textOps())...)
}

func (p *plain) forwardOps() []op.Implementation {
	return []op.Implementation{
		op.MatMul(p.matmul), op.Linear(p.linearOp), op.Softmax(p.softmaxOp), op.LogSoftmax(p.logSoftmaxOp), op.ReLU(p.reluOp), op.GELU(p.geluOp),
		op.LayerNorm(p.layerNormOp), op.Embedding(p.embeddingOp), op.SinusoidalPositions(p.sinusoidalOp), op.LearnedPositions(p.learnedOp),
		op.Attention(p.attentionOp), op.AttentionScores(p.scoresOp), op.AttentionCached(p.openAttentionCached), op.MHA(p.mhaOp), op.FFN(p.ffnOp), op.Block(p.blockOp),
		op.GPT(p.gptOp), op.GPTLoss(p.gptLossOp), op.GPTCached(p.openGPTCached), op.CrossEntropy(p.crossEntropyOp),
	}
}

// Gradients. Each function is given what its forward function was given, and dy, the gradient with respect to its result.

func (p *plain) gradientOps() []op.Implementation {
	return []op.Implementation{
		op.MatMulGrad(p.matmulGradOp), op.LinearGrad(p.linearGradOp), op.SoftmaxGrad(p.softmaxGradOp), op.LogSoftmaxGrad(p.logSoftmaxGradOp),
		op.ReLUGrad(p.reluGradOp), op.GELUGrad(p.geluGradOp), op.LayerNormGrad(p.layerNormGradOp), op.EmbeddingGrad(p.embeddingGradOp),
		op.AttentionGrad(p.attentionGradOp), op.MHAGrad(p.mhaGradOp), op.FFNGrad(p.ffnGradOp), op.BlockGrad(p.blockGradOp),
		op.CrossEntropyGrad(p.crossEntropyGradOp), op.GPTLossGrad(p.gptLossGradOp),
	}
}

func (p *plain) trainingOps() []op.Implementation {
	return []op.Implementation{
		op.Init(p.initOp), op.Adam(p.openAdam), op.SGD(p.openSGD), op.ClipNorm(p.clipNormOp), op.ClipValue(p.clipValueOp),
		op.LearningRate(p.learningRateOp), op.GPTTrain(p.openGPTTrain),
	}
}

func (p *plain) decodingOps() []op.Implementation {
	return []op.Implementation{
		op.Greedy(p.greedyOp), op.Distribution(p.distributionOp), op.Sample(p.sampleOp), op.BeamSearch(p.beamSearchOp), op.GPTGenerate(p.openGenerate),
	}
}

func (p *plain) textOps() []op.Implementation {
	return []op.Implementation{
		op.TextClean(p.cleanOp), op.TextEncode(p.openEncode), op.TextDecode(p.openDecode),
		op.TextSplit(p.splitOp), op.TextPack(p.packOp), op.TextBatches(p.batchesOp),
	}
}

// Offers says which ops the implementation has: see op.Offers.
func (p *plain) Offers(name string) bool { return slices.Contains(p.offers, name) }

// Open implements op.Implementation.
func (p *plain) Open(spec op.Spec) (op.Kernel, error) {
	name := spec.Op
	if !slices.Contains(p.offers, name) {
		return nil, op.Unsupported(name, "this variant offers "+strings.Join(p.offers, ", "))
	}
	consts, err := p.take(name, spec.Const)
	if err != nil {
		return nil, err
	}
	k, err := p.implementation().Open(op.Spec{Op: name, Attrs: p.attributes(spec.Attrs), Const: consts})
	if err != nil {
		return nil, err
	}
	return p.around(kernel(func(dst, src []op.Tensor) error {
		src, err := p.take(name, src)
		if err != nil {
			return err
		}
		return k.Run(dst, src)
	})), nil
}

// take returns the inputs in the storage format.
func (p *plain) take(name string, ts []op.Tensor) ([]op.Tensor, error) {
	out := make([]op.Tensor, len(ts))
	for i, t := range ts {
		switch out[i] = t; t.DType {
		case op.F64:
			return nil, op.Unsupported(name, "float64 tensors: this implementation computes in float32")
		case op.F32:
			if p.formats.Storage != op.Float32Format {
				out[i].F32 = make([]float32, len(t.F32))
				for j, x := range t.F32 {
					out[i].F32[j] = p.store(x)
				}
			}
		}
	}
	return out, nil
}

// kernel is a function as an op.Kernel.
type kernel func(dst, src []op.Tensor) error

func (k kernel) Run(dst, src []op.Tensor) error { return k(dst, src) }

func (p *plain) storeAll(x []float32) {
	for i := range x {
		x[i] = p.store(x[i])
	}
}

// give stores x in a destination, where it is present.
func (p *plain) give(dst op.Tensor, x []float32) {
	for i := range dst.F32 {
		dst.F32[i] = p.store(x[i])
	}
}
