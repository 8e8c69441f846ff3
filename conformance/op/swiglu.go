package op

// SwiGLUArgs: the feed-forward network with a hidden layer that SiLU gates, SPEC.md SGL.
type SwiGLUArgs struct {
	SwiGLUInputs
	Y Tensor `dst:"y" shape:"... d"`
}

// SwiGLUInputs are what swiglu and its gradient take: W1 and B1 make the gate, W3 and B3 what it multiplies.
type SwiGLUInputs struct {
	W1 Tensor `const:"w1" shape:"d F"`
	B1 Tensor `const:"b1,optional" shape:"F"`
	W3 Tensor `const:"w3" shape:"d F"`
	B3 Tensor `const:"b3,optional" shape:"F"`
	W2 Tensor `const:"w2" shape:"F d"`
	B2 Tensor `const:"b2,optional" shape:"d"`
	X  Tensor `src:"x" shape:"... d"`
}

func (SwiGLUArgs) Op() string { return "swiglu" }

var _ = add(SwiGLUArgs{}, SwiGLUGradArgs{}, Row{Family: "swiglu", Group: "llama", Composite: true})

// SwiGLU adapts f.
func SwiGLU(f func(SwiGLUArgs) error) Implementation { return Func(f) }

// SwiGLUGradArgs: the gradients of SwiGLUArgs.
type SwiGLUGradArgs struct {
	SwiGLUInputs
	DY  Tensor `src:"dy" shape:"... d"`
	DW1 Tensor `dst:"dw1" shape:"d F"`
	DB1 Tensor `dst:"db1,of=b1" shape:"F"`
	DW3 Tensor `dst:"dw3" shape:"d F"`
	DB3 Tensor `dst:"db3,of=b3" shape:"F"`
	DW2 Tensor `dst:"dw2" shape:"F d"`
	DB2 Tensor `dst:"db2,of=b2" shape:"d"`
	DX  Tensor `dst:"dx" shape:"... d"`
}

func (SwiGLUGradArgs) Op() string { return "swiglu.grad" }

// SwiGLUGrad adapts f.
func SwiGLUGrad(f func(SwiGLUGradArgs) error) Implementation { return Func(f) }
