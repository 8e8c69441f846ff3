package precise

import "slices"

// initialized: INIT.
func initialized(a attributes, in arrays) Step {
	draws := in["draws"]
	if !validDraws(draws.I64) {
		return fails("index")
	}
	rows, cols := draws.dim(0), draws.dim(1)
	sigma := of(a.Std)
	switch a.Scheme {
	case "xavier_uniform", "xavier_normal":
		sigma = sqrt(quo(two, ofInt(rows+cols)))
	case "kaiming_uniform", "kaiming_normal":
		fan := rows
		if a.Mode == "fan_out" {
			fan = cols
		}
		sigma = quo(sqrt(quo(two, add(one, square(of(a.A))))), sqrt(ofInt(fan)))
	}
	sigma = mul(sigma, of(a.Gain))
	if a.Layers > 0 {
		sigma = quo(sigma, sqrt(ofInt(2*a.Layers)))
	}
	if a.Scheme == "xavier_uniform" || a.Scheme == "kaiming_uniform" {
		return gives("w", func(i int) number {
			return mul(mul(sqrt(ofInt(3)), sigma), sub(mul(two, uniform(draws.I64[i])), one))
		})
	}
	return gives("w", func(i int) number {
		u1, u2 := add(uniform(draws.I64[2*i]), of(0x1p-24)), uniform(draws.I64[2*i+1])
		return mul(mul(sigma, sqrt(mul(of(-2), log(u1)))), cos(mul(mul(two, pi()), u2)))
	})
}

// uniform is the number in [0, 1) that a draw stands for: its upper 24 bits.
func uniform(draw int64) number { return ratio(draw/256, 1<<24) }

func validDraws(draws []int64) bool {
	return !slices.ContainsFunc(draws, func(d int64) bool { return d < 0 || d >= 1<<32 })
}

// adamState is a parameter with its moments: OPT.
type adamState struct{ p, m, v number }

// adamStep is what the elements of a step have in common: coefficients, and the rate.
type adamStep struct {
	beta1, beta2             number
	correction1, correction2 number // 1 - beta^t
	lr, eps                  number
	decoupled                bool
}

// adamAt returns step t, from 1.
func (a attributes) adamAt(t int, lr number, eps float64) adamStep {
	beta1, beta2 := of(a.Beta1), of(a.Beta2)
	return adamStep{beta1, beta2, sub(one, power(beta1, t)), sub(one, power(beta2, t)), lr, of(eps), a.Decoupled}
}

// of is OPT-1, OPT-4 and OPT-5 for one element with gradient g.
func (a adamStep) of(s adamState, g number, decay float64) adamState {
	w := of(decay)
	if !a.decoupled {
		g = add(g, mul(w, s.p))
	}
	next := adamState{
		m: add(mul(a.beta1, s.m), mul(sub(one, a.beta1), g)),
		v: add(mul(a.beta2, s.v), mul(sub(one, a.beta2), square(g))),
	}
	mHat, vHat := quo(next.m, a.correction1), quo(next.v, a.correction2)
	next.p = sub(s.p, mul(a.lr, quo(mHat, add(sqrt(vHat), a.eps))))
	if a.decoupled {
		next.p = sub(next.p, mul(mul(a.lr, w), s.p))
	}
	return next
}

// power is x^n, by multiplication.
func power(x number, n int) number {
	y := one
	for ; n > 0; n /= 2 {
		if n%2 == 1 {
			y = mul(y, x)
		}
		x = mul(x, x)
	}
	return y
}

func adam(a attributes, consts arrays) kernel {
	state := make([]adamState, consts["param"].Len())
	for i := range state {
		state[i] = adamState{consts["param"].at(i), zero, zero}
		if consts["m"] != nil {
			state[i].m, state[i].v = consts["m"].at(i), consts["v"].at(i)
		}
	}
	t := a.Step
	return func(in arrays) Step {
		t++
		now := make([]adamState, len(state))
		step := a.adamAt(t, in["lr"].at(0), a.Eps)
		for i, s := range state {
			now[i] = step.of(s, in["grad"].at(i), a.WeightDecay)
		}
		state = now
		return Step{Results: map[string]Result{
			"new_param": func(i int) number { return now[i].p },
			"new_m":     func(i int) number { return now[i].m },
			"new_v":     func(i int) number { return now[i].v },
		}}
	}
}

