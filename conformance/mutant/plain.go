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

	// Matrix product and linear layer.
	left, right func(m matrix, transpose bool) matrix
	batchItem   func(i int) int       // the item of b that item i of a meets
	tileRows    func(rows int) int    // how many rows of the product are written
	weights     func(w matrix) matrix // the columns of weights stored [in, out]
	addBias     func(y, b []float32, row int)

	// Softmax and what is made of it: exp(x - m) / denominator(sum).
	rowMax      func(x []float32) float32
	expDiff     func(x, m float32) float32
	denominator func(sum float32) float32
	divide      func(x []float32, s float32)
	logProb     func(x, m, s float32) float32 // log of exp(x - m) / s

	// Activations.
	relu, geluErf, geluTanh func(x float32) float32
	activation              func(name string) string

	// Layer normalization.
	mean      func(x []float32) float32
	variance  func(x []float32, mean float32) float32
	normalize func(d, variance, eps float32) float32
	affine    func(z, gamma, beta float32) float32

	// Lookups.
	tokenRow    func(id int64, vocab int) (int, error)
	copyRow     func(dst, table []float32, row int)
	position    func(pos int64, row int) int64
	positionRow func(pos, limit int64) (int, error)
	angle       func(pos float64, pair, d int) float64
	sinusoid    func(pos float64, c, d int, angle func(pos float64, pair, d int) float64) float32

	// Attention.
	scale     func(attr *float64, s scaling) float64
	kvHead    func(h, heads, kvHeads int) int
	visible   func(i, j, tq, tk int, causal bool, window int) bool
	maskPlane func(b, h int, shape []int) int
	boolMask  func(m bool) (visible bool, bias float32)
	floatMask func(m float32) (visible bool, bias float32)
	score     func(dot, scale, softcap, bias float32) float32
	hidden    func() (score float32, takesPart bool)      // what a hidden key contributes
	attend    func(out, scores []float32, columns matrix) // columns of the values
	weigh     func(p, v []float32) float32                // sum over the visible keys
	probs     func(p []float32)                           // what is done to the weights before they are used
	emptyRow  func(out []float32)
	tiles     func(keys int) int // how many keys the tiles of online cover
	rescale   func(old, next float32) float32
	blockMax  func(old, tile float32) float32

	// Scores as a result of their own.
	stage       func(name string) string
	hiddenScore func(stage string) float32

	// Cache.
	newCache  func(capacity int) *cache
	checkStep func(c *cache, pos int64, count int) error
	beamRow   func(index int64, batch int) (int, error)
	reorder   func(items []item, beam []int) []item
	newRow    func(b int, beam []int) int // which new entries item b appends
	kept      func(pos, length int) int
	live      func(end, stored int) int
	held      func(x []float32) []float32 // memory for the first entries of a cache
	failed    func(c *cache, reordered []item)

	// Layers and models.
	headColumn func(h, c, heads, headDim int) int
	amendMHA   func(w *projections, s *setting)
	amendFFN   func(w *feedForward)
	amendBlock func(w *blockWeights)
	amendGPT   func(m *model)
	wire       func(norm string, x matrix, s sublayers) matrix
	embed      func(token, position, scale float32) float32
	firstPos   func(pos int) int
	window     func(windows []int, layer int) int

	// Cross-entropy.
	ignored     func(target int64, ignoreIndex int) bool
	classOf     func(target int64, classes int) (int, error)
	ignoredLoss func(logits []float32) float32
	meanOf      func(total float32, counted, all int) float32
	lossTargets func(targets []int64, seqLen int) []int64

	gradientParts
	trainingParts
	decodingParts
	textParts

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

		left: left, right: right, batchItem: func(i int) int { return i }, tileRows: func(rows int) int { return rows },
		weights: transposed, addBias: addBias,

		rowMax: rowMax, expDiff: expDiff, denominator: func(sum float32) float32 { return sum }, divide: divide, logProb: logProb,

		relu: relu, geluErf: geluErf, geluTanh: geluTanh, activation: func(name string) string { return name },

		normalize: normalize, affine: affine,

		tokenRow: tokenRow, copyRow: copyRow, position: func(pos int64, _ int) int64 { return pos }, positionRow: positionRow,
		angle: angle, sinusoid: sinusoid,

		scale: attentionScale, kvHead: kvHead, visible: visible, maskPlane: maskPlane, boolMask: boolMask, floatMask: floatMask, score: score,
		hidden: func() (float32, bool) { return 0, false }, probs: func([]float32) {}, emptyRow: func(out []float32) { clear(out) },
		tiles: func(keys int) int { return keys }, rescale: rescale, blockMax: func(old, tile float32) float32 { return max(old, tile) },

		stage: func(name string) string { return name }, hiddenScore: hiddenScore,

		newCache: func(capacity int) *cache { return &cache{capacity: capacity} }, checkStep: checkStep, beamRow: beamRow, reorder: reorder,
		newRow: func(b int, _ []int) int { return b }, kept: func(pos, _ int) int { return pos }, live: func(end, _ int) int { return end },
		held:   slices.Clone[[]float32],
		failed: func(*cache, []item) {},

		headColumn: func(h, c, _, headDim int) int { return h*headDim + c },
		amendMHA:   func(*projections, *setting) {}, amendFFN: func(*feedForward) {}, amendBlock: func(*blockWeights) {}, amendGPT: func(*model) {},
		embed: embed, firstPos: func(pos int) int { return pos }, window: layerWindow,

		ignored: func(target int64, ignoreIndex int) bool { return target == int64(ignoreIndex) }, classOf: classOf,
		ignoredLoss: func([]float32) float32 { return 0 }, meanOf: meanOf, lossTargets: func(targets []int64, _ int) []int64 { return targets },

		attributes: func(a []byte) []byte { return a }, around: func(k op.Kernel) op.Kernel { return k },
	}
	// The parts that are made of other parts.
	p.sum = func(x []float32) float32 { return p.dot(x, ones(len(x))) }
	p.mean = func(x []float32) float32 { return p.sum(x) / float32(len(x)) }
	p.variance = p.meanSquare
	p.attend = p.attendRow
	p.weigh = func(w, v []float32) float32 { return p.dot(w, v) }
	p.wire = p.residual
	p.setGradients()
	p.setTraining()
	p.setDecoding()
	p.setText()
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

