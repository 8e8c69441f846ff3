package reference

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSiLU(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		z, want, slope float64
	}{
		// By mpmath at 30 digits.
		{0, 0, 0.5},
		{1, 0.731058578630004879251, 0.927670511871486731789},
		{-1, -0.268941421369995120749, 0.0723294881285132682114},
		{-2.5, -0.189645450053108877983, -0.0994011113415268411375},
		{-20, -4.12230723638040716286e-8, -3.91619186606467832916e-8},
		{-100, -3.72007597602083596296e-42, -3.68287521626062760333e-42},
		{30, 29.9999999999971927131, 1.00000000000271371066},
		{-800, 0, 0}, // exp(800) overflows
		{800, 800, 1},
		{math.MaxFloat64, math.MaxFloat64, 1},
		{-math.MaxFloat64, 0, 0},
		{inf, inf, nan},
		{-inf, nan, nan},
		{nan, nan, nan},
	} {
		within(t, []float64{SiLU(tt.z)}, []float64{tt.want}, 4)
		within(t, []float64{SiLUGrad(tt.z, 2)}, []float64{2 * tt.slope}, 32)
	}
}

func TestSiLUAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.Float64Range(-30, 30).Draw(t, "z")
		// s(z) + s(-z) = 1, so that silu(z) - silu(-z) = z, and the slopes add to 1.
		within(t, []float64{SiLU(z) - SiLU(-z)}, []float64{z}, 8)
		within(t, []float64{SiLUGrad(z, 1) + SiLUGrad(-z, 1)}, []float64{1}, 64)
		// The form by tanh, where it does not cancel.
		y := math.Abs(z)
		within(t, []float64{SiLU(y)}, []float64{y / 2 * (1 + math.Tanh(y/2))}, 8)
	})
}

func TestGate(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	a, c := rowsOf([]float64{0, 800, -800, inf, -inf, 0, nan}), rowsOf([]float64{3, -2, 5, 2, 2, nan, 1})
	dh := rowsOf([]float64{4, 0.5, 1, 1, 1, 1, 0})
	sameBits(t, Gate(a, c).Data, []float64{0, -1600, 0, inf, nan, nan, nan})
	da, dc := GateGrad(a, c, dh)
	sameBits(t, da.Data, []float64{6, -1, 0, nan, nan, nan, nan})
	sameBits(t, dc.Data, []float64{0, 400, 0, inf, nan, 0, nan})
}

func TestSwiGLU(t *testing.T) {
	// (silu(x + 1) * (2x - 3)) * 5 + 7, and a hidden element with the gate 0.
	w := SwiGLUWeights{W1: rowsOf([]float64{1, 0}), W3: rowsOf([]float64{2, 9}), W2: rowsOf([]float64{5}, []float64{4}),
		B1: []float64{1, 0}, B3: []float64{-3, 9}, B2: []float64{7}}
	x := rowsOf([]float64{4}, []float64{-1}, []float64{0})
	within(t, Exact.SwiGLU(x, w).Data, []float64{5*SiLU(5)*5 + 7, 7, -15*SiLU(1) + 7}, 4)
	for _, tt := range []struct {
		name   string
		absent *[]float64
		want   float64 // of the first row
	}{
		{"b1", &w.B1, 5*SiLU(4)*5 + 7},
		{"b3", &w.B3, 8*SiLU(4)*5 + 7},
		{"b2", &w.B2, 8 * SiLU(4) * 5},
	} {
		*tt.absent = nil
		t.Run("without "+tt.name, func(t *testing.T) { within(t, Exact.SwiGLU(rowRange(x, 0, 1), w).Data, []float64{tt.want}, 4) })
	}
}

var _ = derivative(func(s source) (all []differentiable) {
	for _, biased := range []bool{true, false} {
		x, w := s.matrix(3, 4), SwiGLUWeights{W1: s.matrix(4, 5), W3: s.matrix(4, 5), W2: s.matrix(5, 4), B3: s.vector(5)}
		name := "SwiGLU of one bias"
		if biased {
			w.B1, w.B2, name = s.vector(5), s.vector(4), "SwiGLU"
		}
		all = append(all, differentiable{name, append(w.Parameters(), x.Data), func() []float64 { return Exact.SwiGLU(x, w).Data },
			func(dy []float64) [][]float64 {
				dx, dw := Exact.SwiGLUGrad(x, w, Matrix{3, 4, dy})
				return append(dw.Parameters(), dx.Data)
			}})
	}
	a, c := s.matrix(2, 6), s.matrix(2, 6)
	return append(all, differentiable{"Gate", [][]float64{a.Data, c.Data}, func() []float64 { return Gate(a, c).Data },
		func(dh []float64) [][]float64 {
			da, dc := GateGrad(a, c, Matrix{2, 6, dh})
			return [][]float64{da.Data, dc.Data}
		}})
})

// Every function that SwiGLU is built from counts: replacing one changes the result, and the gradients.
func TestSwiGLUUsesPrimitives(t *testing.T) {
	s := newSource(21)
	x, dy := s.matrix(2, 3), s.matrix(2, 3)
	w := SwiGLUWeights{W1: s.matrix(3, 4), W3: s.matrix(3, 4), W2: s.matrix(4, 3)}
	results := func(p Primitives) []float64 {
		dx, dw := p.SwiGLUGrad(x, w, dy)
		return slices.Concat(p.SwiGLU(x, w).Data, dx.Data, dw.W1.Data, dw.W3.Data, dw.W2.Data)
	}
	double := func(m Matrix) Matrix { return ScaleBy(m, 2) }
	want := results(Exact)
	for name, replace := range map[string]func(p *Primitives){
		"Linear": func(p *Primitives) {
			p.Linear = func(x, w Matrix, b []float64) Matrix { return double(Linear(x, w, b)) }
		},
		"Gate": func(p *Primitives) { p.Gate = func(a, c Matrix) Matrix { return double(Gate(a, c)) } },
		"GateGrad": func(p *Primitives) {
			p.GateGrad = func(a, c, dh Matrix) (da, dc Matrix) { return GateGrad(a, c, double(dh)) }
		},
		"LinearGrad": func(p *Primitives) {
			p.LinearGrad = func(x, w Matrix, b []float64, dy Matrix) (dx, dw Matrix, db []float64) {
				return LinearGrad(x, w, b, double(dy))
			}
		},
		"Add": func(p *Primitives) { p.Add = func(a, b Matrix) Matrix { return Add(a, double(b)) } },
	} {
		p := Exact
		replace(&p)
		if slices.Equal(results(p), want) {
			t.Errorf("replacing %s changes nothing", name)
		}
	}
}
