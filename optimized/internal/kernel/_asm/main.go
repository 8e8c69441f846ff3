// Command asm writes the micro-kernels for amd64. From optimized/internal/kernel:
//
//	go generate
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// shape is that of a kernel: rows of A and vectors of B that are worked on together.
type shape struct {
	name     string
	rows     int // MR
	vectors  int // NR over the numbers in a vector
	width    int // bytes of a vector
	register func() reg.VecVirtual
}

func (s shape) nr() int { return s.vectors * s.width / 4 }

func main() {
	ConstraintExpr("amd64,!noasm")
	for _, s := range []shape{
		{"AVX2", 6, 2, 32, YMM},   // 12 sums, 2 vectors of B and one of A in 16 registers
		{"AVX512", 8, 2, 64, ZMM}, // 16 sums: two units with a latency of 4 are busy with 8
	} {
		s.tile()
		s.row()
	}
	Generate()
}

// tile writes Kernel.Tile.
func (s shape) tile() {
	TEXT("tile"+s.name, NOSPLIT, "func(kc int, a, b, c []float32, ldc int)")
	Pragma("noescape")
	Doc(
		fmt.Sprintf("tile%s is Kernel.Tile for MR = %d, NR = %d:", s.name, s.rows, s.nr()),
		"",
		fmt.Sprintf("\tvar sum [%d][%d]float32", s.rows, s.nr()),
		"\tfor k := range kc {",
		"\t\tfor i := range sum {",
		"\t\t\tfor j := range sum[i] {",
		fmt.Sprintf("\t\t\t\tsum[i][j] = FMA(a[k*%d+i], b[k*%d+j], sum[i][j])", s.rows, s.nr()),
		"\t\t\t}",
		"\t\t}",
		"\t}",
		"\tfor i := range sum {",
		"\t\tfor j := range sum[i] {",
		"\t\t\tc[i*ldc+j] += sum[i][j]",
		"\t\t}",
		"\t}",
	)
	sums := s.product(s.rows)
	c, ldc := Load(Param("c").Base(), GP64()), Load(Param("ldc"), GP64())
	SHLQ(Imm(2), ldc)
	for i := range sums {
		s.add(c, sums[i])
		if i < len(sums)-1 {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// row writes Kernel.Row.
func (s shape) row() {
	TEXT("row"+s.name, NOSPLIT, "func(kc int, a, b, c []float32)")
	Pragma("noescape")
	Doc(
		fmt.Sprintf("row%s is Kernel.Row for NR = %d:", s.name, s.nr()),
		"",
		fmt.Sprintf("\tvar sum [%d]float32", s.nr()),
		"\tfor k := range kc {",
		"\t\tfor j := range sum {",
		fmt.Sprintf("\t\t\tsum[j] = FMA(a[k], b[k*%d+j], sum[j])", s.nr()),
		"\t\t}",
		"\t}",
		"\tfor j := range sum {",
		"\t\tc[j] += sum[j]",
		"\t}",
	)
	sums := s.product(1)
	s.add(Load(Param("c").Base(), GP64()), sums[0])
	VZEROUPPER()
	RET()
}

// product writes the loop over k and returns the sums by row.
func (s shape) product(rows int) [][]reg.VecVirtual {
	kc, a, b := Load(Param("kc"), GP64()), Load(Param("a").Base(), GP64()), Load(Param("b").Base(), GP64())
	sums := make([][]reg.VecVirtual, rows)
	for i := range sums {
		for range s.vectors {
			sum := s.register()
			VXORPS(sum, sum, sum)
			sums[i] = append(sums[i], sum)
		}
	}
	Label("loop")
	var bs []reg.VecVirtual
	for v := range s.vectors {
		x := s.register()
		VMOVUPS(Mem{Base: b, Disp: v * s.width}, x)
		bs = append(bs, x)
	}
	for i := range sums {
		x := s.register()
		VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, x)
		for v := range sums[i] {
			VFMADD231PS(bs[v], x, sums[i][v])
		}
	}
	ADDQ(Imm(uint64(4*rows)), a)
	ADDQ(I32(int32(4*s.nr())), b)
	DECQ(kc)
	JNZ(LabelRef("loop"))
	return sums
}

// add writes c += sum for one row.
func (s shape) add(c reg.Register, sum []reg.VecVirtual) {
	for v, x := range sum {
		at := Mem{Base: c, Disp: v * s.width}
		VADDPS(at, x, x)
		VMOVUPS(x, at)
	}
}
