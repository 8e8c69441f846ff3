package precise

// rootMeanSquared is one row of RMS: x / sqrt(mean(x^2) + eps) gamma.
func rootMeanSquared(xs []number, gamma *array, eps float64) []number {
	r := sqrt(add(quo(dot(xs, xs), ofInt(len(xs))), of(eps)))
	y := make([]number, len(xs))
	for i, x := range xs {
		y[i] = mul(quo(x, r), gamma.at(i))
	}
	return y
}

var _ = register("rmsnorm", func() layerNormAttrs { return layerNormAttrs{Eps: 1e-5} }, rmsNorm)

func rmsNorm(a layerNormAttrs, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(x.dim(-1), func(i int) []number { return rootMeanSquared(x.row(i), in["gamma"], a.Eps) }))
}
