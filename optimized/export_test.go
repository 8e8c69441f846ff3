package optimized

import "github.com/assaykit/assay/optimized/internal/kernel"

// WithKernel makes tests compute with a kernel of their choice.
func WithKernel(k kernel.Kernel) Option { return func(c *config) { c.kern = k } }
