package op

// SoftmaxArgs: softmax over the last axis, SPEC.md SM.
type SoftmaxArgs struct {
	X Tensor `src:"x" shape:"... n"`
	Y Tensor `dst:"y" shape:"... n"`
}

func (SoftmaxArgs) Op() string { return "softmax" }

var _ = add(SoftmaxArgs{}, SoftmaxGradArgs{}, Row{Family: "softmax", Group: "products, rows, lookups"})

// Softmax adapts f.
func Softmax(f func(SoftmaxArgs) error) Implementation { return Func(f) }

// SoftmaxGradArgs: the gradient of SoftmaxArgs.
type SoftmaxGradArgs struct {
	X  Tensor `src:"x" shape:"... n"`
	DY Tensor `src:"dy" shape:"... n"`
	DX Tensor `dst:"dx" shape:"... n"`
}

func (SoftmaxGradArgs) Op() string { return "softmax.grad" }

// SoftmaxGrad adapts f.
func SoftmaxGrad(f func(SoftmaxGradArgs) error) Implementation { return Func(f) }

// LogSoftmaxArgs: the logarithm of softmax over the last axis, SPEC.md SM.
type LogSoftmaxArgs struct {
	X Tensor `src:"x" shape:"... n"`
	Y Tensor `dst:"y" shape:"... n"`
}

func (LogSoftmaxArgs) Op() string { return "log_softmax" }

var _ = add(LogSoftmaxArgs{}, LogSoftmaxGradArgs{}, Row{Family: "softmax", Group: "products, rows, lookups"})

// LogSoftmax adapts f.
func LogSoftmax(f func(LogSoftmaxArgs) error) Implementation { return Func(f) }

// LogSoftmaxGradArgs: the gradient of LogSoftmaxArgs.
type LogSoftmaxGradArgs struct {
	X  Tensor `src:"x" shape:"... n"`
	DY Tensor `src:"dy" shape:"... n"`
	DX Tensor `dst:"dx" shape:"... n"`
}

func (LogSoftmaxGradArgs) Op() string { return "log_softmax.grad" }

// LogSoftmaxGrad adapts f.
func LogSoftmaxGrad(f func(LogSoftmaxGradArgs) error) Implementation { return Func(f) }
