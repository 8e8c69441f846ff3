package precise

type matmulAttrs struct {
	TransposeA bool `json:"transpose_a"`
	TransposeB bool `json:"transpose_b"`
}

var _ = register("matmul", func() matmulAttrs { return matmulAttrs{} }, matmul)

// matmul: MM-1, MM-2.
func matmul(a matmulAttrs, in arrays) Step {
	x, y := in["a"], in["b"]
	rows, inner, cols := x.dim(-2), x.dim(-1), y.dim(-1)
	if a.TransposeA {
		rows, inner = inner, rows
	}
	if a.TransposeB {
		cols = y.dim(-2)
	}
	return gives("c", func(at int) number {
		batch, i, j := at/(rows*cols), at/cols%rows, at%cols
		left := x.strip((batch*rows+i)*inner, 1, inner)
		if a.TransposeA {
			left = x.strip(batch*rows*inner+i, rows, inner)
		}
		right := y.strip(batch*inner*cols+j, cols, inner)
		if a.TransposeB {
			right = y.strip((batch*cols+j)*inner, 1, inner)
		}
		return dot(left, right)
	})
}
