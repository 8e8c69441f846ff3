package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("adam", func(f functions) op.Implementation { return op.Adam(f.openAdam) })
var _ = offer("sgd", func(f functions) op.Implementation { return op.SGD(f.openSGD) })

// adam holds a parameter tensor and its moments between Runs.
type adam struct {
	f     functions
	cfg   reference.AdamConfig
	state reference.AdamState
	steps int
}

func (f functions) openAdam(a op.AdamArgs) (op.Runner[op.AdamArgs], error) {
	k := &adam{f: f, state: reference.AdamState{Param: a.Param.F64, M: a.M.F64, V: a.V.F64}, steps: a.Step}
	if !a.M.Present() {
		k.state.M, k.state.V = make([]float64, a.Param.Len()), make([]float64, a.Param.Len())
	}
	k.cfg = reference.AdamConfig{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, WeightDecay: a.WeightDecay, Decoupled: a.Decoupled}
	return k, nil
}

func (k *adam) Run(a op.AdamArgs) error {
	k.steps++
	k.state = k.f.Adam(k.state, a.Grad.F64, a.LR.F64[0], k.steps, k.cfg)
	copy(a.NewParam.F64, k.state.Param)
	copy(a.NewM.F64, k.state.M)
	copy(a.NewV.F64, k.state.V)
	return nil
}

// sgd holds a parameter tensor and its velocity between Runs.
type sgd struct {
	f     functions
	cfg   reference.SGDConfig
	state reference.SGDState
}

func (f functions) openSGD(a op.SGDArgs) (op.Runner[op.SGDArgs], error) {
	return &sgd{f: f, state: reference.SGDState{Param: a.Param.F64, Velocity: a.V.F64},
		cfg: reference.SGDConfig{Momentum: a.Momentum, Dampening: a.Dampening, Nesterov: a.Nesterov, WeightDecay: a.WeightDecay}}, nil
}

func (k *sgd) Run(a op.SGDArgs) error {
	k.state = k.f.SGD(k.state, a.Grad.F64, a.LR.F64[0], k.cfg)
	copy(a.NewParam.F64, k.state.Param)
	copy(a.NewV.F64, k.state.Velocity)
	return nil
}
