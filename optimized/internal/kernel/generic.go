package kernel

// Generic returns the kernel in plain Go.
//
// Its shape is the largest whose accumulators, operands and products fit the 16 floating-point registers of amd64: with 3x4 or 4x4 the
// compiler spills an accumulator, and the loop then waits for its way through memory. The loop conditions are what the bounds checks
// would test.
func Generic() Kernel { return Kernel{Name: "generic", MR: 2, NR: 4, Tile: tile2x4, Row: row1x4} }

func tile2x4(kc int, a, b, c []float32, ldc int) {
	a, b = a[:2*kc], b[:4*kc]
	var c00, c01, c02, c03 float32
	var c10, c11, c12, c13 float32
	for i, j := 0, 0; i+1 < len(a) && j+3 < len(b); i, j = i+2, j+4 {
		b0, b1, b2, b3 := b[j], b[j+1], b[j+2], b[j+3]
		a0 := a[i]
		c00 += a0 * b0
		c01 += a0 * b1
		c02 += a0 * b2
		c03 += a0 * b3
		a1 := a[i+1]
		c10 += a1 * b0
		c11 += a1 * b1
		c12 += a1 * b2
		c13 += a1 * b3
	}
	r := (*[4]float32)(c)
	r[0] += c00
	r[1] += c01
	r[2] += c02
	r[3] += c03
	r = (*[4]float32)(c[ldc:])
	r[0] += c10
	r[1] += c11
	r[2] += c12
	r[3] += c13
}

func row1x4(kc int, a, b, c []float32) {
	a, b = a[:kc], b[:4*kc]
	var c0, c1, c2, c3 float32
	for i, j := 0, 0; i < len(a) && j+3 < len(b); i, j = i+1, j+4 {
		a0 := a[i]
		c0 += a0 * b[j]
		c1 += a0 * b[j+1]
		c2 += a0 * b[j+2]
		c3 += a0 * b[j+3]
	}
	r := (*[4]float32)(c)
	r[0] += c0
	r[1] += c1
	r[2] += c2
	r[3] += c3
}
