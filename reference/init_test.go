package reference

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/assaykit/assay/corpus/philox"
)

// philoxDraws returns n draws of 32 bits.
func philoxDraws(seed uint64, n int) []int {
	filled := make([]int64, n)
	philox.Fill(filled, seed, 0)
	draws := make([]int, n)
	for i, d := range filled {
		draws[i] = int(d)
	}
	return draws
}

func TestInitEnds(t *testing.T) {
	limit := math.Sqrt(6.0 / 5)
	w := must(Init([]int{0, 255, 1 << 31, 1<<32 - 1, 3 << 30, 1<<31 - 256}, 2, 3, InitConfig{Scheme: XavierUniform, Gain: 1}))
	within(t, w.Data, []float64{-limit, -limit, 0, limit * (1 - 0x1p-23), limit / 2, -limit * 0x1p-23}, 4)
	// The smallest first draw is 5.77 deviations away; the largest is no deviation at all.
	w = must(Init([]int{0, 0, 0, 1 << 31, 1<<32 - 1, 77, 1<<31 - 256, 0}, 2, 2, InitConfig{Scheme: InitNormal, Gain: 1, Std: 2}))
	tail := 2 * math.Sqrt(2*24*math.Ln2)
	within(t, w.Data, []float64{tail, -tail, 0, 2 * math.Sqrt(2*math.Ln2)}, 8)
	for _, d := range []int{-1, 1 << 32} {
		if _, err := Init([]int{1, d}, 1, 2, InitConfig{Scheme: XavierUniform, Gain: 1}); !errors.Is(err, ErrIndex) {
			t.Errorf("draw %d: got error %v, want ErrIndex", d, err)
		}
	}
}

// Uniform weights lie in their limits as they are usually printed, whatever the draws.
func TestInitLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out := rapid.IntRange(1, 9).Draw(t, "in"), rapid.IntRange(1, 9).Draw(t, "out")
		gain, slope := rapid.Float64Range(0.1, 3).Draw(t, "gain"), rapid.Float64Range(0, 2).Draw(t, "a")
		layers := rapid.IntRange(0, 96).Draw(t, "layers")
		draws := rapid.SliceOfN(rapid.IntRange(0, math.MaxUint32), in*out, in*out).Draw(t, "draws")
		shrink := math.Sqrt(float64(max(1, 2*layers)))
		for c, limit := range map[InitConfig]float64{
			{Scheme: XavierUniform, Gain: gain, Layers: layers}:                          gain * math.Sqrt(6/float64(in+out)) / shrink,
			{Scheme: KaimingUniform, Gain: gain, A: slope, Layers: layers}:               gain * math.Sqrt(6/((1+slope*slope)*float64(in))) / shrink,
			{Scheme: KaimingUniform, Gain: gain, A: slope, Layers: layers, FanOut: true}: gain * math.Sqrt(6/((1+slope*slope)*float64(out))) / shrink,
		} {
			for i, w := range must(Init(draws, in, out, c)).Data {
				if want := limit * (2*math.Floor(float64(draws[i])/256)/(1<<24) - 1); math.Abs(w-want) > 1e-14*limit || math.Abs(w) > limit*(1+1e-15) {
					t.Fatalf("%+v [%d %d]: draw %d gives %v, want %v within %v", c, in, out, draws[i], w, want, limit)
				}
			}
		}
	})
}

// falseAlarm is the probability with which each test of TestInitDistribution would reject draws that are random. (The seed is fixed, so
// it is the share of seeds that would be rejected.)
const falseAlarm = 1e-4

// kolmogorov returns the probability that the Kolmogorov-Smirnov statistic of n numbers exceeds d: the asymptotic series of Kolmogorov 1933.
func kolmogorov(n int, d float64) float64 {
	p, sign := 0.0, 1.0
	for k := 1.0; k <= 100; k++ {
		p += 2 * sign * math.Exp(-2*k*k*float64(n)*d*d)
		sign = -sign
	}
	return min(1, p)
}

// distance returns the Kolmogorov-Smirnov statistic of x against a distribution.
func distance(x []float64, cdf func(float64) float64) float64 {
	x = slices.Sorted(slices.Values(x))
	d := 0.0
	for i, v := range x {
		p, n := cdf(v), float64(len(x))
		d = max(d, p-float64(i)/n, float64(i+1)/n-p)
	}
	return d
}

// rejected says which tests find that x does not come from the distribution: Kolmogorov and Smirnov's of its shape, chi-square tests of
// 64 equally probable cells and, where sigma is not 0, of the variance of normal numbers; and of the correlation of neighbours.
func rejected(x []float64, cdf func(float64) float64, sigma float64) (reasons []string) {
	n := len(x)
	reject := func(what string, p float64) {
		if p < falseAlarm {
			reasons = append(reasons, fmt.Sprintf("%s: p = %.2g", what, p))
		}
	}
	reject("Kolmogorov-Smirnov", kolmogorov(n, distance(x, cdf)))
	const cells = 64
	counted, expected := make([]float64, cells), make([]float64, cells)
	for _, v := range x {
		counted[min(cells-1, int(cells*cdf(v)))]++
	}
	for i := range expected {
		expected[i] = float64(n) / cells
	}
	reject("cells", distuv.ChiSquared{K: cells - 1}.Survival(stat.ChiSquare(counted, expected)))
	if sigma != 0 {
		sum := 0.0
		for _, v := range x {
			sum += v * v / (sigma * sigma)
		}
		p := distuv.ChiSquared{K: float64(n)}.CDF(sum)
		reject("variance", 2*min(p, 1-p))
	}
	reject("neighbours", 2*distuv.UnitNormal.Survival(math.Abs(stat.Correlation(x[1:], x[:n-1], nil))*math.Sqrt(float64(n-1))))
	return reasons
}

