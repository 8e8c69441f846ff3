// Package kernel holds the innermost loops of the matrix product, behind one contract, so that a faster kernel for some machine replaces
// them without a change anywhere else.
package kernel

// Kernel multiplies packed panels. An A-panel holds MR rows, interleaved: element (i, k) is a[k*MR+i]. A B-panel holds NR columns:
// element (k, j) is b[k*NR+j]. kc is at least 1.
//
// Each element of the product is the sum over k in ascending order, begun with 0, and is added to what c holds. Tile and Row round alike,
// so a row's result does not depend on the rows that it is computed with. Every term takes part: 0 * Inf is NaN.
//
// So kernels differ in one thing that can be seen in results: whether each term is rounded before it is added, or is not (Fused). Assembly
// fuses. Generic does what the Go compiler does: on amd64 it rounds, unless GOAMD64 is v3; on arm64 it fuses.
type Kernel struct {
	Name   string
	MR, NR int  // NR divides 64, so that a page of a cache is a whole number of panels
	Fused  bool // of assembly: terms are added unrounded

	// Tile adds the product of an A-panel and a B-panel to a tile of C with MR rows, ldc elements apart, and NR columns:
	//
	//	c[i*ldc+j] += sum over k < kc of a[k*MR+i] * b[k*NR+j]
	Tile func(kc int, a, b, c []float32, ldc int)

	// Row does the same for one row of A, which is not interleaved:
	//
	//	c[j] += sum over k < kc of a[k] * b[k*NR+j]
	Row func(kc int, a, b, c []float32)
}
