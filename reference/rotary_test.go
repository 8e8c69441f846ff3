package reference

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRotary(t *testing.T) {
	// Two pairs turn by pos and pos/100. sin 1, cos 1, sin 0.01 and cos 0.01 from tables.
	const s1, c1, s2, c2 = 0.8414709848078965, 0.5403023058681398, 0.0099998333341666647, 0.99995000041666528
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		name   string
		config RotaryConfig
		pos    int
		x      []float64
		want   []float64
		units  float64
	}{
		{"interleaved", RotaryConfig{PairInterleaved, 4, 10000}, 1, []float64{1, 0, 0, 1}, []float64{c1, s1, -s2, c2}, 4},
		{"halves", RotaryConfig{PairHalves, 4, 10000}, 1, []float64{1, 0, 0, 1}, []float64{c1, -s2, s1, c2}, 4},
		{"position 0", RotaryConfig{PairInterleaved, 4, 10000}, 0, []float64{1, 2, 3, -4}, []float64{1, 2, 3, -4}, 0},
		{"the first two of four", RotaryConfig{PairHalves, 2, 10000}, 1, []float64{0, 2, 7, -9}, []float64{-2 * s1, 2 * c1, 7, -9}, 4},
		{"the exponent is of the rotated features", RotaryConfig{PairInterleaved, 4, 10000}, 100, []float64{0, 0, 1, 0, 5}, []float64{0, 0, c1, s1, 5}, 4},
		{"base", RotaryConfig{PairInterleaved, 4, 1}, 1, []float64{1, 0, 1, 0}, []float64{c1, s1, c1, s1}, 4},
		{"NaN", RotaryConfig{PairInterleaved, 4, 10000}, 1, []float64{1, 0, nan, 0}, []float64{c1, s1, nan, nan}, 4},
		{"Inf", RotaryConfig{PairHalves, 4, 10000}, 1, []float64{1, inf, 0, 0}, []float64{c1, inf, s1, inf}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			within(t, must(Rotary(rowsOf(tt.x), []int{tt.pos}, tt.config)).Data, tt.want, tt.units)
		})
	}
}

func TestRotaryErrors(t *testing.T) {
	x := NewMatrix(2, 6)
	for _, tt := range []struct {
		name   string
		pos    []int
		config RotaryConfig
		want   error
	}{
		{"none", []int{0, 1}, RotaryConfig{PairHalves, 0, 10000}, ErrConfig},
		{"odd", []int{0, 1}, RotaryConfig{PairHalves, 3, 10000}, ErrConfig},
		{"too many", []int{0, 1}, RotaryConfig{PairHalves, 8, 10000}, ErrConfig},
		{"base", []int{0, 1}, RotaryConfig{PairHalves, 4, 0.5}, ErrConfig},
		{"base NaN", []int{0, 1}, RotaryConfig{PairHalves, 4, math.NaN()}, ErrConfig},
		{"pairing", []int{0, 1}, RotaryConfig{"thirds", 4, 10000}, ErrConfig},
		{"negative position", []int{0, -1}, RotaryConfig{PairHalves, 4, 10000}, ErrPosition},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, f := range []func(Matrix, []int, RotaryConfig) (Matrix, error){Rotary, RotaryGrad} {
				if _, err := f(x, tt.pos, tt.config); !errors.Is(err, tt.want) {
					t.Errorf("got error %v, want %v", err, tt.want)
				}
			}
		})
	}
}

func rotaryOf(s source, pairing Pairing) RotaryConfig {
	return RotaryConfig{pairing, 2 + 2*s.IntN(3), 10}
}

// What rotary positions are for: the product of two rows depends on the difference of their positions. Lengths stay, and the gradient turns back.
func TestRotaryAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		c := rotaryOf(s, []Pairing{PairInterleaved, PairHalves}[s.IntN(2)])
		q, k := s.vector(8), s.vector(8)
		m, n, shift := s.IntN(100), s.IntN(100), s.IntN(100)
		turned := func(x []float64, pos int) []float64 { return must(Rotary(rowsOf(x), []int{pos}, c)).Data }
		product := func(a, b int) (dot, size float64) {
			for i, x := range turned(q, a) {
				y := turned(k, b)[i]
				dot += x * y
				size += math.Abs(x * y)
			}
			return dot, size
		}
		here, size := product(m, n)
		there, _ := product(m+shift, n+shift)
		if off := math.Abs(here - there); off > size*200*16*0x1p-52 { // angles up to 200, rounded to a few units of themselves
			t.Errorf("the product at (%d, %d) is %v, %d later %v", m, n, here, shift, there)
		}
		back := must(RotaryGrad(rowsOf(turned(q, m)), []int{m}, c)).Data
		longest := 0.0
		for _, x := range q {
			longest = max(longest, math.Abs(x))
		}
		for i := range back {
			if math.Abs(back[i]-q[i]) > 8*longest*0x1p-52 {
				t.Errorf("turned there and back, feature %d is %v, was %v", i, back[i], q[i])
			}
		}
		// Pairs are all that differs between the layouts.
		half := c.Dims / 2
		interleaved := make([]float64, 8)
		copy(interleaved, q)
		for i := range half {
			interleaved[2*i], interleaved[2*i+1] = q[i], q[i+half]
		}
		got := must(Rotary(rowsOf(interleaved), []int{m}, RotaryConfig{PairInterleaved, c.Dims, c.Base})).Data
		want := must(Rotary(rowsOf(q), []int{m}, RotaryConfig{PairHalves, c.Dims, c.Base})).Data
		for i := range half {
			sameBits(t, got[2*i:2*i+2], []float64{want[i], want[i+half]})
		}
	})
}

// A complex number times exp(i angle), as RoFormer and LLaMA's own code have it.
func TestRotaryIsComplexMultiplication(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		x, pos := s.vector(6), s.IntN(50)
		y := must(Rotary(rowsOf(x), []int{pos}, RotaryConfig{PairInterleaved, 6, 10000})).Data
		for i := range 3 {
			sin, cos := math.Sincos(float64(pos) * math.Pow(10000, -float64(i)/3))
			z := complex(x[2*i], x[2*i+1]) * complex(cos, sin)
			size := math.Hypot(x[2*i], x[2*i+1])
			if math.Hypot(real(z)-y[2*i], imag(z)-y[2*i+1]) > size*50*20*0x1p-52 {
				t.Errorf("pair %d: got %v, want %v", i, y[2*i:2*i+2], z)
			}
		}
	})
}

var _ = derivative(func(s source) (all []differentiable) {
	for _, pairing := range []Pairing{PairInterleaved, PairHalves} {
		x, pos, c := s.matrix(3, 8), []int{0, 3, 11}, rotaryOf(s, pairing)
		all = append(all, differentiable{"Rotary " + string(pairing), [][]float64{x.Data}, func() []float64 { return must(Rotary(x, pos, c)).Data },
			func(dy []float64) [][]float64 { return [][]float64{must(RotaryGrad(Matrix{3, 8, dy}, pos, c)).Data} }})
	}
	return all
})
