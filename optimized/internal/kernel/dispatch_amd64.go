//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

func machine() []Kernel {
	var ks []Kernel
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		ks = append(ks, Kernel{Name: "avx2", MR: 6, NR: 16, Fused: true, Tile: tileAVX2, Row: rowAVX2})
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ {
		ks = append(ks, Kernel{Name: "avx512", MR: 8, NR: 32, Fused: true, Tile: tileAVX512, Row: rowAVX512})
	}
	return ks
}
