package op

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Initialization, optimizers, clipping, schedules and whole training steps, SPEC.md INIT, OPT, CLIP, LR and TRAIN.
var trainingOps = []Args{
	InitArgs{}, AdamArgs{}, SGDArgs{}, ClipNormArgs{}, ClipValueArgs{}, LearningRateArgs{}, GPTTrainArgs{},
}

// InitArgs: the initial values of a weight from random draws, SPEC.md INIT. Draws are numbers of 32 bits, one for each weight under a
// uniform scheme, two under a normal one.
type InitArgs struct {
	InitAttrs
	Draws Tensor `src:"draws" type:"i64" shape:"in out"`
	W     Tensor `dst:"w" shape:"in out"`
}

// InitAttrs: Mode and A belong to the Kaiming schemes, Std to normal. Layers, where it is not 0, divides by sqrt(2 Layers).
type InitAttrs struct {
	Scheme string  `json:"scheme"`
	Gain   float64 `json:"gain"`
	Mode   string  `json:"mode"`
	A      float64 `json:"a,omitempty"`
	Std    float64 `json:"std"`
	Layers int     `json:"layers,omitempty"`
}

func (InitArgs) Op() string { return "init" }

func (a *InitArgs) defaults() { a.InitAttrs = InitAttrs{Gain: 1, Mode: "fan_in", Std: 0.02} }

