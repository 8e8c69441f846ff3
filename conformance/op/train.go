package op

import (
	"errors"
)

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

var _ = add(GPTTrainArgs{}, nil, Row{Family: "train", Group: "training", Stateful: true, Composite: true})

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
