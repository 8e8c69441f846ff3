package op

import (
	"errors"
	"fmt"
)

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

var _ = add(AdamArgs{}, nil, Row{Family: "optimizer", Group: "training", Stateful: true, Composite: true})

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

var _ = add(SGDArgs{}, nil, Row{Family: "optimizer", Group: "training", Stateful: true, Composite: true})

func (a *SGDArgs) validate() error {
	err := errors.Join(nonNegative("momentum", a.Momentum), nonNegative("dampening", a.Dampening), nonNegative("weight_decay", a.WeightDecay))
	if a.Nesterov && (a.Momentum == 0 || a.Dampening != 0) {
		err = errors.Join(err, fmt.Errorf("nesterov with momentum = %v and dampening = %v: want a momentum and no dampening", a.Momentum, a.Dampening))
	}
	return err
}

// SGD adapts open, which is called once per sequence of Runs and returns the kernel that holds the state.
func SGD(open func(SGDArgs) (Runner[SGDArgs], error)) Implementation { return Open(open) }
