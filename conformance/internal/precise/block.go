package precise

type blockAttrs struct {
	mhaAttrs
	ffnAttrs
	Norm string  `json:"norm"`
	Eps  float64 `json:"eps"`
}

func blockDefaults() blockAttrs { return blockAttrs{ffnAttrs: ffnDefaults(), Norm: "pre", Eps: 1e-5} }

func plus(x, y []number) []number {
	z := make([]number, len(x))
	for i := range z {
		z[i] = add(x[i], y[i])
	}
	return z
}

// before and after are the places of the two normalizations of a block: of what a layer reads, pre-norm, or of the sum that it ends with,
// post-norm: BLK-1, BLK-2.
func before(x []number, in arrays, a blockAttrs, norm string) []number {
	if a.Norm == "post" {
		return x
	}
	return normalized(x, in[norm+"_gamma"], in[norm+"_beta"], a.Eps)
}

func after(x []number, in arrays, a blockAttrs, norm string) []number {
	if a.Norm == "pre" {
		return x
	}
	return normalized(x, in[norm+"_gamma"], in[norm+"_beta"], a.Eps)
}

// completed is what a block makes of a row and its attention.
func completed(x, attention []number, in arrays, a blockAttrs) []number {
	mid := after(plus(x, attention), in, a, "ln1")
	return after(plus(mid, fed(before(mid, in, a, "ln2"), in, a.ffnAttrs)), in, a, "ln2")
}

var _ = register("block", blockDefaults, block)

func block(a blockAttrs, in arrays) Step {
	return gives("y", byBatch(in["x"], func(rows [][]number, batch int) [][]number {
		read := make([][]number, len(rows))
		for i, x := range rows {
			read[i] = before(x, in, a, "ln1")
		}
		out := mixed(read, in, a.mhaAttrs, batch)
		for i, x := range rows {
			out[i] = completed(x, out[i], in, a)
		}
		return out
	}))
}
