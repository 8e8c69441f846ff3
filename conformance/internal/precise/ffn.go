package precise

type ffnAttrs struct {
	Activation string `json:"activation"`
}

func ffnDefaults() ffnAttrs { return ffnAttrs{Activation: "gelu"} }

// fed is one row of FFN-1.
func fed(x []number, in arrays, a ffnAttrs) []number {
	hidden := affine(x, in["w1"], in["b1"])
	for i, h := range hidden {
		hidden[i] = activations[a.Activation](h)
	}
	return affine(hidden, in["w2"], in["b2"])
}

var _ = register("ffn", ffnDefaults, feedForward)

func feedForward(a ffnAttrs, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(in["w2"].dim(1), func(i int) []number { return fed(x.row(i), in, a) }))
}
