package main

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// draw makes an input from a source of random bits. Float inputs are numbers of float32.
type draw func(*source) vector.Input

// source is a generator of random numbers that are the same on every platform: dyadic fractions, no library functions.
type source struct{ *rand.Rand }

func newSource(name string) *source {
	return &source{rand.New(rand.NewPCG(seed(name), 0))}
}

// sqrt3 is the inverse of the deviation of a sum of four uniform numbers on [0, 1). Eight digits make it a number that rounds the same
// way everywhere.
const sqrt3 = 1.7320508

// normal returns a number with mean 0, deviation 1 and a nearly normal distribution: a centred sum of four uniform ones.
func (s *source) normal() float64 {
	sum := 0.0
	for range 4 {
		sum += float64(s.Uint32()>>8) * 0x1p-24
	}
	return (sum - 2) * sqrt3
}

// uniform returns a number in [lo, hi).
func (s *source) uniform(lo, hi float64) float64 {
	return lo + float64((hi-lo)*float64(s.Uint32()>>8)*0x1p-24)
}

func seed(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func stored(t op.Tensor) vector.Input {
	return vector.Input{DType: t.DType, Type: t.DType.String(), Shape: t.Shape, Data: t}
}

// each draws a float tensor element by element.
func each(f func(s *source, i int) float64, shape ...int) draw {
	return func(s *source) vector.Input {
		t := op.New(op.F32, shape...)
		for i := range t.F32 {
			t.F32[i] = float32(f(s, i))
		}
		return stored(t)
	}
}

// normal draws numbers with mean 0 and the given deviation.
func normal(deviation float64, shape ...int) draw { return around(0, deviation, shape...) }

// around draws numbers with the given mean and deviation.
func around(mean, deviation float64, shape ...int) draw {
	return each(func(s *source, _ int) float64 { return mean + float64(deviation*s.normal()) }, shape...)
}

// uniform draws numbers in [lo, hi).
func uniform(lo, hi float64, shape ...int) draw {
	return each(func(s *source, _ int) float64 { return s.uniform(lo, hi) }, shape...)
}

// whole draws integers from lo to hi.
func whole(lo, hi int, shape ...int) draw {
	return each(func(s *source, _ int) float64 { return float64(lo + s.IntN(hi-lo+1)) }, shape...)
}

// all gives every element one value.
func all(value float64, shape ...int) draw {
	return each(func(*source, int) float64 { return value }, shape...)
}

// floats gives the elements these values.
func floats(values []float64, shape ...int) draw {
	return each(func(_ *source, i int) float64 { return values[i] }, shape...)
}

// set replaces the elements at the given positions.
func (d draw) set(value float64, at ...int) draw {
	return func(s *source) vector.Input {
		in := d(s)
		for _, i := range at {
			in.Data.F32[i] = float32(value)
		}
		return in
	}
}

// mapped replaces every element x at position i by f(i, x).
func (d draw) mapped(f func(i int, x float64) float64) draw {
	return func(s *source) vector.Input {
		in := d(s)
		for i, x := range in.Data.F32 {
			in.Data.F32[i] = float32(f(i, float64(x)))
		}
		return in
	}
}

// named draws from a source of that name, so that several cases have the same input.
func (d draw) named(name string) draw {
	return func(*source) vector.Input { return d(newSource(name)) }
}

// bools gives the elements these values.
func bools(f func(i int) bool, shape ...int) draw {
	return func(*source) vector.Input {
		t := op.New(op.Bool, shape...)
		for i := range t.Bool {
			t.Bool[i] = f(i)
		}
		return stored(t)
	}
}

// ids gives a list of integers.
func ids(values ...int64) draw { return idsOf(values, len(values)) }

// idsOf gives integers a shape; a scalar's is empty.
func idsOf(values []int64, shape ...int) draw {
	return func(*source) vector.Input { return stored(op.Int64(values, shape...)) }
}

// scalar gives one integer without dimensions.
func scalar(v int64) draw { return idsOf([]int64{v}) }

// tokens draws ids below vocab.
func tokens(vocab int, shape ...int) draw {
	return func(s *source) vector.Input {
		t := op.New(op.I64, shape...)
		for i := range t.I64 {
			t.I64[i] = int64(s.IntN(vocab))
		}
		return stored(t)
	}
}

// recipe is an input that is not stored: see vector.Recipe.
func recipe(kind string, scale, offset float64, shape ...int) draw {
	return func(s *source) vector.Input {
		r := &vector.Recipe{Kind: kind, Seed: s.Uint64() >> 11, Scale: float32(scale), Offset: float32(offset)} // JSON numbers hold 53 bits
		return vector.Input{DType: op.F32, Type: op.F32.String(), Shape: shape, Recipe: r}
	}
}

// sum4 is a recipe of nearly normal numbers with the given deviation.
func sum4(deviation float64, shape ...int) draw {
	return recipe("sum4", deviation*sqrt3, 0, shape...)
}

var inf, nan = math.Inf(1), math.NaN()

// number gives one float without dimensions.
func number(x float64) draw { return floats([]float64{x}) }

// bits draws numbers of 32 bits.
func bits(shape ...int) draw {
	return func(s *source) vector.Input {
		t := op.New(op.I64, shape...)
		for i := range t.I64 {
			t.I64[i] = int64(s.Uint32())
		}
		return stored(t)
	}
}

// shaped gives integers another shape.
func (d draw) shaped(shape ...int) draw {
	return func(s *source) vector.Input {
		in := d(s)
		in.Shape, in.Data.Shape = shape, shape
		return in
	}
}

// sequence returns f(0) to f(n-1).
func sequence(n int, f func(i int) int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}
