// Package philox is a counter-based random generator: what it draws is a function of a key and a counter, and there is no other state.
package philox

import "math/bits"

// Block returns the four numbers of Philox4x32-10 at a counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
func Block(key uint64, counter [2]uint64) [4]uint32 {
	k0, k1 := uint32(key), uint32(key>>32)
	c := [4]uint32{uint32(counter[0]), uint32(counter[0] >> 32), uint32(counter[1]), uint32(counter[1] >> 32)}
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, c[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ k0, lo1, hi0 ^ c[3] ^ k1, lo0}
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return c
}

// Fill fills dst with the numbers at counters {0, stream}, {1, stream}, …, as integers that hold a u32.
func Fill(dst []int64, key, stream uint64) {
	for i := 0; i < len(dst); i += 4 {
		for j, u := range Block(key, [2]uint64{uint64(i / 4), stream}) {
			if i+j < len(dst) {
				dst[i+j] = int64(u)
			}
		}
	}
}

// Below returns a number in [0, n), n > 0, of which each is as likely as the others to within n 2^-64.
func Below(n, key uint64, counter [2]uint64) uint64 {
	b := Block(key, counter)
	hi, _ := bits.Mul64(uint64(b[1])<<32|uint64(b[0]), n)
	return hi
}
