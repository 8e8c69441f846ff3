package kernel

//go:generate go run -C _asm . -out ../kernel_amd64.s -stubs ../kernel_amd64.go -pkg kernel

// All returns the kernels that run on this machine, the fastest last.
func All() []Kernel { return append([]Kernel{Generic()}, machine()...) }

// Best returns the fastest kernel for this machine. The build tag noasm leaves out those in assembly.
func Best() Kernel {
	all := All()
	return all[len(all)-1]
}
