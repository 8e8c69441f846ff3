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

// matmulParts are the decisions in which a matrix product goes wrong.
type matmulParts struct {
	left, right func(m matrix, transpose bool) matrix
	batchItem   func(i int) int    // the item of b that item i of a meets
	tileRows    func(rows int) int // how many rows of the product are written

	stored func(m matrix, transpose bool) matrix // the gradient of an operand as the operand is stored
}

func (p *plain) setMatmul() {
	p.matmulParts = matmulParts{
		left: left, right: right, batchItem: func(i int) int { return i }, tileRows: func(rows int) int { return rows },
		stored: left,
	}
}

// linearParts are the decisions in which a linear layer goes wrong.
type linearParts struct {
	weights func(w matrix) matrix // the columns of weights stored [in, out]
	addBias func(y, b []float32, row int)

	towards    func(w matrix) matrix // the columns of W^T, for dx = dy W^T
	weightGrad func(x, dy matrix) matrix
	biasGrad   func(dy matrix) []float32
}

func (p *plain) setLinear() {
	p.linearParts = linearParts{
		weights: transposed, addBias: addBias,
		towards:    func(w matrix) matrix { return w },
		weightGrad: p.weightSums, biasGrad: func(dy matrix) []float32 { return p.columnSums(dy) },
	}
}

// softmaxParts are the decisions in which softmax and what is made of it go wrong: exp(x - m) / denominator(sum).
type softmaxParts struct {
	rowMax      func(x []float32) float32
	expDiff     func(x, m float32) float32
	denominator func(sum float32) float32
	divide      func(x []float32, s float32)
	logProb     func(x, m, s float32) float32 // log of exp(x - m) / s

	softmaxGrad    func(dx, p, dy []float32)
	logSoftmaxGrad func(dx, p, dy []float32)
}

func (p *plain) setSoftmax() {
	p.softmaxParts = softmaxParts{
		rowMax: rowMax, expDiff: expDiff, denominator: func(sum float32) float32 { return sum }, divide: divide, logProb: logProb,
		softmaxGrad: p.softmaxJacobian, logSoftmaxGrad: p.logSoftmaxJacobian,
	}
}

// activationParts are the decisions in which activations go wrong.
type activationParts struct {
	relu, geluErf, geluTanh func(x float32) float32

	reluGrad                    func(x, dy float32) float32
	geluErfSlope, geluTanhSlope func(x float32) float32
}

func (p *plain) setActivation() {
	p.activationParts = activationParts{
		relu: relu, geluErf: geluErf, geluTanh: geluTanh,
		reluGrad: reluGrad, geluErfSlope: geluErfSlope, geluTanhSlope: geluTanhSlope,
	}
}

// layerNormParts are the decisions in which layer normalization goes wrong.
type layerNormParts struct {
	mean      func(x []float32) float32
	variance  func(x []float32, mean float32) float32
	normalize func(d, variance, eps float32) float32
	affine    func(z, gamma, beta float32) float32

	gradSigma           func(variance, eps float32) float32
	normGrad            func(dx, g, xhat []float32, sigma float32)
	scaledGrad          func(dy, gamma float32) float32
	gammaGrad, betaGrad func(dy, x, xhat matrix) []float32
}

func (p *plain) setLayerNorm() {
	p.layerNormParts = layerNormParts{
		mean:      func(x []float32) float32 { return p.sum(x) / float32(len(x)) },
		variance:  p.meanSquare,
		normalize: normalize, affine: affine,
		gradSigma: func(variance, eps float32) float32 { return sqrt32(variance + eps) }, normGrad: p.normJacobian,
		scaledGrad: func(dy, gamma float32) float32 { return float32(dy * gamma) },
		gammaGrad:  func(dy, _, xhat matrix) []float32 { return p.columnDots(dy, xhat) },
		betaGrad:   func(dy, _, _ matrix) []float32 { return p.columnSums(dy) },
	}
}

// embeddingParts are the decisions in which lookups in a table go wrong.
type embeddingParts struct {
	tokenRow func(id int64, vocab int) (int, error)
	copyRow  func(dst, table []float32, row int)

	scatter func(dtable matrix, rows []int, dy matrix)
}

func (p *plain) setEmbedding() {
	p.embeddingParts = embeddingParts{
		tokenRow: tokenRow, copyRow: copyRow,
		scatter: p.scatterAdd,
	}
}

// positionParts are the decisions in which positions go wrong.
type positionParts struct {
	position    func(pos int64, row int) int64
	positionRow func(pos, limit int64) (int, error)
	angle       func(pos float64, pair, d int) float64
	sinusoid    func(pos float64, c, d int, angle func(pos float64, pair, d int) float64) float32
}

func (p *plain) setPosition() {
	p.positionParts = positionParts{
		position: func(pos int64, _ int) int64 { return pos }, positionRow: positionRow,
		angle: angle, sinusoid: sinusoid,
	}
}

// attentionParts are the decisions in which attention goes wrong.
type attentionParts struct {
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

	backward   func(s setting) setting                                 // what the backward pass of attention takes the forward's setting for
	delta      func(probs, dp []float32, doutO func() float32) float32 // sum p dp, which is dout . out
	capSlope   func(scaled, softcap float32) float32
	scaleGrads func(scale float32) (dq, dk float32)
	addHead    func(dst, part matrix)
	emptyGrad  func(dq []float32)
	seenBy     func(queries []int, q matrix) []int // the queries that a key's gradient sums over
}

