package op

// LayerNormArgs: layer normalization over the last axis, SPEC.md LN.
type LayerNormArgs struct {
	LayerNormInputs
	Y Tensor `dst:"y" shape:"... d"`
}

// LayerNormInputs are what layernorm and its gradient take.
type LayerNormInputs struct {
	LayerNormAttrs
	Gamma Tensor `const:"gamma" shape:"d"`
	Beta  Tensor `const:"beta" shape:"d"`
	X     Tensor `src:"x" shape:"... d"`
}

// LayerNormAttrs: Eps is added to the variance inside the root; 1e-5 by default.
type LayerNormAttrs struct {
	Eps float64 `json:"eps"`
}

func (LayerNormArgs) Op() string { return "layernorm" }

var _ = add(LayerNormArgs{}, LayerNormGradArgs{}, Row{Family: "layernorm", Group: "products, rows, lookups"})

func (a *LayerNormAttrs) defaults() { a.Eps = 1e-5 }

func (a *LayerNormAttrs) validate() error { return nonNegative("eps", a.Eps) }

// LayerNorm adapts f.
func LayerNorm(f func(LayerNormArgs) error) Implementation { return Func(f) }

// LayerNormGradArgs: the gradients of LayerNormArgs. Beta has no effect on them.
type LayerNormGradArgs struct {
	LayerNormInputs
	DY     Tensor `src:"dy" shape:"... d"`
	DGamma Tensor `dst:"dgamma" shape:"d"`
	DBeta  Tensor `dst:"dbeta" shape:"d"`
	DX     Tensor `dst:"dx" shape:"... d"`
}

func (LayerNormGradArgs) Op() string { return "layernorm.grad" }

// LayerNormGrad adapts f.
func LayerNormGrad(f func(LayerNormGradArgs) error) Implementation { return Func(f) }
