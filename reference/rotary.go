package reference

import (
	"fmt"
	"math"
)

// RotaryConfig says which features rotary positions turn together, and how fast.
type RotaryConfig struct {
	Pairing Pairing
	Dims    int     // r, how many features are rotated, from the first: even, at most d
	Base    float64 // of the wavelengths, at least 1
}

// Pairing says which two features are turned together.
type Pairing string

// The pairings.
const (
	PairInterleaved Pairing = "interleaved" // 2i and 2i+1 (Su et al. 2021)
	PairHalves      Pairing = "halves"      // i and i + r/2
)

// Pair returns the features of pair i.
func (c RotaryConfig) Pair(i int) (first, second int) {
	if c.Pairing == PairHalves {
		return i, i + c.Dims/2
	}
	return 2 * i, 2*i + 1
}

// Rotary returns rotary position embeddings (Su et al. 2021, section 3.2.2): each pair of features a, b is turned by an angle that is
// proportional to the row's position,
//
//	y_t,a = x_t,a cos(m) - x_t,b sin(m)
//	y_t,b = x_t,a sin(m) + x_t,b cos(m)        m = pos_t / base^(2i/r)
//
// for the pairs 0 <= i < r/2; the features from r on are copied. x [T,d], pos [T] -> y [T,d]. So the product of two rows depends on
// the difference of their positions alone.
//
// A number of rotated features that is odd, below 2 or greater than d, a base below 1 and an unknown pairing are errors that wrap ErrConfig; a
// negative position is one that wraps ErrPosition. A NaN or an infinity reaches its pair and nothing else.
func Rotary(x Matrix, pos []int, c RotaryConfig) (Matrix, error) { return rotate(x, pos, c, 1) }

// RotaryGrad returns the gradient of Rotary from that of its result: the inverse rotation,
//
//	dx_t,a =  dy_t,a cos(m) + dy_t,b sin(m)
//	dx_t,b = -dy_t,a sin(m) + dy_t,b cos(m)
//
// dy [T,d] -> dx [T,d]. Errors and special cases are those of Rotary.
func RotaryGrad(dy Matrix, pos []int, c RotaryConfig) (Matrix, error) { return rotate(dy, pos, c, -1) }

// rotate turns by the angles of the positions, forwards (sign 1) or backwards (-1).
func rotate(x Matrix, pos []int, c RotaryConfig, sign float64) (Matrix, error) {
	require(len(pos) == x.Rows, "Rotary: %d positions, x has %d rows", len(pos), x.Rows)
	switch {
	case c.Dims < 2 || c.Dims%2 != 0 || c.Dims > x.Cols:
		return Matrix{}, fmt.Errorf("reference: Rotary: %d of %d features are rotated, use an even number of them: %w", c.Dims, x.Cols, ErrConfig)
	case !(c.Base >= 1):
		return Matrix{}, fmt.Errorf("reference: Rotary: base is %v, it must be at least 1: %w", c.Base, ErrConfig)
	case c.Pairing != PairInterleaved && c.Pairing != PairHalves:
		return Matrix{}, fmt.Errorf("reference: Rotary: pairing is %q, use interleaved or halves: %w", c.Pairing, ErrConfig)
	}
	y := NewMatrix(x.Rows, x.Cols)
	copy(y.Data, x.Data)
	for t, p := range pos {
		if p < 0 {
			return Matrix{}, fmt.Errorf("reference: Rotary: pos[%d] is %d: %w", t, p, ErrPosition)
		}
		in, out := x.Row(t), y.Row(t)
		for i := range c.Dims / 2 {
			sin, cos := math.Sincos(c.Angle(p, i))
			a, b := c.Pair(i)
			out[a] = float64(in[a]*cos) - float64(sign*in[b]*sin)
			out[b] = float64(sign*in[a]*sin) + float64(in[b]*cos)
		}
	}
	return y, nil
}

// Angle returns the angle of pair i at a position, pos / base^(2i/r). Its relative error is below 1e-14 for bases up to 10^12: the exponent is
// rounded before the power.
func (c RotaryConfig) Angle(pos, i int) float64 {
	return float64(pos) / math.Pow(c.Base, float64(2*i)/float64(c.Dims))
}
