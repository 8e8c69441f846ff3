package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/reference"
)

func TestInitGauge(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const in, out = 30, 40
	draws := make([]int, 2*in*out)
	for i := range draws {
		draws[i] = int(rng.Uint32())
	}
	for _, c := range []reference.InitConfig{
		{Scheme: reference.XavierUniform, Gain: 1.7, Layers: 3}, {Scheme: reference.KaimingNormal, Gain: 1, A: 0.3}, {Scheme: reference.InitNormal, Gain: 1, Std: 0.02},
	} {
		n, normal := in*out, c.Scheme != reference.XavierUniform
		if normal {
			n *= 2
		}
		want, err := reference.Init(draws[:n], in, out, c)
		g, gaugeErr := Init(draws[:n], in, out, c)
		if err != nil || gaugeErr != nil {
			t.Fatal(err, gaugeErr)
		}
		got := make([]float64, in*out)
		for i := range got {
			if !normal { // from the ends of the interval
				limit := c.Gain * math.Sqrt(6/(float64(in+out)*2*float64(c.Layers)))
				u := float64(draws[i]>>8) * 0x1p-24
				got[i] = u*limit - (1-u)*limit
				continue
			}
			sigma := c.Std
			if c.Scheme == reference.KaimingNormal {
				sigma = math.Sqrt(2/(1+c.A*c.A)) / math.Sqrt(in)
			}
			u1, u2 := (float64(draws[2*i]>>8)+1)*0x1p-24, float64(draws[2*i+1]>>8)*0x1p-24
			got[i] = sigma * math.Sqrt(-2*math.Log(u1)) * math.Sin(math.Pi/2-2*math.Pi*u2)
		}
		if r := ratio64(got, want.Data, g); !(r < 1) {
			t.Errorf("%s: %.3g times the bound", c.Scheme, r)
		} else {
			t.Logf("%-16s %.2f times the bound", c.Scheme, r)
		}
	}
}
