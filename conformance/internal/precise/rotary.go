package precise

type rotaryAttrs struct {
	Pairing   string  `json:"pairing"`
	RotaryDim int     `json:"rotary_dim"`
	Base      float64 `json:"base"`
}

var _ = register("rotary", func() rotaryAttrs { return rotaryAttrs{Pairing: "interleaved", Base: 10000} }, rotary)

// rotary multiplies each pair, as a complex number, by exp(i angle).
func rotary(a rotaryAttrs, in arrays) Step {
	x, pos := in["x"], in["pos"]
	heads, seq, d := x.dim(1), x.dim(2), x.dim(3)
	for _, p := range pos.I64 {
		if p < 0 {
			return fails("position")
		}
	}
	r := a.RotaryDim
	if r == 0 {
		r = d
	}
	return gives("y", func(i int) number {
		at, row := i%d, i-i%d
		if at >= r {
			return x.at(i)
		}
		pair, partner, imaginary := at/2, at^1, at%2 == 1
		if a.Pairing == "halves" {
			pair, partner, imaginary = at%(r/2), (at+r/2)%r, at >= r/2
		}
		item := i / (heads * seq * d)
		if pos.dim(0) == 1 {
			item = 0
		}
		angle := quo(ofInt(int(pos.I64[item*seq+i/d%seq])), pow(of(a.Base), ratio(int64(2*pair), int64(r))))
		c, s := mul(x.at(i), cos(angle)), mul(x.at(row+partner), sin(angle))
		if imaginary {
			return add(c, s)
		}
		return sub(c, s)
	})
}
