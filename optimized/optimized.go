// Package optimized is the fast implementation of the op table: float32, in blocks that fit the caches, on all processors.
//
// Everything is built from a few parts: a packed, blocked matrix product (gemm.go, pack.go) around the micro-kernels of internal/kernel;
// attention in tiles with an online softmax (attention_tile.go) over keys and values that lie packed in pages (kvcache.go); an exponential
// (exp.go); and a team of goroutines (parallel.go). Layers, blocks and models (mha.go, ffn.go, swiglu.go, block.go, model.go) put them together.
// Weights are packed once, at Open, and scratch memory belongs to the opened kernel, so that a decoding step
// does not allocate but where the cache grows, which it does by doubling.
//
// Gradients go backward through the same parts: a forward pass leaves a tape (block.go), and the gradient, which stands below it in its
// file, reads that. A Trainer takes whole training steps.
//
// Results are the same bits for any number of workers, on one kind of machine: micro-kernels differ in how they round. Storage and
// accumulation are float32; where float64 costs nothing (statistics of rows, exponentials, angles) it is used, and rounded once.
package optimized

import (
	"fmt"
	"runtime"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized/internal/kernel"
)

// Option changes what New returns.
type Option func(*config)

type config struct {
	workers int
	kern    kernel.Kernel
}

// Workers sets how many goroutines one kernel may compute on; below 1, and without this option, runtime.GOMAXPROCS(0).
func Workers(n int) Option { return func(c *config) { c.workers = n } }

// New returns the implementation: every op of the table, for float tensors of F32. A tensor of F64 is an error that wraps op.ErrDType.
func New(opts ...Option) op.Implementation {
	c := newConfig(opts)
	var adapters []op.Implementation
	for _, name := range op.Names() {
		if adapter := registered[name]; adapter != nil {
			adapters = append(adapters, adapter(c))
		}
	}
	return float32Only{op.Set(adapters...)}
}

func newConfig(opts []Option) config {
	c := config{kern: kernel.Best()}
	for _, o := range opts {
		o(&c)
	}
	if c.workers < 1 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	return c
}

// registered has, for each op, what makes its adapter. The file of the op's family puts it there.
var registered = map[string]func(config) op.Implementation{}

// register is called to initialize a variable, which has no other use.
func register(name string, adapter func(config) op.Implementation) struct{} {
	if registered[name] != nil {
		panic("optimized: two files register the op " + name)
	}
	registered[name] = adapter
	return struct{}{}
}

// float32Only refuses tensors of F64.
type float32Only struct{ op.Implementation }

func (i float32Only) Offers(name string) bool { return op.Offers(i.Implementation, name) }

func (i float32Only) Open(spec op.Spec) (op.Kernel, error) {
	if err := refuseF64(spec.Op, "constant", spec.Const); err != nil {
		return nil, err
	}
	k, err := i.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return float32Kernel{k, spec.Op}, nil
}

// float32Kernel does not pass Close on: no kernel here holds anything that the garbage collector does not free.
type float32Kernel struct {
	op.Kernel
	name string
}

func (k float32Kernel) Run(dst, src []op.Tensor) error {
	if err := refuseF64(k.name, "source", src); err != nil {
		return err
	}
	if err := refuseF64(k.name, "destination", dst); err != nil {
		return err
	}
	return k.Kernel.Run(dst, src)
}

func refuseF64(name, role string, ts []op.Tensor) error {
	for i, t := range ts {
		if t.DType == op.F64 {
			return fmt.Errorf("%s: %w: %s tensor %d is F64: convert it to F32, in which this implementation computes", name, op.ErrDType, role, i)
		}
	}
	return nil
}
