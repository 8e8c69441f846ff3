package op

import (
	"fmt"
	"math"
)

// Format is a binary floating-point format that an implementation declares.
type Format string

// The formats that can be declared.
const (
	Float64Format  Format = "float64"
	Float32Format  Format = "float32"
	BFloat16Format Format = "bfloat16"
	Float16Format  Format = "float16"
)

// formats gives, for each format, the bits of its significand (the hidden one included) and the exponents of its smallest normal and
// largest finite power of two (IEEE 754-2019; bfloat16 is float32 with an 8-bit significand).
var formats = map[Format]struct{ precision, minExp, maxExp int }{
	Float64Format:  {53, -1022, 1023},
	Float32Format:  {24, -126, 127},
	BFloat16Format: {8, -126, 127},
	Float16Format:  {11, -14, 15},
}

// Valid returns an error that names the known formats if f is not one of them.
func (f Format) Valid() error {
	if _, ok := formats[f]; !ok {
		return fmt.Errorf("unknown format %q: want float64, float32, bfloat16 or float16", string(f))
	}
	return nil
}

// UnitRoundoff returns u = 2^-p, half the distance from 1 to the next number of the format.
func (f Format) UnitRoundoff() float64 { return math.Ldexp(1, -formats[f].precision) }

// SmallestNormal returns the smallest positive normal number of the format.
func (f Format) SmallestNormal() float64 { return math.Ldexp(1, formats[f].minExp) }

// Max returns the largest finite number of the format.
func (f Format) Max() float64 {
	p := formats[f]
	return math.Ldexp(2-math.Ldexp(1, 1-p.precision), p.maxExp)
}

// ULP returns the distance between the numbers of the format around x, that of the subnormals where x is smaller than a normal.
func (f Format) ULP(x float64) float64 {
	p := formats[f]
	_, e := math.Frexp(x) // |x| in [2^(e-1), 2^e)
	if x == 0 {
		e = p.minExp
	}
	return math.Ldexp(1, max(e-1, p.minExp)-p.precision+1)
}

// Round returns x rounded to the format, to nearest, ties to even, with gradual underflow.
func (f Format) Round(x float64) float64 {
	switch {
	case f == Float64Format || math.IsNaN(x) || math.IsInf(x, 0):
		return x
	case f == Float32Format:
		return float64(float32(x))
	}
	ulp := f.ULP(x)
	r := math.RoundToEven(x/ulp) * ulp
	if math.Abs(r) > f.Max() {
		return math.Inf(int(math.Copysign(1, x)))
	}
	return r
}

// Number returns the number that 16 bits of the format stand for (IEEE 754's binary16; the upper half of float32). The format has 16 bits.
func (f Format) Number(bits uint16) float64 {
	p := formats[f]
	n := p.precision - 1 // bits of the fraction
	sign, exponent, fraction := 1-2*float64(bits>>15), int(bits&0x7fff>>n), float64(bits&(1<<n-1))
	switch {
	case exponent > p.maxExp-p.minExp+1 && fraction != 0:
		return math.NaN()
	case exponent > p.maxExp-p.minExp+1:
		return sign * math.Inf(1)
	case exponent == 0:
		return sign * math.Ldexp(fraction, p.minExp-n)
	}
	return sign * math.Ldexp(math.Ldexp(1, n)+fraction, exponent-1+p.minExp-n)
}

// DType returns the element type in which tensors of a storage format cross the boundary: F64 for float64, F32 for every other, whose
// numbers are all numbers of float32.
func (f Format) DType() DType {
	if f == Float64Format {
		return F64
	}
	return F32
}

// Formats declares where an implementation rounds: Storage is the format of its results and stored intermediates, Accumulate that of
// its arithmetic inside an op. Tolerances follow from it.
type Formats struct {
	Storage    Format `json:"storage"`
	Accumulate Format `json:"accumulate"`
}

// Declarer is implemented by an Implementation whose formats are not float32 throughout.
type Declarer interface{ Formats() Formats }

// FormatsOf returns what the implementation declares, float32 for both where it declares nothing.
func FormatsOf(impl Implementation) Formats {
	if d, ok := impl.(Declarer); ok {
		return d.Formats()
	}
	return Formats{Storage: Float32Format, Accumulate: Float32Format}
}

// WithFormats returns the implementation with its formats declared.
func WithFormats(impl Implementation, f Formats) Implementation { return declared{impl, f} }

type declared struct {
	Implementation
	formats Formats
}

func (d declared) Formats() Formats        { return d.formats }
func (d declared) Offers(name string) bool { return Offers(d.Implementation, name) }
