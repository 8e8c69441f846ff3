package reference

import (
	"math"
	"slices"
)

// ParameterGroup names parameters that weight decay may spare. Matrices are in none.
type ParameterGroup string

// The groups.
const (
	GroupBiases     ParameterGroup = "biases"
	GroupNorms      ParameterGroup = "norms" // gammas and betas
	GroupEmbeddings ParameterGroup = "embeddings"
)

// TrainConfig is all of a training run that is not a parameter or a token.
type TrainConfig struct {
	Model       Config
	IgnoreIndex int
	Adam        AdamConfig
	MaxNorm     float64 // 0: gradients are not clipped
	Schedule    Schedule
	NoDecay     []ParameterGroup
}

// clipEps is PyTorch's eps of clipping.
const clipEps = 1e-6

// TrainState is what a training run knows between steps: the parameters, their moments in the order of Parameters, and how many steps
// there were.
type TrainState struct {
	Weights GPTWeights
	M, V    [][]float64
	Steps   int
}

// NewTrainState returns the state before the first step: moments of 0.
func NewTrainState(w GPTWeights) TrainState {
	s := TrainState{Weights: w}
	for _, p := range w.Parameters() {
		s.M, s.V = append(s.M, make([]float64, len(p))), append(s.V, make([]float64, len(p)))
	}
	return s
}

// TrainReport is what a step says of itself: its loss and the norm of its gradient, before clipping, at the parameters before it,
// and its rate.
type TrainReport struct{ Loss, Norm, LR float64 }

// TrainStep returns the state after one step on a batch of sequences, all of its micro-batches one after the other
//
//	loss  = the mean of GPTLoss over all targets that are not ignored
//	g     = its gradient, the sum of the sequences' GPTLossGrad
//	g'    = ClipNorm of all g together
//	lr    = Rate(steps)                             the first step has t = 0
//	param = Adam(param, g', lr, steps + 1)          no weight decay for the groups of NoDecay
//
// Where all targets are ignored the loss and the gradient are 0, and the step is one like any other. Errors are those of GPTLoss, and one
// that wraps ErrNumber where the norm is not finite. The state that is given does not change.
func (p Primitives) TrainStep(s TrainState, ids, targets [][]int, cfg TrainConfig) (TrainState, TrainReport, error) {
	loss, grads, err := p.lossAndGradient(s.Weights, ids, targets, cfg)
	if err != nil {
		return TrainState{}, TrainReport{}, err
	}
	maxNorm := cfg.MaxNorm
	if maxNorm == 0 {
		maxNorm = math.Inf(1)
	}
	grads, norm, err := p.ClipNorm(maxNorm, clipEps, grads...)
	if err != nil {
		return TrainState{}, TrainReport{}, err
	}
	lr, err := p.Rate(cfg.Schedule, s.Steps)
	if err != nil {
		return TrainState{}, TrainReport{}, err
	}
	next := TrainState{Steps: s.Steps + 1}
	groups := s.Weights.groups()
	var params [][]float64
	for i, param := range s.Weights.Parameters() {
		adam := cfg.Adam
		if slices.Contains(cfg.NoDecay, groups[i]) {
			adam.WeightDecay = 0
		}
		after := p.Adam(AdamState{param, s.M[i], s.V[i]}, grads[i], lr, next.Steps, adam)
		params, next.M, next.V = append(params, after.Param), append(next.M, after.M), append(next.V, after.V)
	}
	next.Weights = s.Weights.replaced(params)
	return next, TrainReport{loss, norm, lr}, nil
}

// lossAndGradient returns the mean loss of a batch, and its gradient with respect to each of Parameters.
func (p Primitives) lossAndGradient(w GPTWeights, ids, targets [][]int, cfg TrainConfig) (loss float64, grads [][]float64, err error) {
	var losses []float64
	for b := range ids {
		rows, err := p.GPTLoss(ids[b], targets[b], cfg.IgnoreIndex, w, cfg.Model)
		if err != nil {
			return 0, nil, err
		}
		losses = append(losses, rows...)
	}
	all := slices.Concat(targets...)
	loss = p.Reduce(losses, all, cfg.IgnoreIndex, ReduceMean)[0]
	dlosses := p.ReduceGrad([]float64{1}, all, cfg.IgnoreIndex, ReduceMean)
	for b := range ids {
		n := len(ids[b])
		dw, err := p.GPTLossGrad(ids[b], targets[b], cfg.IgnoreIndex, dlosses[:n], w, cfg.Model)
		if err != nil {
			return 0, nil, err
		}
		dlosses = dlosses[n:]
		grads = p.accumulate(grads, dw.Parameters())
	}
	return loss, grads, nil
}

// accumulate returns the sums of gradients and further ones; nil gradients are none so far.
func (p Primitives) accumulate(grads, more [][]float64) [][]float64 {
	if grads == nil {
		return more
	}
	sums := make([][]float64, len(grads))
	for i, g := range grads {
		sums[i] = p.Add(Matrix{1, len(g), g}, Matrix{1, len(g), more[i]}).Data
	}
	return sums
}

// groups returns the group of each of Parameters; none is "".
func (w GPTWeights) groups() []ParameterGroup {
	const matrix = ParameterGroup("")
	groups := []ParameterGroup{GroupEmbeddings, GroupEmbeddings}
	for range w.Blocks {
		groups = append(groups, GroupNorms, GroupNorms, matrix, GroupBiases, matrix, GroupBiases, matrix, GroupBiases, matrix, GroupBiases,
			GroupNorms, GroupNorms, matrix, GroupBiases, matrix, GroupBiases)
	}
	return append(groups, GroupNorms, GroupNorms, matrix)
}

// replaced returns the weights with other Parameters in the places of theirs; absent ones stay absent.
func (w GPTWeights) replaced(params [][]float64) GPTWeights {
	put := func(into ...*[]float64) {
		for _, p := range into {
			if *p != nil {
				*p = params[0]
			}
			params = params[1:]
		}
	}
	put(&w.Wte.Data, &w.Wpe.Data)
	w.Blocks = slices.Clone(w.Blocks)
	for l := range w.Blocks {
		b := &w.Blocks[l]
		put(&b.LN1Gamma, &b.LN1Beta, &b.Attn.Wq.Data, &b.Attn.Bq, &b.Attn.Wk.Data, &b.Attn.Bk, &b.Attn.Wv.Data, &b.Attn.Bv, &b.Attn.Wo.Data, &b.Attn.Bo,
			&b.LN2Gamma, &b.LN2Beta, &b.FFN.W1.Data, &b.FFN.B1, &b.FFN.W2.Data, &b.FFN.B2)
	}
	put(&w.LNfGamma, &w.LNfBeta, &w.Wout.Data)
	return w
}
