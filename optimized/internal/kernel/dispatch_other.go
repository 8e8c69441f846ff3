//go:build !amd64 || noasm

package kernel

func machine() []Kernel { return nil }
