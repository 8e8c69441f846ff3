package kernel

// Best returns the fastest kernel for this machine; under the build tag noasm always Generic.
func Best() Kernel { return Generic() }
