package kernel

// Best returns the fastest kernel for this machine: Generic, until there is assembly. The build tag noasm is reserved for leaving that out.
func Best() Kernel { return Generic() }
