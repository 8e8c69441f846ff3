package op

// MatMulArgs: C = A B over the last two axes, SPEC.md MM.
type MatMulArgs struct {
	MatMulInputs
	C Tensor `dst:"c" shape:"... M N"`
}

// MatMulInputs are what matmul and its gradient take.
type MatMulInputs struct {
	MatMulAttrs
	A Tensor `src:"a" shape:"... M K"`
	B Tensor `src:"b" shape:"... K N"`
}

// MatMulAttrs: whether A is stored as [K, M] and B as [N, K].
type MatMulAttrs struct {
	TransposeA bool `json:"transpose_a,omitempty"`
	TransposeB bool `json:"transpose_b,omitempty"`
}

func (MatMulArgs) Op() string { return "matmul" }

var _ = add(MatMulArgs{}, MatMulGradArgs{}, Row{Family: "matmul", Group: "products, rows, lookups"})

func (a *MatMulAttrs) shapes() map[string]string {
	m := map[string]string{}
	if a.TransposeA {
		m["a"] = "... K M"
	}
	if a.TransposeB {
		m["b"] = "... N K"
	}
	return m
}

// MatMul adapts f.
func MatMul(f func(MatMulArgs) error) Implementation { return Func(f) }

// MatMulGradArgs: the gradients of MatMulArgs.
type MatMulGradArgs struct {
	MatMulInputs
	DC Tensor `src:"dc" shape:"... M N"`
	DA Tensor `dst:"da" shape:"... M K"`
	DB Tensor `dst:"db" shape:"... K N"`
}

func (MatMulGradArgs) Op() string { return "matmul.grad" }

func (a *MatMulGradArgs) shapes() map[string]string {
	m := a.MatMulAttrs.shapes()
	for _, name := range []string{"a", "b"} {
		if rule, ok := m[name]; ok {
			m["d"+name] = rule
		}
	}
	return m
}

// MatMulGrad adapts f.
func MatMulGrad(f func(MatMulGradArgs) error) Implementation { return Func(f) }