// sgd: OPT-10 to OPT-13.
func sgd(a attributes, consts arrays) kernel {
	ps := consts["param"].strip(0, 1, consts["param"].Len())
	var vs []number
	if consts["v"] != nil {
		vs = consts["v"].strip(0, 1, len(ps))
	}
	return func(in arrays) Step {
		momentum := of(a.Momentum)
		newP, newV := make([]number, len(ps)), make([]number, len(ps))
		for i, p := range ps {
			g := add(in["grad"].at(i), mul(of(a.WeightDecay), p))
			v := g
			if vs != nil && a.Momentum != 0 {
				v = add(mul(momentum, vs[i]), mul(sub(one, of(a.Dampening)), g))
			}
			move := v
			if a.Nesterov {
				move = add(g, mul(momentum, v))
			}
			newP[i], newV[i] = sub(p, mul(in["lr"].at(0), move)), v
		}
		ps, vs = newP, newV
		return Step{Results: map[string]Result{"new_param": listed([][]number{newP}), "new_v": listed([][]number{newV})}}
	}
}

// clipped returns the norm of the numbers, and what they are multiplied by: CLIP-1.
func clipped(gs []number, maxNorm, eps float64) (norm, factor number) {
	norm = sqrt(dot(gs, gs))
	factor = one
	if limit := add(norm, of(eps)); !norm.isNaN() && less(of(maxNorm), limit) {
		factor = quo(of(maxNorm), limit)
	}
	return norm, factor
}

func clipNorm(a attributes, in arrays) Step {
	g := in["g"]
	norm, factor := clipped(g.strip(0, 1, g.Len()), a.MaxNorm, a.Eps)
	if !norm.isFinite() {
		return fails("number")
	}
	return Step{Results: map[string]Result{
		"y":    func(i int) number { return mul(g.at(i), factor) },
		"norm": func(int) number { return norm },
	}}
}

func clipValue(a attributes, in arrays) Step {
	limit := of(a.Limit)
	return gives("y", func(i int) number {
		switch g := in["g"].at(i); {
		case less(limit, g):
			return limit
		case less(g, neg(limit)):
			return neg(limit)
		default:
			return g
		}
	})
}

// rate is LR's at step t.
func (a attributes) rate(t int64) number {
	lr, low, w := of(a.LR), of(a.MinLR), int64(a.Warmup)
	if a.Schedule == "inverse_sqrt" {
		if t < w {
			return mul(lr, ratio(t+1, w))
		}
		return most(low, mul(lr, sqrt(quo(ratio(w, 1), add(ratio(t, 1), one))))) // t + 1 may have 64 bits
	}
	if t < w {
		s := of(a.WarmupStart)
		return mul(lr, add(s, mul(sub(one, s), ratio(t+int64(a.WarmupOffset), w))))
	}
	switch a.Schedule {
	case "cosine", "warmup_cosine":
		if t >= int64(a.Total) {
			return low
		}
		fall := add(one, cos(mul(pi(), ratio(t-w, int64(a.Total)-w))))
		return add(low, mul(sub(lr, low), mul(half, fall)))
	case "step":
		return most(low, mul(lr, pow(of(a.Gamma), ofInt(int(t/int64(a.StepSize))))))
	case "exponential":
		return most(low, mul(lr, pow(of(a.Gamma), ofInt(int(t)))))
	}
	return lr
}

// most returns the larger number.
func most(x, y number) number {
	if less(x, y) {
		return y
	}
	return x
}

func learningRate(a attributes, in arrays) Step {
	t := in["t"].I64
	if slices.ContainsFunc(t, func(t int64) bool { return t < 0 }) {
		return fails("position")
	}
	return gives("lr", func(i int) number { return a.rate(t[i]) })
}

// groups of parameters that weight decay may spare: TRAIN-7.
var groups = map[string][]string{
	"biases":     {"bq", "bk", "bv", "bo", "b1", "b2"},
	"norms":      {"ln1_gamma", "ln1_beta", "ln2_gamma", "ln2_beta", "lnf_gamma", "lnf_beta"},
	"embeddings": {"wte", "wpe"},
}

func (a attributes) decayOf(name string) float64 {
	for _, g := range a.NoDecay {
		if slices.Contains(groups[g], name) {
			return 0
		}
	}
	return a.WeightDecay
}

// gptTrain: TRAIN. The gradient is that of the loss along a tape, as everywhere here.
func gptTrain(a attributes, consts arrays) kernel {
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
		forward := gptLoss(a, in)
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
