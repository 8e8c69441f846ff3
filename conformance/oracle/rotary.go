package oracle

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// Rotary gauges a rotation of the pairs x_a, x_b by angles m, which SPEC.md wants in float64; y is the result.
//
//	Acc = 2 (|x_a cos m| + |x_b sin m|) + 2 (1 + log base) |m| 2^-29 (|x_a sin m| + |x_b cos m|)
//	In  = |x_a cos m| + |x_b sin m|
//	Eta = 1 + |x_a| + |x_b|
//
// for y_a, and with sin and cos exchanged for y_b: the roundings of cos m and sin m and of the two products; what two correct angles may
// differ by, as in Sinusoid; underflow of a product, and of a coefficient. The sum is the rounding of the result.
func Rotary(x reference.Matrix, pos []int, c reference.RotaryConfig) Gauges {
	g := newGauges(len(x.Data))
	for t, p := range pos {
		for i := range c.Dims / 2 {
			m := c.Angle(p, i)
			sin, cos := math.Sincos(m)
			a, b := c.Pair(i)
			xa, xb := math.Abs(x.At(t, a)), math.Abs(x.At(t, b))
			sin, cos, off := math.Abs(sin), math.Abs(cos), 2*(1+math.Log(c.Base))*m*0x1p-29
			a, b = t*x.Cols+a, t*x.Cols+b
			g.In[a], g.In[b] = xa*cos+xb*sin, xa*sin+xb*cos
			g.Acc[a], g.Acc[b] = 2*g.In[a]+off*g.In[b], 2*g.In[b]+off*g.In[a]
			g.Eta[a], g.Eta[b] = 1+xa+xb, 1+xa+xb
		}
	}
	return g
}

var _ = replace(func(f *reference.Primitives, h hook) {
	turn := func(f func(reference.Matrix, []int, reference.RotaryConfig) (reference.Matrix, error)) func(reference.Matrix, []int, reference.RotaryConfig) (reference.Matrix, error) {
		return func(x reference.Matrix, pos []int, c reference.RotaryConfig) (reference.Matrix, error) {
			y, err := f(x, pos, c)
			if err != nil {
				return y, err
			}
			return like(y, h.one(y.Data, func(Model) Gauges { return Rotary(x, pos, c) })), nil
		}
	}
	f.Rotary, f.RotaryGrad = turn(reference.Rotary), turn(reference.RotaryGrad)
})

var _, _ = cut("rotary", cutRotary), cut("rotary.grad", cutRotary)

// cutRotary keeps the rows in which something is wanted, each as an item of a batch with its position.
func cutRotary(u Use, wanted [][]int) ([]piece, error) {
	src := u.Steps[0].Src
	shape, pos := src[0].Shape, src[1]
	g := gridOf(wanted[0], shape[3])
	items := op.Tensor{DType: op.I64, Shape: []int{len(g.rows), 1}}
	for _, r := range g.rows {
		b, t := r/(shape[1]*shape[2]), r%shape[2]
		items.I64 = append(items.I64, pos.I64[b%pos.Shape[0]*shape[2]+t])
	}
	cut := make([]op.Tensor, len(src))
	for i, x := range src {
		if cut[i] = items; i != 1 {
			cut[i] = gather(x, g.rows, nil)
			cut[i].Shape = []int{len(g.rows), 1, 1, shape[3]}
		}
	}
	g.cols = upTo(shape[3])
	return []piece{{Once(u.Spec, cut), [][]int{g.at(wanted[0], shape[3])}}}, nil
}
