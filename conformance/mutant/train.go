package mutant

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// initParts are the decisions in which initialization goes wrong, in float64.
type initParts struct {
	fans       func(in, out int) (fanIn, fanOut float64)
	deviation  func(a op.InitAttrs, fanIn, fanOut float64) float64
	layersRoot func(layers int) float64
	draw       func(bits int64) (float64, error) // in [0, 1)
	uniform    func(u, sigma float64) float64
	normal     func(u1, u2, sigma float64) float64
	weight     func(w float64) float32
}

func (p *plain) setInit() {
	p.initParts = initParts{
		fans:      func(in, out int) (float64, float64) { return float64(in), float64(out) },
		deviation: deviation, layersRoot: func(layers int) float64 { return math.Sqrt(2 * float64(layers)) }, draw: draw,
		uniform: func(u, sigma float64) float64 { return math.Sqrt(3) * sigma * (2*u - 1) }, normal: boxMuller,
		weight: func(w float64) float32 { return float32(w) },
	}
}

// optimizerParts are the decisions in which optimizers go wrong, element by element.
type optimizerParts struct {
	coefficients  func(beta1, beta2 float64, t int) coefficients
	firstStep     func(step, runs int) int // t
	startMoments  func(m, v []float32) ([]float32, []float32)
	startVelocity func(v []float32) []float32
	moments       func(m, v, g float32, c coefficients) (float32, float32)
	adamMove      func(m, v, lr, eps float32, c coefficients) float32
	decay         func(a decayed) (grad, shrink float32)
	velocity      func(v, g float32, first bool, a op.SGDAttrs) float32
	sgdMove       func(v, g float32, a op.SGDAttrs) float32
}

func (p *plain) setOptimizer() {
	p.optimizerParts = optimizerParts{
		coefficients: coefficientsOf, firstStep: func(step, runs int) int { return step + runs }, moments: moments, adamMove: adamMove, decay: decay,
		startMoments: func(m, v []float32) ([]float32, []float32) { return m, v }, startVelocity: slices.Clone[[]float32],
		velocity: velocity, sgdMove: sgdMove,
	}
}

// clipParts are the decisions in which clipping goes wrong.
type clipParts struct {
	norm       func(g []float32) float32
	clipFactor func(norm, maxNorm, eps float32) float32
	clipped    func(g, limit float32) float32
	acceptNorm func(norm float32) bool
}

func (p *plain) setClip() {
	p.clipParts = clipParts{
		norm: p.euclidean, clipFactor: clipFactor, clipped: func(g, limit float32) float32 { return max(-limit, min(g, limit)) },
		acceptNorm: func(norm float32) bool { return norm-norm == 0 },
	}
}

// scheduleParts are the decisions in which schedules go wrong, in float64.
type scheduleParts struct {
	stepOf   func(t int64) (int64, error)
	warmup   func(t int64, a op.ScheduleAttrs) float64
	progress func(t int64, a op.ScheduleAttrs) float64
	cosine   func(p float64, a op.ScheduleAttrs) float64
	gammaPow func(t int64, a op.ScheduleAttrs) float64
	floored  func(rate float64, a op.ScheduleAttrs) float64
	rootRate func(t int64, a op.ScheduleAttrs) float64
	rate     func(x float64) float32
}

func (p *plain) setSchedule() {
	p.scheduleParts = scheduleParts{
		stepOf: stepOf, warmup: warmup, progress: progress, cosine: cosine, gammaPow: gammaPow,
		floored:  func(rate float64, a op.ScheduleAttrs) float64 { return max(a.MinLR, rate) },
		rootRate: func(t int64, a op.ScheduleAttrs) float64 { return a.LR * math.Sqrt(float64(a.Warmup)/(float64(t)+1)) },
		rate:     func(x float64) float32 { return float32(x) },
	}
}

func (p *plain) trainingOps() []op.Implementation {
	return []op.Implementation{
		op.Init(p.initOp), op.Adam(p.openAdam), op.SGD(p.openSGD), op.ClipNorm(p.clipNormOp), op.ClipValue(p.clipValueOp),
		op.LearningRate(p.learningRateOp), op.GPTTrain(p.openGPTTrain),
	}
}

func (p *plain) initOp(a op.InitArgs) error {
	fanIn, fanOut := p.fans(a.W.Shape[0], a.W.Shape[1])
	sigma := a.Gain * p.deviation(a.InitAttrs, fanIn, fanOut)
	if a.Layers > 0 {
		sigma /= p.layersRoot(a.Layers)
	}
	per := a.Draws.Len() / a.W.Len()
	for i := range a.W.F32 {
		u := make([]float64, per)
		for j := range u {
			var err error
			if u[j], err = p.draw(a.Draws.I64[i*per+j]); err != nil {
				return fmt.Errorf("init: %w", err)
			}
		}
		if a.Normal() {
			a.W.F32[i] = p.store(p.weight(p.normal(u[0], u[1], sigma)))
		} else {
			a.W.F32[i] = p.store(p.weight(p.uniform(u[0], sigma)))
		}
	}
	return nil
}

