package op

// CrossEntropyArgs: the loss of logits against target classes, SPEC.md XE. Loss is [N] under reduction none, a scalar otherwise.
type CrossEntropyArgs struct {
	CrossEntropyInputs
	Loss Tensor `dst:"loss" shape:"N"`
}

// CrossEntropyInputs are what cross_entropy and its gradient take.
type CrossEntropyInputs struct {
	CrossEntropyAttrs
	Logits  Tensor `src:"logits" shape:"N V"`
	Targets Tensor `src:"targets" type:"i64" shape:"N"`
}

// CrossEntropyAttrs: rows whose target is IgnoreIndex (-100 by default) do not count; Reduction is none, mean (the default) or sum.
type CrossEntropyAttrs struct {
	IgnoreIndex int    `json:"ignore_index"`
	Reduction   string `json:"reduction"`
}

func (CrossEntropyArgs) Op() string { return "cross_entropy" }

var _ = add(CrossEntropyArgs{}, CrossEntropyGradArgs{}, Row{Family: "loss", Group: "products, rows, lookups"})

func (a *CrossEntropyAttrs) defaults() { *a = CrossEntropyAttrs{IgnoreIndex: -100, Reduction: "mean"} }

func (a *CrossEntropyAttrs) validate() error {
	return oneOf("reduction", a.Reduction, "none", "mean", "sum")
}

func (a *CrossEntropyAttrs) shapes() map[string]string {
	if a.Reduction != "none" {
		return map[string]string{"loss": ""}
	}
	return nil
}

// CrossEntropy adapts f.
func CrossEntropy(f func(CrossEntropyArgs) error) Implementation { return Func(f) }

// CrossEntropyGradArgs: the gradient of CrossEntropyArgs. DLoss is [N] under reduction none, a scalar otherwise.
type CrossEntropyGradArgs struct {
	CrossEntropyInputs
	DLoss   Tensor `src:"dloss" shape:"N"`
	DLogits Tensor `dst:"dlogits" shape:"N V"`
}

func (CrossEntropyGradArgs) Op() string { return "cross_entropy.grad" }

func (a *CrossEntropyGradArgs) shapes() map[string]string {
	return a.CrossEntropyAttrs.upstreamShapes()
}

// upstreamShapes are the shapes of the loss, for its gradient.
func (a *CrossEntropyAttrs) upstreamShapes() map[string]string {
	if rule, ok := a.shapes()["loss"]; ok {
		return map[string]string{"dloss": rule}
	}
	return nil
}

// CrossEntropyGrad adapts f.
func CrossEntropyGrad(f func(CrossEntropyGradArgs) error) Implementation { return Func(f) }
