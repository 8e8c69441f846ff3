package precise

var _ = register("swiglu", none, swiglu)

func swiglu(_ noAttrs, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(in["w2"].dim(1), func(i int) []number { return gated(x.row(i), in) }))
}

// gated is one row of SGL-1.
func gated(x []number, in arrays) []number {
	hidden, value := affine(x, in["w1"], in["b1"]), affine(x, in["w3"], in["b3"])
	for i, z := range hidden {
		hidden[i] = mul(silu(z), value[i])
	}
	return affine(hidden, in["w2"], in["b2"])
}

// silu: SGL-2. exp never sees a positive argument, so that far from 0 neither it nor its slope is infinite: SGL-5, SGL-9.
func silu(z number) number {
	if !z.isNaN() && z.sign() < 0 {
		e := exp(z)
		return mul(z, quo(e, add(one, e)))
	}
	return mul(z, quo(one, add(one, exp(neg(z)))))
}
