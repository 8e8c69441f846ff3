package op

// LinearArgs: Y = X W + b, SPEC.md LIN.
type LinearArgs struct {
	LinearInputs
	Y Tensor `dst:"y" shape:"... out"`
}

// LinearInputs are what linear and its gradient take.
type LinearInputs struct {
	W Tensor `const:"w" shape:"in out"`
	B Tensor `const:"b,optional" shape:"out"`
	X Tensor `src:"x" shape:"... in"`
}

func (LinearArgs) Op() string { return "linear" }

var _ = add(LinearArgs{}, LinearGradArgs{}, Row{Family: "linear", Group: "products, rows, lookups"})

// Linear adapts f.
func Linear(f func(LinearArgs) error) Implementation { return Func(f) }

// LinearGradArgs: the gradients of LinearArgs.
type LinearGradArgs struct {
	LinearInputs
	DY Tensor `src:"dy" shape:"... out"`
	DW Tensor `dst:"dw" shape:"in out"`
	DB Tensor `dst:"db,of=b" shape:"out"`
	DX Tensor `dst:"dx" shape:"... in"`
}

func (LinearGradArgs) Op() string { return "linear.grad" }

// LinearGrad adapts f.
func LinearGrad(f func(LinearGradArgs) error) Implementation { return Func(f) }