// deviation is the standard deviation before gain and layers.
func deviation(a op.InitAttrs, fanIn, fanOut float64) float64 {
	switch a.Scheme {
	case "normal":
		return a.Std
	case "xavier_uniform", "xavier_normal":
		return math.Sqrt(2 / (fanIn + fanOut))
	}
	fan := fanIn
	if a.Mode == "fan_out" {
		fan = fanOut
	}
	return math.Sqrt(2/(1+a.A*a.A)) / math.Sqrt(fan)
}

// draw is the number that 32 random bits stand for: the upper 24 of them.
func draw(bits int64) (float64, error) {
	if bits < 0 || bits >= 1<<32 {
		return 0, fmt.Errorf("%w: draw %d: want 32 bits", op.ErrIndex, bits)
	}
	return float64(bits>>8) * 0x1p-24, nil
}

func boxMuller(u1, u2, sigma float64) float64 {
	return sigma * math.Sqrt(-2*math.Log(u1+0x1p-24)) * math.Cos(2*math.Pi*u2)
}

// coefficients of a step of Adam: float64, rounded once.
type coefficients struct{ beta1, beta2, rest1, rest2, correction1, correction2 float32 }

func coefficientsOf(beta1, beta2 float64, t int) coefficients {
	return coefficients{float32(beta1), float32(beta2), float32(1 - beta1), float32(1 - beta2),
		float32(1 - math.Pow(beta1, float64(t))), float32(1 - math.Pow(beta2, float64(t)))}
}

func moments(m, v, g float32, c coefficients) (float32, float32) {
	return float32(c.beta1*m) + float32(c.rest1*g), float32(c.beta2*v) + float32(float32(c.rest2*g)*g)
}

// adamMove is what a parameter loses: lr m_hat / (sqrt(v_hat) + eps). The roots are taken apart, so that v_hat cannot overflow.
func adamMove(m, v, lr, eps float32, c coefficients) float32 {
	return lr * ((m / c.correction1) / (sqrt32(v)/sqrt32(c.correction2) + eps))
}

// decayed is a parameter that decays, its gradient, and how.
type decayed struct {
	param, grad, lr, weightDecay float32
	decoupled                    bool
}

// decay returns the gradient with coupled decay in it, and what decoupled decay takes from the parameter.
func decay(a decayed) (grad, shrink float32) {
	if a.decoupled {
		return a.grad, float32(a.lr*a.weightDecay) * a.param
	}
	return a.grad + float32(a.weightDecay*a.param), 0
}

// adam is the state of Adam for one tensor.
type adam struct{ param, m, v []float32 }

func newAdam(param, m, v []float32) *adam {
	s := &adam{slices.Clone(param), make([]float32, len(param)), make([]float32, len(param))}
	copy(s.m, m)
	copy(s.v, v)
	return s
}

func (s *adam) len() int {
	if s == nil {
		return 0
	}
	return len(s.m)
}

// adamStep is step t on one tensor.
func (p *plain) adamStep(s *adam, grad []float32, lr float32, a op.AdamAttrs, t int) {
	c := p.coefficients(a.Beta1, a.Beta2, t)
	for i := range s.param {
		g, shrink := p.decay(decayed{s.param[i], grad[i], lr, float32(a.WeightDecay), a.Decoupled})
		m, v := p.moments(s.m[i], s.v[i], g, c)
		move := p.adamMove(m, v, lr, float32(a.Eps), c)
		s.param[i], s.m[i], s.v[i] = p.store(s.param[i]-shrink-move), p.store(m), p.store(v)
	}
}

type adamRunner struct {
	p    *plain
	s    *adam
	runs int
}

func (p *plain) openAdam(a op.AdamArgs) (op.Runner[op.AdamArgs], error) {
	m, v := p.startMoments(a.M.F32, a.V.F32)
	return &adamRunner{p: p, s: newAdam(a.Param.F32, m, v)}, nil
}

func (r *adamRunner) Run(a op.AdamArgs) error {
	r.runs++
	r.p.adamStep(r.s, a.Grad.F32, a.LR.F32[0], a.AdamAttrs, r.p.firstStep(a.Step, r.runs))
	copy(a.NewParam.F32, r.s.param)
	copy(a.NewM.F32, r.s.m)
	copy(a.NewV.F32, r.s.v)
	return nil
}

type sgdRunner struct {
	p        *plain
	param, v []float32 // v is nil before the first step without a given one
}

func (p *plain) openSGD(a op.SGDArgs) (op.Runner[op.SGDArgs], error) {
	return &sgdRunner{p: p, param: slices.Clone(a.Param.F32), v: p.startVelocity(a.V.F32)}, nil
}

