package op

// ReLUArgs: max(x, 0), SPEC.md ACT.
type ReLUArgs struct {
	X Tensor `src:"x" shape:"..."`
	Y Tensor `dst:"y" shape:"..."`
}

func (ReLUArgs) Op() string { return "relu" }

var _ = add(ReLUArgs{}, ReLUGradArgs{}, Row{Family: "activation", Group: "products, rows, lookups"})

// ReLU adapts f.
func ReLU(f func(ReLUArgs) error) Implementation { return Func(f) }

// ReLUGradArgs: the gradient of ReLUArgs.
type ReLUGradArgs struct {
	X  Tensor `src:"x" shape:"..."`
	DY Tensor `src:"dy" shape:"..."`
	DX Tensor `dst:"dx" shape:"..."`
}

func (ReLUGradArgs) Op() string { return "relu.grad" }

// ReLUGrad adapts f.
func ReLUGrad(f func(ReLUGradArgs) error) Implementation { return Func(f) }

// GELUArgs: the Gaussian error linear unit, SPEC.md ACT.
type GELUArgs struct {
	GELUAttrs
	X Tensor `src:"x" shape:"..."`
	Y Tensor `dst:"y" shape:"..."`
}

// GELUAttrs: Approximate is "none" (the default) for the erf form or "tanh".
type GELUAttrs struct {
	Approximate string `json:"approximate,omitempty"`
}

func (GELUArgs) Op() string { return "gelu" }

var _ = add(GELUArgs{}, GELUGradArgs{}, Row{Family: "activation", Group: "products, rows, lookups"})

func (a *GELUAttrs) defaults() { a.Approximate = "none" }

func (a *GELUAttrs) validate() error { return oneOf("approximate", a.Approximate, "none", "tanh") }

// GELU adapts f.
func GELU(f func(GELUArgs) error) Implementation { return Func(f) }

// GELUGradArgs: the gradient of GELUArgs.
type GELUGradArgs struct {
	GELUAttrs
	X  Tensor `src:"x" shape:"..."`
	DY Tensor `src:"dy" shape:"..."`
	DX Tensor `dst:"dx" shape:"..."`
}

func (GELUGradArgs) Op() string { return "gelu.grad" }

// GELUGrad adapts f.
func GELUGrad(f func(GELUGradArgs) error) Implementation { return Func(f) }
