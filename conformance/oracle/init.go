package oracle

import (
	"math"

	"github.com/assaykit/assay/reference"
)

// Init gauges initial weights, w = sqrt(3) sigma (2u - 1) or sigma r cos a, r = sqrt(-2 log u1), a = 2 pi u2:
//
//	uniform: Acc = 12 |w| + 3 sqrt(3) sigma                      the roots and products of sigma, and of w; from one end, -limit + 2u limit cancels
//	normal:  Acc = (12 + 2 eps) |w| + 2 sigma r a |sin a|        and those of r; the rounding of pi and of the angle
//	Eta = 1
func Init(draws []int, in, out int, c reference.InitConfig) (Gauges, error) {
	w, err := reference.Init(draws, in, out, c)
	if err != nil {
		return Gauges{}, err
	}
	g := newGauges(len(w.Data))
	for i, x := range w.Data {
		g.Acc[i], g.Eta[i] = 12*math.Abs(x), 1
		if len(draws) == 2*len(w.Data) {
			angle := 2 * math.Pi * float64(draws[2*i+1]>>8) * 0x1p-24
			radius := c.Deviation(in, out) * math.Abs(reference.BoxMuller(draws[2*i], 0))
			g.Acc[i] += 2*eps*math.Abs(x) + 2*radius*angle*math.Abs(math.Sin(angle))
		} else {
			g.Acc[i] += 3 * math.Sqrt(3) * c.Deviation(in, out)
		}
		g.Acc[i] *= double
	}
	return g, nil
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Init = func(draws []int, in, out int, c reference.InitConfig) (reference.Matrix, error) {
		w, err := reference.Init(draws, in, out, c)
		if err != nil {
			return w, err
		}
		return like(w, h.one(w.Data, func(Model) Gauges { return there(Init(draws, in, out, c)) })), nil
	}
})