// The weights have the distributions of SPEC.md, and the tests that say so find one that is a little off.
func TestInitDistribution(t *testing.T) {
	const in, out = 160, 250
	draws := philoxDraws(20260101, 2*in*out)
	judge := func(c InitConfig, spoil func(i int, w float64) float64) []string {
		sigma, n := c.Deviation(in, out), in*out
		normal := strings.HasSuffix(string(c.Scheme), "normal")
		cdf, spread := distuv.Uniform{Min: -math.Sqrt(3) * sigma, Max: math.Sqrt(3) * sigma}.CDF, 0.0
		if normal {
			cdf, spread, n = distuv.Normal{Sigma: sigma}.CDF, sigma, 2*n
		}
		x := must(Init(draws[:n], in, out, c)).Data
		for i := range x {
			x[i] = spoil(i, x[i])
		}
		return rejected(x, cdf, spread)
	}
	good := func(_ int, w float64) float64 { return w }
	xavier, kaiming := InitConfig{Scheme: XavierUniform, Gain: 1}, InitConfig{Scheme: KaimingNormal, Gain: 1}
	for _, c := range []InitConfig{
		xavier, kaiming, {Scheme: KaimingUniform, Gain: 1, A: 0.5}, {Scheme: XavierNormal, Gain: 1, FanOut: true},
		{Scheme: InitNormal, Gain: 1, Std: 0.02, Layers: 12},
	} {
		if reasons := judge(c, good); reasons != nil {
			t.Errorf("%s: %v", c.Scheme, reasons)
		}
	}
	previous := 0.0
	for name, planted := range map[string]struct {
		c     InitConfig
		spoil func(i int, w float64) float64
	}{
		"uniform, 2 % too wide":  {xavier, func(_ int, w float64) float64 { return 1.02 * w }},
		"uniform, never near 0":  {xavier, func(_ int, w float64) float64 { return w + math.Copysign(0.02, w)*(1-math.Abs(w)) }},
		"normal, 3 % too narrow": {kaiming, func(_ int, w float64) float64 { return 0.97 * w }},
		"normal, cut at two deviations": {kaiming, func(_ int, w float64) float64 {
			return max(-2*kaiming.Deviation(in, out), min(w, 2*kaiming.Deviation(in, out)))
		}},
		"normal, never negative": {kaiming, func(_ int, w float64) float64 { return math.Abs(w) }},
		"normal, every second weight drawn twice": {kaiming, func(i int, w float64) float64 {
			if i%2 == 0 {
				previous = w
			}
			return previous
		}},
	} {
		if judge(planted.c, planted.spoil) == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

// The limits and deviations that torch.nn.init (PyTorch 2.15) draws with for weights of models, from 50,257 tokens to four times a width of
// 768. testdata/torch has draws by all schemes, for small weights.
func TestDeviationsOfModels(t *testing.T) {
	for _, tt := range []struct {
		in, out                     int
		xavier, tanh, slope5, slope float64 // xavier_uniform_, xavier_normal_ of gain 5/3, kaiming_uniform_ of a = sqrt 5, and of 0.2 over fan_out
		kaiming                     float64 // kaiming_normal_ of ReLU over fan_out
	}{
		{36, 54, 0.2581988897471611, 0.24845199749997665, 0.16666666666666663, 0.32686022523030667, 0.19245008972987526},
		{64, 16, 0.27386127875258304, 0.26352313834736496, 0.12499999999999999, 0.6004805767690767, 0.3535533905932738},
		{768, 768, 0.06249999999999999, 0.060140653040586016, 0.03608439182435161, 0.08667190566019205, 0.051031036307982884},
		{768, 3072, 0.039528470752104736, 0.03803628871563654, 0.03608439182435161, 0.043335952830096024, 0.025515518153991442},
		{8, 50257, 0.010925536738712043, 0.010513102628560906, 0.3535533905932737, 0.010714222850407493, 0.0063083636055563},
	} {
		limit := math.Sqrt(3)
		got := []float64{
			limit * InitConfig{Scheme: XavierUniform, Gain: 1}.Deviation(tt.in, tt.out),
			InitConfig{Scheme: XavierNormal, Gain: 5. / 3}.Deviation(tt.in, tt.out),
			limit * InitConfig{Scheme: KaimingUniform, Gain: 1, A: math.Sqrt(5)}.Deviation(tt.in, tt.out),
			limit * InitConfig{Scheme: KaimingUniform, Gain: 1, A: 0.2, FanOut: true}.Deviation(tt.in, tt.out),
			InitConfig{Scheme: KaimingNormal, Gain: 1, FanOut: true}.Deviation(tt.in, tt.out),
		}
		for i, want := range []float64{tt.xavier, tt.tanh, tt.slope5, tt.slope, tt.kaiming} {
			within(t, got[i:i+1], []float64{want}, 16)
		}
	}
}
