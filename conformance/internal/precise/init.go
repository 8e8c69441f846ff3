package precise

import (
	"slices"
)

// uniform is the number in [0, 1) that a draw stands for: its upper 24 bits.
func uniform(draw int64) number { return ratio(draw/256, 1<<24) }

func validDraws(draws []int64) bool {
	return !slices.ContainsFunc(draws, func(d int64) bool { return d < 0 || d >= 1<<32 })
}

type initAttrs struct {
	Scheme string  `json:"scheme"`
	Gain   float64 `json:"gain"`
	Mode   string  `json:"mode"`
	A      float64 `json:"a"`
	Std    float64 `json:"std"`
	Layers int     `json:"layers"`
}

var _ = register("init", func() initAttrs { return initAttrs{Gain: 1, Mode: "fan_in", Std: 0.02} }, initialized)

// initialized: INIT.
func initialized(a initAttrs, in arrays) Step {
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
