package vector

import (
	"fmt"
	"math/bits"

	"github.com/assaykit/assay/conformance/op"
)

// Recipe generates an input that is too large to store. Element i is a function of the seed and i alone, computed without rounding
// that could differ between languages: an integer of at most 24 bits, times 2^-k, times Scale, rounded once to float32, plus Offset, rounded once.
type Recipe struct {
	Kind   string  `json:"kind"` // "uniform" on [-1, 1) or "sum4", the centred sum of four uniforms on [0, 1): near normal, deviation 0.577
	Seed   uint64  `json:"seed"`
	Scale  float32 `json:"scale"`
	Offset float32 `json:"offset,omitempty"`
}

// Check reports whether the recipe can be generated.
func (r *Recipe) Check() error {
	if r.Kind != "uniform" && r.Kind != "sum4" {
		return fmt.Errorf("recipe kind %q: want uniform or sum4", r.Kind)
	}
	if !(r.Scale > 0) || r.Scale > 1e9 || r.Offset != r.Offset || r.Offset > 1e9 || r.Offset < -1e9 {
		return fmt.Errorf("recipe scale %v, offset %v: want a positive scale and both of at most 1e9", r.Scale, r.Offset)
	}
	return nil
}

// Generate returns the recipe's values for a tensor of the given shape.
func (r *Recipe) Generate(shape []int) []float32 {
	n, ok := op.Elements(shape)
	if !ok {
		return nil
	}
	out := make([]float32, n)
	key := [2]uint32{uint32(r.Seed), uint32(r.Seed >> 32)}
	if r.Kind == "uniform" {
		for i := 0; i < n; i += 4 {
			block := philox4x32([4]uint32{uint32(i / 4), uint32(uint64(i/4) >> 32), 0, 0}, key)
			for j, b := range block[:min(4, n-i)] {
				out[i+j] = r.value(int32(b>>8)-1<<23, 0x1p-23)
			}
		}
		return out
	}
	for i := range out { // one block an element: four draws of 16 bits
		var sum int32
		for _, b := range philox4x32([4]uint32{uint32(i), uint32(uint64(i) >> 32), 0, 1}, key) {
			sum += int32(b >> 16)
		}
		out[i] = r.value(sum-2*65535, 0x1p-16)
	}
	return out
}

// value turns a draw into an element. The conversion around the product keeps it from being fused with the sum, which would round once less.
func (r *Recipe) value(draw int32, unit float32) float32 {
	return float32(float32(draw)*unit*r.Scale) + r.Offset
}

// philox4x32 is the counter-based generator Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
func philox4x32(ctr [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, ctr[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, ctr[2])
		ctr = [4]uint32{hi1 ^ ctr[1] ^ key[0], lo1, hi0 ^ ctr[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return ctr
}
