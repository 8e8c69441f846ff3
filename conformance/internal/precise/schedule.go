package precise

import (
	"slices"
)

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

func learningRate(a attributes, in arrays) Step {
	t := in["t"].I64
	if slices.ContainsFunc(t, func(t int64) bool { return t < 0 }) {
		return fails("position")
	}
	return gives("lr", func(i int) number { return a.rate(t[i]) })
}
