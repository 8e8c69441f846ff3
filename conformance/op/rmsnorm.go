package op

// RMSNormArgs: root mean square normalization over the last axis, SPEC.md RMS.
type RMSNormArgs struct {
	RMSNormInputs
	Y Tensor `dst:"y" shape:"... d"`
}

// RMSNormInputs are what rmsnorm and its gradient take.
type RMSNormInputs struct {
	RMSNormAttrs
	Gamma Tensor `const:"gamma" shape:"d"`
	X     Tensor `src:"x" shape:"... d"`
}

// RMSNormAttrs: Eps is added to the mean square inside the root; 1e-5 by default.
type RMSNormAttrs struct {
	Eps float64 `json:"eps"`
}

func (RMSNormArgs) Op() string { return "rmsnorm" }

var _ = add(RMSNormArgs{}, RMSNormGradArgs{}, Row{Family: "rmsnorm", Group: "llama"})

func (a *RMSNormAttrs) defaults()       { a.Eps = 1e-5 }
func (a *RMSNormAttrs) validate() error { return nonNegative("eps", a.Eps) }

// RMSNorm adapts f.
func RMSNorm(f func(RMSNormArgs) error) Implementation { return Func(f) }

// RMSNormGradArgs: the gradients of RMSNormArgs.
type RMSNormGradArgs struct {
	RMSNormInputs
	DY     Tensor `src:"dy" shape:"... d"`
	DGamma Tensor `dst:"dgamma" shape:"d"`
	DX     Tensor `dst:"dx" shape:"... d"`
}

func (RMSNormGradArgs) Op() string { return "rmsnorm.grad" }

// RMSNormGrad adapts f.
func RMSNormGrad(f func(RMSNormGradArgs) error) Implementation { return Func(f) }
