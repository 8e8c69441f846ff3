package op

// FFNArgs: the position-wise feed-forward network, SPEC.md FFN.
type FFNArgs struct {
	FFNInputs
	Y Tensor `dst:"y" shape:"... d"`
}

// FFNInputs are what ffn and its gradient take.
type FFNInputs struct {
	FFNAttrs
	W1 Tensor `const:"w1" shape:"d F"`
	B1 Tensor `const:"b1,optional" shape:"F"`
	W2 Tensor `const:"w2" shape:"F d"`
	B2 Tensor `const:"b2,optional" shape:"d"`
	X  Tensor `src:"x" shape:"... d"`
}

// FFNAttrs: Activation is relu, gelu (the default) or gelu_tanh.
type FFNAttrs struct {
	Activation string `json:"activation,omitempty"`
}

func (FFNArgs) Op() string { return "ffn" }

var _ = add(FFNArgs{}, FFNGradArgs{}, Row{Family: "ffn", Group: "layers, models", Composite: true})

func (a *FFNAttrs) defaults() { a.Activation = "gelu" }

func (a *FFNAttrs) validate() error { return activation(a.Activation) }

// FFN adapts f.
func FFN(f func(FFNArgs) error) Implementation { return Func(f) }

// FFNGradArgs: the gradients of FFNArgs.
type FFNGradArgs struct {
	FFNInputs
	DY  Tensor `src:"dy" shape:"... d"`
	DW1 Tensor `dst:"dw1" shape:"d F"`
	DB1 Tensor `dst:"db1,of=b1" shape:"F"`
	DW2 Tensor `dst:"dw2" shape:"F d"`
	DB2 Tensor `dst:"db2,of=b2" shape:"d"`
	DX  Tensor `dst:"dx" shape:"... d"`
}

func (FFNGradArgs) Op() string { return "ffn.grad" }

// FFNGrad adapts f.
func FFNGrad(f func(FFNGradArgs) error) Implementation { return Func(f) }

func activation(a string) error { return oneOf("activation", a, "relu", "gelu", "gelu_tanh") }
