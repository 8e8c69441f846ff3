package precise

import (
	"slices"
)

type rateAttrs struct {
	Schedule     string  `json:"schedule"`
	LR           float64 `json:"lr"`
	MinLR        float64 `json:"min_lr"`
	Warmup       int     `json:"warmup"`
	WarmupStart  float64 `json:"warmup_start"`
	WarmupOffset int     `json:"warmup_offset"`
	Total        int     `json:"total"`
	Gamma        float64 `json:"gamma"`
	StepSize     int     `json:"step_size"`
}

func rateDefaults() rateAttrs { return rateAttrs{Schedule: "constant", LR: 1e-3} }

// rate is LR's at step t.
func (a rateAttrs) rate(t int64) number {
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

var _ = register("learning_rate", rateDefaults, learningRate)

func learningRate(a rateAttrs, in arrays) Step {
	t := in["t"].I64
	if slices.ContainsFunc(t, func(t int64) bool { return t < 0 }) {
		return fails("position")
	}
	return gives("lr", func(i int) number { return a.rate(t[i]) })
}
