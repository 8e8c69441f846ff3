package precise

// normalized is one row of LN: (x - mu) / sqrt(var + eps) gamma + beta. With var = mean(x^2) - mu^2 over one denominator,
// (n sum x^2 - (sum x)^2) / n^2, and x - mu = (n x - sum x) / n, a constant row has a variance of exactly 0.
func normalized(xs []number, gamma, beta *array, eps float64) []number {
	n := ofInt(len(xs))
	total := sum(xs...)
	variance := quo(sub(mul(n, dot(xs, xs)), square(total)), square(n))
	sigma := sqrt(add(variance, of(eps)))
	y := make([]number, len(xs))
	for i, x := range xs {
		d := quo(sub(mul(n, x), total), n)
		y[i] = add(mul(quo(d, sigma), gamma.at(i)), beta.at(i))
	}
	return y
}

type layerNormAttrs struct {
	Eps float64 `json:"eps"`
}

var _ = register("layernorm", func() layerNormAttrs { return layerNormAttrs{Eps: 1e-5} }, layerNorm)

func layerNorm(a layerNormAttrs, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(x.dim(-1), func(i int) []number { return normalized(x.row(i), in["gamma"], in["beta"], a.Eps) }))
}