func (r *sgdRunner) Run(a op.SGDArgs) error {
	p, first := r.p, r.v == nil
	if first {
		r.v = make([]float32, len(r.param))
	}
	for i := range r.param {
		g, _ := p.decay(decayed{param: r.param[i], grad: a.Grad.F32[i], weightDecay: float32(a.WeightDecay)})
		v := p.velocity(r.v[i], g, first, a.SGDAttrs)
		r.param[i], r.v[i] = p.store(r.param[i]-float32(a.LR.F32[0]*p.sgdMove(v, g, a.SGDAttrs))), p.store(v)
	}
	copy(a.NewParam.F32, r.param)
	copy(a.NewV.F32, r.v)
	return nil
}

// velocity is g where there is no momentum and in a first step.
func velocity(v, g float32, first bool, a op.SGDAttrs) float32 {
	if a.Momentum == 0 || first {
		return g
	}
	return float32(float32(a.Momentum)*v) + float32(float32(1-a.Dampening)*g)
}

func sgdMove(v, g float32, a op.SGDAttrs) float32 {
	if a.Nesterov {
		return g + float32(float32(a.Momentum)*v)
	}
	return v
}

func (p *plain) clipNormOp(a op.ClipNormArgs) error {
	norm := p.norm(a.G.F32)
	if !p.acceptNorm(norm) {
		return fmt.Errorf("clip_norm: %w: the norm is %v", op.ErrNumber, norm)
	}
	factor := p.clipFactor(norm, float32(a.MaxNorm), float32(a.Eps))
	for i, g := range a.G.F32 {
		a.Y.F32[i] = p.store(g * factor)
	}
	a.Norm.F32[0] = p.store(norm)
	return nil
}

// euclidean is the norm, of elements divided by the largest: their squares neither overflow nor all underflow.
func (p *plain) euclidean(g []float32) float32 {
	var largest float32
	for _, x := range g {
		largest = max(largest, x, -x) // NaN where one is
	}
	if largest == 0 || largest-largest != 0 {
		return largest
	}
	scaled := make([]float32, len(g))
	for i, x := range g {
		scaled[i] = x / largest
	}
	return largest * sqrt32(p.dot(scaled, scaled))
}

func clipFactor(norm, maxNorm, eps float32) float32 { return min(1, maxNorm/(norm+eps)) }

func (p *plain) clipValueOp(a op.ClipValueArgs) error {
	for i, g := range a.G.F32 {
		a.Y.F32[i] = p.store(p.clipped(g, float32(a.Limit)))
	}
	return nil
}

func (p *plain) learningRateOp(a op.LearningRateArgs) error {
	for i, t := range a.T.I64 {
		rate, err := p.rateOf(t, a.ScheduleAttrs)
		if err != nil {
			return fmt.Errorf("learning_rate: %w", err)
		}
		a.LR.F32[i] = rate
	}
	return nil
}

// rateOf is the rate of step t, formed in float64.
func (p *plain) rateOf(t int64, a op.ScheduleAttrs) (float32, error) {
	t, err := p.stepOf(t)
	if err != nil {
		return 0, err
	}
	var rate float64
	switch {
	case a.Schedule == "inverse_sqrt" && t < int64(a.Warmup):
		a.WarmupOffset = 1
		rate = a.LR * p.warmup(t, a)
	case t < int64(a.Warmup):
		rate = a.LR * p.warmup(t, a)
	case a.Schedule == "cosine", a.Schedule == "warmup_cosine":
		rate = p.cosine(p.progress(t, a), a)
	case a.Schedule == "step", a.Schedule == "exponential":
		rate = p.floored(a.LR*p.gammaPow(t, a), a)
	case a.Schedule == "inverse_sqrt":
		rate = p.floored(p.rootRate(t, a), a)
	default:
		rate = a.LR
	}
	return p.store(p.rate(rate)), nil
}

func stepOf(t int64) (int64, error) {
	if t < 0 {
		return 0, fmt.Errorf("%w: step %d: the first is 0", op.ErrPosition, t)
	}
	return t, nil
}

func warmup(t int64, a op.ScheduleAttrs) float64 {
	return a.WarmupStart + (1-a.WarmupStart)*float64(t+int64(a.WarmupOffset))/float64(a.Warmup)
}

// progress is how much of the cosine is behind step t, at most 1.
func progress(t int64, a op.ScheduleAttrs) float64 {
	return min(1, float64(t-int64(a.Warmup))/float64(a.Total-a.Warmup))
}

func cosine(p float64, a op.ScheduleAttrs) float64 {
	return a.MinLR + (a.LR-a.MinLR)*(1+math.Cos(math.Pi*p))/2
}

func gammaPow(t int64, a op.ScheduleAttrs) float64 {
	if a.Schedule == "step" {
		t /= int64(a.StepSize)
	}
	return math.Pow(a.Gamma, float64(t))
}
