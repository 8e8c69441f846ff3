package optimized

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized/internal/kernel"
)

// WithKernel makes tests compute with a kernel of their choice.
func WithKernel(k kernel.Kernel) Option { return func(c *config) { c.kern = k } }

// Registered returns the adapter that each name was registered with.
func Registered() map[string]op.Implementation {
	adapters := map[string]op.Implementation{}
	for name, adapter := range registered {
		adapters[name] = adapter(newConfig(nil))
	}
	return adapters
}

// Fields returns a model's parameters in table order.
var Fields = fields
