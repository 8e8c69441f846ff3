package optimized

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

var _ = register("init", withEngine(newInit))

// initial is the op init, and the task of it: weights from draws, in float64 and rounded once (SPEC.md INIT).
type initial struct {
	team  *team
	attrs op.InitAttrs
	sigma float64
	draws []int64
	w     []float32
}

func newInit(e *engine, a op.InitArgs) *initial { return &initial{team: e.team, attrs: a.InitAttrs} }

func (k *initial) Run(a op.InitArgs) error {
	for i, d := range a.Draws.I64 {
		if err := draw32("init", i, d); err != nil {
			return err
		}
	}
	k.sigma = deviation(k.attrs, a.W.Shape[0], a.W.Shape[1])
	k.draws, k.w = a.Draws.I64, a.W.F32
	k.team.run(len(k.w), 2*costExp, k)
	k.draws, k.w = nil, nil
	return nil
}

// deviation returns the standard deviation of weights [in, out].
func deviation(a op.InitAttrs, in, out int) float64 {
	variance := a.Std * a.Std
	switch fan := float64(in); a.Scheme {
	case "xavier_uniform", "xavier_normal":
		variance = 2 / float64(in+out)
	case "kaiming_uniform", "kaiming_normal":
		if a.Mode == "fan_out" {
			fan = float64(out)
		}
		variance = 2 / ((1 + a.A*a.A) * fan)
	}
	return a.Gain * math.Sqrt(variance/float64(max(1, 2*a.Layers)))
}

func (k *initial) do(_, lo, hi int) {
	if !k.attrs.Normal() {
		limit := math.Sqrt(3) * k.sigma
		for i := lo; i < hi; i++ {
			k.w[i] = float32(limit * (float64(k.draws[i]>>8)*0x1p-23 - 1))
		}
		return
	}
	for i := lo; i < hi; i++ {
		u1, u2 := float64(k.draws[2*i]>>8+1)*0x1p-24, float64(k.draws[2*i+1]>>8)*0x1p-24
		k.w[i] = float32(k.sigma * math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2))
	}
}
