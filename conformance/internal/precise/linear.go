package precise

// affine is one row of LIN: x W + b, b nil where it is absent.
func affine(x []number, w, b *array) []number {
	y := make([]number, w.dim(1))
	for j := range y {
		y[j] = affineAt(x, w, b, j)
	}
	return y
}

func affineAt(x []number, w, b *array, j int) number {
	y := dot(x, w.column(j))
	if b != nil {
		y = add(y, b.at(j))
	}
	return y
}

var _ = register("linear", none, linear)

func linear(_ noAttrs, in arrays) Step {
	x, w, b := in["x"], in["w"], in["b"]
	n := w.dim(1)
	return gives("y", func(at int) number { return affineAt(x.row(at/n), w, b, at%n) })
}
