package reference

import (
	"fmt"
	"math"
	"strings"
)

// InitScheme names a distribution of initial weights.
type InitScheme string

// The schemes.
const (
	XavierUniform  InitScheme = "xavier_uniform"
	XavierNormal   InitScheme = "xavier_normal"
	KaimingUniform InitScheme = "kaiming_uniform"
	KaimingNormal  InitScheme = "kaiming_normal"
	InitNormal     InitScheme = "normal"
)

// InitConfig describes how a weight [in, out] is initialized. FanOut and A belong to the Kaiming schemes, Std to InitNormal.
type InitConfig struct {
	Scheme InitScheme
	Gain   float64
	FanOut bool    // the fan is out, not in
	A      float64 // the negative slope of the activation that follows: 0 is ReLU
	Std    float64
	Layers int // L: divided by sqrt(2L), as GPT-2's residual projections are; 0: not
}

// Deviation returns the standard deviation of the weights of a matrix stored as [in, out]
//
//	sigma = gain base / sqrt(2L)
//	base  = sqrt(2 / (in + out))               Xavier (Glorot and Bengio 2010, equation 16)
//	        sqrt(2 / (1 + a^2)) / sqrt(fan)    Kaiming (He et al. 2015, equation 15), fan = in, or out with FanOut
//	        std                                normal
func (c InitConfig) Deviation(in, out int) float64 {
	base := c.Std
	switch c.Scheme {
	case XavierUniform, XavierNormal:
		base = math.Sqrt(2 / float64(in+out))
	case KaimingUniform, KaimingNormal:
		fan := in
		if c.FanOut {
			fan = out
		}
		base = math.Sqrt(2 / ((1 + float64(c.A*c.A)) * float64(fan)))
	default:
		require(c.Scheme == InitNormal, "Deviation: unknown scheme %q", string(c.Scheme))
	}
	if c.Layers > 0 {
		base /= math.Sqrt(2 * float64(c.Layers))
	}
	return c.Gain * base
}

// Init returns initial weights [in, out] from random draws, each a number of 32 bits whose upper 24 count
//
//	uniform: w = sqrt(3) sigma (2u - 1)                   draws [in, out], one a weight:     u in [0, 1)
//	normal:  w = sigma sqrt(-2 log u1) cos(2 pi u2)       draws [in, out, 2], two a weight:  u1 in (0, 1], u2 in [0, 1)
//
// with sigma = c.Deviation(in, out), so that uniform weights lie in [-sqrt(3) sigma, sqrt(3) sigma), and
// u = floor(draw / 2^8) 2^-24; u1 is one unit more, so that its logarithm is finite (Box and Muller 1958). A draw outside
// [0, 2^32) is an error that wraps ErrIndex.
func Init(draws []int, in, out int, c InitConfig) (Matrix, error) {
	normal := strings.HasSuffix(string(c.Scheme), "normal")
	each := 1
	if normal {
		each = 2
	}
	require(len(draws) == each*in*out, "Init: %d draws for %s weights [%d, %d]", len(draws), c.Scheme, in, out)
	for i, d := range draws {
		if d < 0 || int64(d) > math.MaxUint32 {
			return Matrix{}, fmt.Errorf("reference: Init: draws[%d] is %d, want a number of 32 bits: %w", i, d, ErrIndex)
		}
	}
	sigma := c.Deviation(in, out)
	w := NewMatrix(in, out)
	for i := range w.Data {
		if normal {
			w.Data[i] = sigma * BoxMuller(draws[2*i], draws[2*i+1])
		} else {
			w.Data[i] = math.Sqrt(3) * sigma * (float64(2*upper24(draws[i])) - 1)
		}
	}
	return w, nil
}

// BoxMuller returns a standard normal number from two numbers of 32 bits.
func BoxMuller(draw1, draw2 int) float64 {
	u1, u2 := upper24(draw1)+0x1p-24, upper24(draw2)
	return math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2)
}

// upper24 returns the upper 24 of 32 bits as a fraction in [0, 1).
func upper24(draw int) float64 { return float64(float64(draw>>8) * 0x1p-24) }
