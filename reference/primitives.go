package reference

// Primitives are the functions that can be replaced, each with its gradient: those that composites are built from, and those that are an
// op of their own. The methods of Primitives are the composites.
//
// [Exact] computes each as SPEC.md says. An error analysis puts functions in their places that record, perturb or gauge each result, and
// sees how rounding travels; nothing else has a reason to.
type Primitives struct {
	MatMul     func(a, b Matrix) Matrix
	MatMulGrad func(a, b, dc Matrix) (da, db Matrix)
	Linear     func(x, w Matrix, b []float64) Matrix
	LinearGrad func(x, w Matrix, b []float64, dy Matrix) (dx, dw Matrix, db []float64)

	Softmax        func(x []float64) []float64
	SoftmaxGrad    func(x, dy []float64) []float64
	LogSoftmax     func(x []float64) []float64
	LogSoftmaxGrad func(x, dy []float64) []float64
	Activate       func(a Activation, x Matrix) Matrix
	ActivateGrad   func(a Activation, x, dy Matrix) Matrix
	Gate           func(a, c Matrix) Matrix
	GateGrad       func(a, c, dh Matrix) (da, dc Matrix)
	LayerNorm      func(x Matrix, gamma, beta []float64, eps float64) Matrix
	LayerNormGrad  func(x Matrix, gamma []float64, eps float64, dy Matrix) (dx Matrix, dgamma, dbeta []float64)
	RMSNorm        func(x Matrix, gamma []float64, eps float64) Matrix
	RMSNormGrad    func(x Matrix, gamma []float64, eps float64, dy Matrix) (dx Matrix, dgamma []float64)

	Embed            func(ids []int, table Matrix) (Matrix, error)
	EmbedGrad        func(ids []int, rows int, dy Matrix) (Matrix, error)
	LearnedPositions func(pos []int, table Matrix) (Matrix, error)
	Sinusoid         func(pos []int, dModel int) (Matrix, error)
	Rotary           func(x Matrix, pos []int, c RotaryConfig) (Matrix, error)
	RotaryGrad       func(dy Matrix, pos []int, c RotaryConfig) (Matrix, error)

	Attention       func(q, k, v Matrix, scale float64, mask Mask) Matrix
	AttentionGrad   func(q, k, v, do Matrix, scale float64, mask Mask) (dq, dk, dv Matrix)
	AttentionScores func(q, k Matrix, scale float64, mask Mask, stage Stage) Matrix
	Add             func(a, b Matrix) Matrix
	ScaleBy         func(x Matrix, s float64) Matrix

	CrossEntropy     func(logits []float64, target int) float64
	CrossEntropyGrad func(logits []float64, target int, dloss float64) []float64
	// The last step of a mean loss, and the first of its gradient.
	Reduce     func(losses []float64, targets []int, ignoreIndex int, r Reduction) []float64
	ReduceGrad func(dloss []float64, targets []int, ignoreIndex int, r Reduction) []float64

	Init      func(draws []int, in, out int, c InitConfig) (Matrix, error)
	Adam      func(s AdamState, grad []float64, lr float64, t int, c AdamConfig) AdamState
	SGD       func(s SGDState, grad []float64, lr float64, c SGDConfig) SGDState
	ClipNorm  func(maxNorm, eps float64, gs ...[]float64) (ys [][]float64, norm float64, err error)
	ClipValue func(g []float64, limit float64) []float64
	Rate      func(s Schedule, t int) (float64, error)

	Distribution func(logits []float64, s Sampling) ([]float64, error)
	Score        func(logs []float64, n int, p LengthPenalty) float64
}

// Exact are the functions of SPEC.md.
var Exact = Primitives{
	MatMul: MatMul, MatMulGrad: MatMulGrad, Linear: Linear, LinearGrad: LinearGrad,

	Softmax: Softmax, SoftmaxGrad: SoftmaxGrad, LogSoftmax: LogSoftmax, LogSoftmaxGrad: LogSoftmaxGrad,
	Activate: Activation.Apply, ActivateGrad: Activation.ApplyGrad, Gate: Gate, GateGrad: GateGrad,
	LayerNorm: LayerNormRows, LayerNormGrad: LayerNormRowsGrad, RMSNorm: RMSNormRows, RMSNormGrad: RMSNormRowsGrad,

	Embed: Embedding, EmbedGrad: EmbeddingGrad, LearnedPositions: LearnedPositions, Sinusoid: SinusoidalPositions,
	Rotary: Rotary, RotaryGrad: RotaryGrad,

	Attention: Attention, AttentionGrad: AttentionGrad, AttentionScores: AttentionScores, Add: Add, ScaleBy: ScaleBy,

	CrossEntropy: CrossEntropy, CrossEntropyGrad: CrossEntropyGrad, Reduce: Reduce, ReduceGrad: ReduceGrad,

	Init: Init, Adam: Adam, SGD: SGD, ClipNorm: ClipNorm, ClipValue: ClipValue, Rate: Schedule.Rate,

	Distribution: Distribution, Score: Score,
}
