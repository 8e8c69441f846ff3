package op

// Gradients of the forward ops, SPEC.md GRAD: the sources of each are those of the forward op and the upstream gradient.
var gradientOps []Args
