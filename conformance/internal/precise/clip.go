package precise

// clipped returns the norm of the numbers, and what they are multiplied by: CLIP-1.
func clipped(gs []number, maxNorm, eps float64) (norm, factor number) {
	norm = sqrt(dot(gs, gs))
	factor = one
	if limit := add(norm, of(eps)); !norm.isNaN() && less(of(maxNorm), limit) {
		factor = quo(of(maxNorm), limit)
	}
	return norm, factor
}

type clipNormAttrs struct {
	MaxNorm float64 `json:"max_norm"`
	Eps     float64 `json:"eps"`
}

var _ = register("clip_norm", func() clipNormAttrs { return clipNormAttrs{Eps: 1e-6} }, clipNorm)

func clipNorm(a clipNormAttrs, in arrays) Step {
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

type clipValueAttrs struct {
	Limit float64 `json:"limit"`
}

var _ = register("clip_value", func() clipValueAttrs { return clipValueAttrs{} }, clipValue)

func clipValue(a clipValueAttrs, in arrays) Step {
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