func (a *InitArgs) validate() error {
	return errors.Join(oneOf("scheme", a.Scheme, "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "normal"),
		oneOf("mode", a.Mode, "fan_in", "fan_out"), nonNegative("gain", a.Gain), nonNegative("a", a.A), nonNegative("std", a.Std),
		atLeast("layers", a.Layers, 0))
}

// Normal reports whether the scheme draws from a normal distribution, with two draws for each weight.
func (a *InitAttrs) Normal() bool { return strings.HasSuffix(a.Scheme, "normal") }

func (a *InitArgs) shapes() map[string]string {
	if a.Normal() {
		return map[string]string{"draws": "in out 2"}
	}
	return nil
}

// Init adapts f.
func Init(f func(InitArgs) error) Implementation { return Func(f) }

// AdamArgs: steps of Adam or AdamW, SPEC.md OPT. The kernel keeps parameters, moments and the number of steps; the constants are what it
// starts from. Absent moments are 0.
type AdamArgs struct {
	AdamAttrs
	Param    Tensor `const:"param" shape:"..."`
	M        Tensor `const:"m,optional" shape:"..."`
	V        Tensor `const:"v,optional" shape:"..."`
	Grad     Tensor `src:"grad" shape:"..."`
	LR       Tensor `src:"lr" shape:""`
	NewParam Tensor `dst:"new_param" shape:"..."`
	NewM     Tensor `dst:"new_m" shape:"..."`
	NewV     Tensor `dst:"new_v" shape:"..."`
}

// AdamAttrs: weight decay is added to the gradient, or, with Decoupled, taken from the parameter. Step is how many steps the constants
// have behind them.
type AdamAttrs struct {
	Beta1       float64 `json:"beta1"`
	Beta2       float64 `json:"beta2"`
	Eps         float64 `json:"eps"`
	WeightDecay float64 `json:"weight_decay,omitempty"`
	Decoupled   bool    `json:"decoupled,omitempty"`
	Step        int     `json:"step,omitempty"`
}

func (AdamArgs) Op() string { return "adam" }

func (AdamArgs) stateful() {}

func (a *AdamArgs) defaults() { a.AdamAttrs = AdamAttrs{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8} }

func (a *AdamArgs) validate() error {
	err := errors.Join(fraction("beta1", a.Beta1), fraction("beta2", a.Beta2), nonNegative("eps", a.Eps), nonNegative("weight_decay", a.WeightDecay))
	if a.Step < 0 || int64(a.Step) > 1<<53 { // so that counting on overflows nothing
		err = errors.Join(err, fmt.Errorf("step = %d: want from 0 to 2^53", a.Step))
	}
	return err
}

func (a *AdamArgs) checkConst(*dims) error {
	if a.M.Present() != a.V.Present() {
		return errors.New("m and v must be given together, or neither")
	}
	return nil
}

// Adam adapts open, which is called once per sequence of Runs and returns the kernel that holds the state.
func Adam(open func(AdamArgs) (Runner[AdamArgs], error)) Implementation { return Open(open) }

// SGDArgs: steps of gradient descent, with momentum or without, SPEC.md OPT. The kernel keeps parameters and velocity; the constants are
// what it starts from.
type SGDArgs struct {
	SGDAttrs
	Param    Tensor `const:"param" shape:"..."`
	V        Tensor `const:"v,optional" shape:"..."`
	Grad     Tensor `src:"grad" shape:"..."`
	LR       Tensor `src:"lr" shape:""`
	NewParam Tensor `dst:"new_param" shape:"..."`
	NewV     Tensor `dst:"new_v" shape:"..."`
}

// SGDAttrs are those of PyTorch's SGD.
type SGDAttrs struct {
	Momentum    float64 `json:"momentum,omitempty"`
	Dampening   float64 `json:"dampening,omitempty"`
	Nesterov    bool    `json:"nesterov,omitempty"`
	WeightDecay float64 `json:"weight_decay,omitempty"`
}

func (SGDArgs) Op() string { return "sgd" }

func (SGDArgs) stateful() {}

func (a *SGDArgs) validate() error {
	err := errors.Join(nonNegative("momentum", a.Momentum), nonNegative("dampening", a.Dampening), nonNegative("weight_decay", a.WeightDecay))
	if a.Nesterov && (a.Momentum == 0 || a.Dampening != 0) {
		err = errors.Join(err, fmt.Errorf("nesterov with momentum = %v and dampening = %v: want a momentum and no dampening", a.Momentum, a.Dampening))
	}
	return err
}

// SGD adapts open, which is called once per sequence of Runs and returns the kernel that holds the state.
func SGD(open func(SGDArgs) (Runner[SGDArgs], error)) Implementation { return Open(open) }

// ClipNormArgs: a gradient scaled down to a norm, SPEC.md CLIP. Norm is the norm before clipping.
type ClipNormArgs struct {
	ClipNormAttrs
	G    Tensor `src:"g" shape:"..."`
	Y    Tensor `dst:"y" shape:"..."`
	Norm Tensor `dst:"norm" shape:""`
}

// ClipNormAttrs: Eps is added to the norm that divides.
type ClipNormAttrs struct {
	MaxNorm float64 `json:"max_norm"`
	Eps     float64 `json:"eps"`
}

func (ClipNormArgs) Op() string { return "clip_norm" }

func (a *ClipNormArgs) defaults() { a.Eps = 1e-6 }

func (a *ClipNormArgs) validate() error {
	return errors.Join(positive("max_norm", a.MaxNorm), nonNegative("eps", a.Eps))
}

// ClipNorm adapts f.
func ClipNorm(f func(ClipNormArgs) error) Implementation { return Func(f) }

// ClipValueArgs: a gradient whose elements are kept within [-limit, limit], SPEC.md CLIP.
type ClipValueArgs struct {
	ClipValueAttrs
	G Tensor `src:"g" shape:"..."`
	Y Tensor `dst:"y" shape:"..."`
}

// ClipValueAttrs hold the largest magnitude.
type ClipValueAttrs struct {
	Limit float64 `json:"limit"`
}

func (ClipValueArgs) Op() string { return "clip_value" }

func (a *ClipValueArgs) validate() error { return positive("limit", a.Limit) }

// ClipValue adapts f.
func ClipValue(f func(ClipValueArgs) error) Implementation { return Func(f) }

// LearningRateArgs: the learning rates of steps, SPEC.md LR. Steps count from 0.
type LearningRateArgs struct {
	ScheduleAttrs
	T  Tensor `src:"t" type:"i64" shape:"N"`
	LR Tensor `dst:"lr" shape:"N"`
}

// ScheduleAttrs describe a schedule. LR is its highest rate and MinLR its lowest after the warmup. During Warmup steps the rate rises
// as WarmupStart + (1 - WarmupStart) (t + WarmupOffset) / Warmup.
type ScheduleAttrs struct {
	Schedule     string  `json:"schedule"`
	LR           float64 `json:"lr"`
	MinLR        float64 `json:"min_lr,omitempty"`
	Warmup       int     `json:"warmup,omitempty"`
	WarmupStart  float64 `json:"warmup_start,omitempty"`
	WarmupOffset int     `json:"warmup_offset,omitempty"`
	Total        int     `json:"total,omitempty"`
	Gamma        float64 `json:"gamma,omitempty"`
	StepSize     int     `json:"step_size,omitempty"`
}

func (LearningRateArgs) Op() string { return "learning_rate" }

func (a *LearningRateArgs) defaults()       { a.ScheduleAttrs.defaults() }
func (a *LearningRateArgs) validate() error { return a.ScheduleAttrs.validate() }

func (a *ScheduleAttrs) defaults() { *a = ScheduleAttrs{Schedule: "constant", LR: 1e-3} }

// scheduleReads are the attributes that each schedule reads, beside lr.
var scheduleReads = map[string]string{
	"constant": "warmup", "cosine": "min_lr total", "warmup_cosine": "min_lr warmup total", "step": "min_lr gamma step_size",
	"exponential": "min_lr gamma", "inverse_sqrt": "min_lr warmup",
}

// validate refuses attributes that the schedule does not read: they would be a wish that nothing grants.
func (a *ScheduleAttrs) validate() error {
	reads, ok := scheduleReads[a.Schedule]
	if !ok {
		return oneOf("schedule", a.Schedule, "constant", "cosine", "warmup_cosine", "step", "exponential", "inverse_sqrt")
	}
	err := errors.Join(nonNegative("lr", a.LR), nonNegative("min_lr", a.MinLR), atLeast("warmup", a.Warmup, 0))
	want := func(ok bool, format string, args ...any) {
		if !ok {
			err = errors.Join(err, fmt.Errorf("schedule = %q: "+format, append([]any{a.Schedule}, args...)...))
		}
	}
	for _, given := range []struct {
		name string
		set  bool
	}{
		{"min_lr", a.MinLR != 0}, {"warmup", a.Warmup != 0}, {"total", a.Total != 0}, {"gamma", a.Gamma != 0}, {"step_size", a.StepSize != 0},
	} {
		want(!given.set || slices.Contains(strings.Fields(reads), given.name), "%s is given, and not used", given.name)
	}
	switch a.Schedule {
	case "cosine", "warmup_cosine":
		want(a.Total > max(a.Warmup, 0), "total = %d: want more than warmup = %d", a.Total, a.Warmup)
	case "step", "exponential":
		want(a.Gamma > 0 && a.Gamma <= 1, "gamma = %v: want a number in (0, 1]", a.Gamma)
		want(a.Schedule != "step" || a.StepSize >= 1, "step_size = %d: want at least 1", a.StepSize)
	case "inverse_sqrt":
		want(a.Warmup >= 1, "warmup = %d: want at least 1", a.Warmup)
	}
	ramp := a.Warmup > 0 && a.Schedule != "inverse_sqrt"
	want(ramp || a.WarmupStart == 0 && a.WarmupOffset == 0, "warmup_start or warmup_offset is given, and no warmup uses it")
	want(a.WarmupStart >= 0 && a.WarmupStart <= 1, "warmup_start = %v: want a number in [0, 1]", a.WarmupStart)
	want(a.WarmupOffset == 0 || a.WarmupOffset == 1, "warmup_offset = %d: want 0 or 1", a.WarmupOffset)
	want(a.MinLR <= a.LR, "min_lr = %v: want at most lr = %v", a.MinLR, a.LR)
	return err
}

// LearningRate adapts f.
func LearningRate(f func(LearningRateArgs) error) Implementation { return Func(f) }

// GPTTrainArgs: whole training steps of a model, SPEC.md TRAIN. The kernel keeps parameters and moments; each Run is one step on a batch of
// M micro-batches. Loss and Norm are those before the step, LR is its rate.
type GPTTrainArgs struct {
	GPTTrainAttrs
	GPTWeights
	IDs     Tensor `src:"ids" type:"i64" shape:"M B T"`
	Targets Tensor `src:"targets" type:"i64" shape:"M B T"`
	Loss    Tensor `dst:"loss" shape:""`
	Norm    Tensor `dst:"norm" shape:""`
	LR      Tensor `dst:"lr" shape:""`
	NewGPTWeights
}

// NewGPTWeights are the parameters of a model after a step, each of the shape of its constant.
type NewGPTWeights struct {
	NewWte      Tensor `dst:"new_wte" shape:"V d"`
	NewWpe      Tensor `dst:"new_wpe,of=wpe" shape:"C d"`
	NewLN1Gamma Tensor `dst:"new_ln1_gamma" shape:"L d"`
	NewLN1Beta  Tensor `dst:"new_ln1_beta" shape:"L d"`
	NewWq       Tensor `dst:"new_wq" shape:"L d HD"`
	NewBq       Tensor `dst:"new_bq" shape:"L HD"`
	NewWk       Tensor `dst:"new_wk" shape:"L d GD"`
	NewBk       Tensor `dst:"new_bk" shape:"L GD"`
	NewWv       Tensor `dst:"new_wv" shape:"L d GD"`
	NewBv       Tensor `dst:"new_bv" shape:"L GD"`
	NewWo       Tensor `dst:"new_wo" shape:"L HD d"`
	NewBo       Tensor `dst:"new_bo" shape:"L d"`
	NewLN2Gamma Tensor `dst:"new_ln2_gamma" shape:"L d"`
	NewLN2Beta  Tensor `dst:"new_ln2_beta" shape:"L d"`
	NewW1       Tensor `dst:"new_w1" shape:"L d F"`
	NewB1       Tensor `dst:"new_b1" shape:"L F"`
	NewW2       Tensor `dst:"new_w2" shape:"L F d"`
	NewB2       Tensor `dst:"new_b2" shape:"L d"`
	NewLNfGamma Tensor `dst:"new_lnf_gamma,of=lnf_gamma" shape:"d"`
	NewLNfBeta  Tensor `dst:"new_lnf_beta,of=lnf_beta" shape:"d"`
	NewWout     Tensor `dst:"new_w_out,of=w_out" shape:"d V"`
}

// Tensors returns the parameters in table order, as GPTWeights.Tensors does. An absent one is the zero Tensor.
func (w *NewGPTWeights) Tensors() []Tensor {
	return []Tensor{w.NewWte, w.NewWpe, w.NewLN1Gamma, w.NewLN1Beta, w.NewWq, w.NewBq, w.NewWk, w.NewBk, w.NewWv, w.NewBv, w.NewWo, w.NewBo,
		w.NewLN2Gamma, w.NewLN2Beta, w.NewW1, w.NewB1, w.NewW2, w.NewB2, w.NewLNfGamma, w.NewLNfBeta, w.NewWout}
}

// Tensors returns the parameters in table order. An absent one is the zero Tensor.
func (w *GPTWeights) Tensors() []Tensor {
	return []Tensor{w.Wte, w.Wpe, w.LN1Gamma, w.LN1Beta, w.Wq, w.Bq, w.Wk, w.Bk, w.Wv, w.Bv, w.Wo, w.Bo,
		w.LN2Gamma, w.LN2Beta, w.W1, w.B1, w.W2, w.B2, w.LNfGamma, w.LNfBeta, w.Wout}
}

// GPTTrainAttrs are those of the model, the optimizer and the schedule. MaxNorm 0 does not clip. NoDecay names the groups of parameters
// that weight decay spares: biases, norms, embeddings.
type GPTTrainAttrs struct {
	GPTAttrs
	ScheduleAttrs
	IgnoreIndex int      `json:"ignore_index"`
	Beta1       float64  `json:"beta1"`
	Beta2       float64  `json:"beta2"`
	AdamEps     float64  `json:"adam_eps"` // eps is that of the normalizations
	WeightDecay float64  `json:"weight_decay,omitempty"`
	Decoupled   bool     `json:"decoupled,omitempty"`
	MaxNorm     float64  `json:"max_norm,omitempty"`
	NoDecay     []string `json:"no_decay"`
}

func (GPTTrainArgs) Op() string { return "gpt.train" }

func (GPTTrainArgs) stateful() {}

func (a *GPTTrainArgs) defaults() {
	a.GPTTrainAttrs = GPTTrainAttrs{IgnoreIndex: -100, Beta1: 0.9, Beta2: 0.999, AdamEps: 1e-8, NoDecay: []string{"biases", "norms"}}
	a.GPTAttrs.defaults()
	a.ScheduleAttrs.defaults()
}

func (a *GPTTrainArgs) validate() error {
	err := errors.Join(a.GPTAttrs.validate(), a.ScheduleAttrs.validate(), fraction("beta1", a.Beta1), fraction("beta2", a.Beta2),
		nonNegative("adam_eps", a.AdamEps), nonNegative("weight_decay", a.WeightDecay), nonNegative("max_norm", a.MaxNorm))
	for _, group := range a.NoDecay {
		err = errors.Join(err, oneOf("no_decay", group, "biases", "norms", "embeddings"))
	}
	return err
}

func (a *GPTTrainArgs) checkConst(d *dims) error { return a.GPTAttrs.check(d, &a.GPTWeights) }

// GPTTrain adapts open, which is called once per sequence of Runs and returns the kernel that holds the state.
func GPTTrain(open func(GPTTrainArgs) (Runner[GPTTrainArgs], error)) Implementation {
	return Open(open)
}

func positive(name string, x float64) error {
	if !(x > 0) || math.IsInf(x, 1) {
		return fmt.Errorf("%s = %v: want a finite number greater than 0", name, x)
	}
	return nil
}

func fraction(name string, x float64) error {
	if !(x >= 0 && x < 1) {
		return fmt.Errorf("%s = %v: want a number in [0, 1)", name, x)
	}
	return nil
}