// matrix is a dense row-major matrix. Tensors with more axes are taken as the rows of their last one, or as the matrices of their last two.
type matrix struct {
	rows, cols int
	data       []float32
}

func newMatrix(rows, cols int) matrix { return matrix{rows, cols, make([]float32, rows*cols)} }

func (m matrix) row(i int) []float32 { return m.data[i*m.cols : (i+1)*m.cols] }

func (m matrix) column(j int) []float32 {
	col := make([]float32, m.rows)
	for i := range col {
		col[i] = m.data[i*m.cols+j]
	}
	return col
}

func (m matrix) clone() matrix {
	return matrix{m.rows, m.cols, append([]float32(nil), m.data...)}
}

// rowsOf returns the rows of the last axis; the zero matrix for an absent tensor.
func rowsOf(t op.Tensor) matrix {
	if !t.Present() {
		return matrix{}
	}
	cols := 1
	if n := len(t.Shape); n > 0 {
		cols = t.Shape[n-1]
	}
	return matrix{t.Len() / cols, cols, t.F32}
}

// planes returns the matrices of the last two axes.
func planes(t op.Tensor) []matrix {
	n := len(t.Shape)
	rows, cols := t.Shape[n-2], t.Shape[n-1]
	size := rows * cols
	ms := make([]matrix, t.Len()/size)
	for i := range ms {
		ms[i] = matrix{rows, cols, t.F32[i*size : (i+1)*size]}
	}
	return ms
}
