package precise

// momentAttrs are what adam and gpt.train have in common.
type momentAttrs struct {
	Beta1       float64 `json:"beta1"`
	Beta2       float64 `json:"beta2"`
	WeightDecay float64 `json:"weight_decay"`
	Decoupled   bool    `json:"decoupled"`
}

func momentDefaults() momentAttrs { return momentAttrs{Beta1: 0.9, Beta2: 0.999} }

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
func (a momentAttrs) adamAt(t int, lr number, eps float64) adamStep {
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

type adamAttrs struct {
	momentAttrs
	Eps  float64 `json:"eps"`
	Step int     `json:"step"`
}

var _ = registerStateful("adam", func() adamAttrs { return adamAttrs{momentAttrs: momentDefaults(), Eps: 1e-8} }, adam)

func adam(a adamAttrs, consts arrays) kernel {
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

type sgdAttrs struct {
	WeightDecay float64 `json:"weight_decay"`
	Momentum    float64 `json:"momentum"`
	Dampening   float64 `json:"dampening"`
	Nesterov    bool    `json:"nesterov"`
}

var _ = registerStateful("sgd", func() sgdAttrs { return sgdAttrs{} }, sgd)

// sgd: OPT-10 to OPT-13.
func sgd(a sgdAttrs, consts arrays) kernel {
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