func (p *plain) setAttention() {
	p.attentionParts = attentionParts{
		scale: attentionScale, kvHead: kvHead, visible: visible, maskPlane: maskPlane, boolMask: boolMask, floatMask: floatMask, score: score,
		hidden: func() (float32, bool) { return 0, false }, attend: p.attendRow, weigh: func(w, v []float32) float32 { return p.dot(w, v) },
		probs: func([]float32) {}, emptyRow: func(out []float32) { clear(out) },
		tiles: func(keys int) int { return keys }, rescale: rescale, blockMax: func(old, tile float32) float32 { return max(old, tile) },

		stage: func(name string) string { return name }, hiddenScore: hiddenScore,

		backward: func(s setting) setting { return s }, delta: func(probs, dp []float32, _ func() float32) float32 { return p.dot(probs, dp) },
		capSlope: capSlope, scaleGrads: func(scale float32) (dq, dk float32) { return scale, scale }, addHead: addHead,
		emptyGrad: func(dq []float32) { clear(dq) }, seenBy: func(queries []int, _ matrix) []int { return queries },
	}
}

// cacheParts are the decisions in which a cache goes wrong.
type cacheParts struct {
	newCache  func(capacity int) *cache
	checkStep func(c *cache, pos int64, count int) error
	beamRow   func(index int64, batch int) (int, error)
	reorder   func(items []item, beam []int) []item
	newRow    func(b int, beam []int) int // which new entries item b appends
	kept      func(pos, length int) int
	live      func(end, stored int) int
	held      func(x []float32) []float32 // memory for the first entries of a cache
	failed    func(c *cache, reordered []item)
}

func (p *plain) setCache() {
	p.cacheParts = cacheParts{
		newCache: func(capacity int) *cache { return &cache{capacity: capacity} }, checkStep: checkStep, beamRow: beamRow, reorder: reorder,
		newRow: func(b int, _ []int) int { return b }, kept: func(pos, _ int) int { return pos }, live: func(end, _ int) int { return end },
		held:   slices.Clone[[]float32],
		failed: func(*cache, []item) {},
	}
}

// mhaParts are the decisions in which multi-head attention goes wrong.
type mhaParts struct {
	headColumn func(h, c, heads, headDim int) int
	amendMHA   func(w *projections, s *setting)

	paths func(q, k, v matrix) matrix // where the gradient of a layer's input comes from
}

func (p *plain) setMHA() {
	p.mhaParts = mhaParts{
		headColumn: func(h, c, _, headDim int) int { return h*headDim + c },
		amendMHA:   func(*projections, *setting) {},
		paths:      func(q, k, v matrix) matrix { return p.add(p.add(q, k), v) },
	}
}

// ffnParts are the decisions in which a feed-forward layer goes wrong.
type ffnParts struct {
	activation func(name string) string
	amendFFN   func(w *feedForward)

	slopeAt func(before, after float32) float32 // where the activation's slope is taken
	hidden2 func(before, after matrix) matrix   // what the second layer of the feed-forward was given
}

func (p *plain) setFFN() {
	p.ffnParts = ffnParts{
		activation: func(name string) string { return name },
		amendFFN:   func(*feedForward) {},
		slopeAt:    func(before, _ float32) float32 { return before }, hidden2: func(_, after matrix) matrix { return after },
	}
}

// blockParts are the decisions in which a block goes wrong.
type blockParts struct {
	amendBlock func(w *blockWeights)
	wire       func(norm string, x matrix, s sublayers) matrix

	amendGrads func(g *blockGrads)
	wireGrad   func(norm string, x, dy matrix, s sublayers, g gradSublayers) matrix
}

func (p *plain) setBlock() {
	p.blockParts = blockParts{
		amendBlock: func(*blockWeights) {},
		wire:       p.residual,
		amendGrads: func(*blockGrads) {},
		wireGrad:   p.residualGrad,
	}
}

// modelParts are the decisions in which a model goes wrong.
type modelParts struct {
	amendGPT    func(m *model)
	embed       func(token, position, scale float32) float32
	firstPos    func(pos int) int
	window      func(windows []int, layer int) int
	lossTargets func(targets []int64, seqLen int) []int64

	tie           func(embedding, output matrix) matrix
	embeddingPart func(scale float32) float32
	positionRows  func(dy matrix, seqLen int) matrix // sums over sequences
	positionPart  func(scale float32) float32
	gradTargets   func(targets []int64) []int64
}

func (p *plain) setModel() {
	p.modelParts = modelParts{
		amendGPT: func(*model) {},
		embed:    embed, firstPos: func(pos int) int { return pos }, window: layerWindow,
		lossTargets: func(targets []int64, _ int) []int64 { return targets },
		tie:         p.add, embeddingPart: func(scale float32) float32 { return scale }, positionPart: func(float32) float32 { return 1 },
		positionRows: p.positionSums, gradTargets: func(targets []int64) []int64 { return targets },
	}
}

// lossParts are the decisions in which cross-entropy goes wrong.
type lossParts struct {
	ignored     func(target int64, ignoreIndex int) bool
	classOf     func(target int64, classes int) (int, error)
	ignoredLoss func(logits []float32) float32
	meanOf      func(total float32, counted, all int) float32

	lossGrad    func(dx, p []float32, class int, dloss float32)
	ignoredGrad func(dx, logits []float32, dloss float32)
	upstream    func(dloss []float32, row, counted, all int, reduction string) float32
}

func (p *plain) setLoss() {
	p.lossParts = lossParts{
		ignored: func(target int64, ignoreIndex int) bool { return target == int64(ignoreIndex) }, classOf: classOf,
		ignoredLoss: func([]float32) float32 { return 0 }, meanOf: meanOf,
		lossGrad: lossGrad, ignoredGrad: func(dx, _ []float32, _ float32) { clear(dx) }, upstream: upstream,
	}
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
