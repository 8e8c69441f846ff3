package reference

// Primitives are the functions that composites are built from, each with its gradient: the methods of Primitives are the composites.
//
// [Exact] computes each primitive as SPEC.md says. The generator of golden vectors substitutes perturbed ones, to measure
// how rounding travels through a composite; nothing else has a reason to.
type Primitives struct {
	Linear       func(x, w Matrix, b []float64) Matrix
	LayerNorm    func(x Matrix, gamma, beta []float64, eps float64) Matrix
	Activate     func(a Activation, x Matrix) Matrix
	Attention    func(q, k, v Matrix, scale float64, mask Mask) Matrix
	Add          func(a, b Matrix) Matrix
	ScaleBy      func(x Matrix, s float64) Matrix
	Embed        func(ids []int, table Matrix) (Matrix, error)
	Sinusoid     func(pos []int, dModel int) (Matrix, error)
	LogSoftmax   func(x []float64) []float64
	Score        func(logs []float64, n int, p LengthPenalty) float64
	CrossEntropy func(logits []float64, target int) float64

	LinearGrad       func(x, w Matrix, b []float64, dy Matrix) (dx, dw Matrix, db []float64)
	LayerNormGrad    func(x Matrix, gamma []float64, eps float64, dy Matrix) (dx Matrix, dgamma, dbeta []float64)
	ActivateGrad     func(a Activation, x, dy Matrix) Matrix
	AttentionGrad    func(q, k, v, do Matrix, scale float64, mask Mask) (dq, dk, dv Matrix)
	EmbedGrad        func(ids []int, rows int, dy Matrix) (Matrix, error)
	CrossEntropyGrad func(logits []float64, target int, dloss float64) []float64

	// The last step of a mean loss, and the first of its gradient.
	Reduce     func(losses []float64, targets []int, ignoreIndex int, r Reduction) []float64
	ReduceGrad func(dloss []float64, targets []int, ignoreIndex int, r Reduction) []float64

	ClipNorm func(maxNorm, eps float64, gs ...[]float64) (ys [][]float64, norm float64, err error)
	Rate     func(s Schedule, t int) (float64, error)
	Adam     func(s AdamState, grad []float64, lr float64, t int, c AdamConfig) AdamState
}

// Exact are the primitives of SPEC.md.
var Exact = Primitives{
	Linear:       Linear,
	LayerNorm:    LayerNormRows,
	Activate:     Activation.Apply,
	Attention:    Attention,
	Add:          Add,
	ScaleBy:      ScaleBy,
	Embed:        Embedding,
	Sinusoid:     SinusoidalPositions,
	LogSoftmax:   LogSoftmax,
	Score:        Score,
	CrossEntropy: CrossEntropy,

	LinearGrad:       LinearGrad,
	LayerNormGrad:    LayerNormRowsGrad,
	ActivateGrad:     Activation.ApplyGrad,
	AttentionGrad:    AttentionGrad,
	EmbedGrad:        EmbeddingGrad,
	CrossEntropyGrad: CrossEntropyGrad,

	Reduce:     Reduce,
	ReduceGrad: ReduceGrad,

	ClipNorm: ClipNorm,
	Rate:     Schedule.Rate,
	Adam:     Adam,
}
