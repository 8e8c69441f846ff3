package optimized

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized/internal/kernel"
)

// engine is what the parts of one opened kernel compute with. They run one after another, and so share scratch memory too.
type engine struct {
	team *team
	kern kernel.Kernel
	gemm *gemm
	attn *attention

	tape tape         // of the block that runs now
	grad *gradScratch // nil where there are no gradients
}

func newEngine(c config) *engine {
	t := newTeam(c.workers)
	return &engine{team: t, kern: c.kern, gemm: newGEMM(t, c.kern), attn: newAttention(t, c.kern)}
}

// gradScratch is what the gradients of one kernel compute with. They run one after another, and so share it.
//
// Gradients of parameters are added to what is there, so that those of several batches, or of several uses of a weight, add up; those of
// a layer's argument are overwritten.
type gradScratch struct {
	attn  *attentionGrad
	norm  layerNormGrad
	right packed // the right-hand side of the product that runs now

	qkv, mixed, hidden []float32 // inside a layer
	inner, half        []float32 // inside a block
	in, out            []float32 // of a block
}

// newGradEngine returns an engine whose layers have gradients.
func newGradEngine(c config) *engine {
	e := newEngine(c)
	e.grad = &gradScratch{attn: newAttentionGrad(e.team, e.kern), norm: layerNormGrad{team: e.team}}
	return e
}

// withEngine is the adapter of an op whose kernels are opened with an engine each.
func withEngine[A op.Args, R op.Runner[A]](open func(*engine, A) R) func(config) op.Implementation {
	return func(c config) op.Implementation {
		return op.Open(func(a A) (op.Runner[A], error) { return open(newEngine(c), a), nil })
	}
}

// withGradients is withEngine where the engine's layers have gradients.
func withGradients[A op.Args, R op.Runner[A]](open func(*engine, A) R) func(config) op.Implementation {
	return func(c config) op.Implementation {
		return op.Open(func(a A) (op.Runner[A], error) { return open(newGradEngine(c), a), nil })
	}
}

// withoutEngine is the adapter of an op whose kernels compute on one goroutine.
func withoutEngine(adapter op.Implementation) func(config) op.Implementation {
	return func(config) op.Implementation { return adapter }
}

// runner is a kernel that is no more than a function.
type runner[A op.Args] func(A) error

func (f runner[A]) Run(a A) error { return f(a) }

// zero clears what gradients are added to.
func zero(ts ...op.Tensor) {
	for _, t := range ts {
		clear(t.F32)
	}
}
