package precise

import (
	"slices"
)

// groups of parameters that weight decay may spare: TRAIN-7.
var groups = map[string][]string{
	"biases":     {"bq", "bk", "bv", "bo", "b1", "b2"},
	"norms":      {"ln1_gamma", "ln1_beta", "ln2_gamma", "ln2_beta", "lnf_gamma", "lnf_beta"},
	"embeddings": {"wte", "wpe"},
}

func (a trainAttrs) decayOf(name string) float64 {
	for _, g := range a.NoDecay {
		if slices.Contains(groups[g], name) {
			return 0
		}
	}
	return a.WeightDecay
}

type trainAttrs struct {
	gptLossAttrs
	rateAttrs
	momentAttrs
	AdamEps float64  `json:"adam_eps"`
	NoDecay []string `json:"no_decay"`
	MaxNorm float64  `json:"max_norm"`
}

func trainDefaults() trainAttrs {
	return trainAttrs{gptLossAttrs: gptLossDefaults(), rateAttrs: rateDefaults(), momentAttrs: momentDefaults(), AdamEps: 1e-8,
		NoDecay: []string{"biases", "norms"}}
}

var _ = registerStateful("gpt.train", trainDefaults, gptTrain)

// gptTrain: TRAIN. The gradient is that of the loss along a tape, as everywhere here.
func gptTrain(a trainAttrs, consts arrays) kernel {
	a.Reduction = "mean"
	state := map[string][]adamState{}
	for name, c := range consts {
		for i := range c.Len() {
			state[name] = append(state[name], adamState{c.at(i), zero, zero})
		}
	}
	t := 0
	return func(src arrays) Step {
		tp := new(tape)
		in := arrays{"ids": src["ids"].joined(), "targets": src["targets"].joined()}
		for name, ss := range state {
			placed := &array{Tensor: consts[name].Tensor}
			for _, s := range ss {
				placed.memo = append(placed.memo, tp.variable(s.p))
			}
			in[name] = placed
		}
		forward := gptLoss(a.gptLossAttrs, in)
		if forward.Faults != nil {
			return forward
		}
		loss := forward.Results["loss"](0)
		gradient := tp.gradient([]number{loss}, []number{one})
		var all []number
		for name := range state {
			for _, x := range in[name].memo {
				all = append(all, gradient(x))
			}
		}
		norm, factor := clipped(all, a.MaxNorm, 1e-6)
		if !norm.isFinite() {
			return fails("number")
		}
		if a.MaxNorm == 0 {
			factor = one
		}
		lr := a.rate(int64(t))
		t++
		results := map[string]Result{"loss": constantly(loss), "norm": constantly(norm), "lr": constantly(lr)}
		next := map[string][]adamState{}
		step := a.adamAt(t, lr, a.AdamEps)
		for name, ss := range state {
			now := make([]adamState, len(ss))
			for i, s := range ss {
				now[i] = step.of(s, mul(factor, gradient(in[name].memo[i])), a.decayOf(name))
			}
			next[name] = now
			results["new_"+name] = func(i int) number { return now[i].p }
		}
		state = next
		return Step{Results: results}
	}
}

func constantly(x number) Result { return func(int) number { return x } }

// joined makes one batch of micro-batches, [M B T] to [M*B T].
func (a *array) joined() *array {
	j := *a
	j.Shape = []int{a.dim(0) * a.dim(1), a.dim(2)}
	return &j
}
