package oracle

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// random returns a matrix of normal numbers that float32 can hold.
func random(rng *rand.Rand, mean, deviation float64, rows, cols int) reference.Matrix {
	m := reference.NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = float64(float32(mean + deviation*rng.NormFloat64()))
	}
	return m
}

// sample is one evaluation of an op: by the functions f, and its gauges.
type sample struct {
	name   string
	eval   func(f reference.Primitives) []float64
	gauges Gauges
}

// samples draws evaluations of every op that has a formula.
func samples(rng *rand.Rand) []sample {
	var all []sample
	add := func(name string, g Gauges, eval func(f reference.Primitives) []float64) {
		all = append(all, sample{name, eval, g})
	}
	for _, k := range []int{1, 2, 7, 64, 300, 2000} {
		a, b := random(rng, 0, 1, 3, k), random(rng, 0, 1, k, 4)
		add("matmul", Random.Linear(a, b, nil), func(f reference.Primitives) []float64 { return f.MatMul(a, b).Data })
		bias := random(rng, 0, 3, 1, 4).Data
		add("linear", Random.Linear(a, b, bias), func(f reference.Primitives) []float64 { return f.Linear(a, b, bias).Data })
		pos, neg := random(rng, 3, 1, 2, k), random(rng, 2, 0.1, k, 2)
		add("matmul, biased", Biased.Linear(pos, neg, nil), func(f reference.Primitives) []float64 { return f.MatMul(pos, neg).Data })
	}
	for _, n := range []int{2, 9, 65, 1000} {
		for _, spread := range []float64{0.1, 3, 30, 3000} {
			x := random(rng, 100, spread, 1, n).Data
			add("softmax", Random.Softmax(x), func(f reference.Primitives) []float64 { return f.Softmax(x) })
			add("log_softmax", Random.LogSoftmax(x), func(f reference.Primitives) []float64 { return f.LogSoftmax(x) })
			target := rng.IntN(n)
			add("cross_entropy", Random.CrossEntropy(x, target, nil), func(f reference.Primitives) []float64 {
				return []float64{f.CrossEntropy(x, target)}
			})
		}
		logits, targets := random(rng, 0, 3, 5, n), []int{0, -100, n - 1, n / 2, 0}
		for _, r := range []reference.Reduction{reference.ReduceNone, reference.ReduceMean, reference.ReduceSum} {
			add("loss", lossGauges(logits, targets, r), func(f reference.Primitives) []float64 { return must(lossOf(f, logits, targets, r)) })
		}
	}
	for _, d := range []int{2, 9, 64, 1000} {
		for _, mean := range []float64{0, 10, 3000} {
			x, gamma, beta := random(rng, mean, 2, 3, d), random(rng, 1, 0.3, 1, d).Data, random(rng, 0, 0.5, 1, d).Data
			add("layernorm", Random.LayerNorm(x, gamma, beta, 1e-5), func(f reference.Primitives) []float64 { return f.LayerNorm(x, gamma, beta, 1e-5).Data })
		}
	}
	for _, act := range []reference.Activation{reference.ActReLU, reference.ActGELU, reference.ActGELUTanh} {
		x := random(rng, 0, 2, 1, 500)
		add(string(act), Activate(act, x), func(f reference.Primitives) []float64 { return f.Activate(act, x).Data })
	}
	a, c := random(rng, 0, 4, 1, 500), random(rng, 0, 2, 1, 500)
	add("gate", Gate(a, c), func(f reference.Primitives) []float64 { return f.Gate(a, c).Data })
	for _, keys := range []int{1, 5, 33, 400} {
		for _, size := range []float64{0.3, 1.5, 8} {
			q, k, v := random(rng, 0, size, 4, 16), random(rng, 0, size, keys, 16), random(rng, 0.5, 1, keys, 5)
			mask := reference.Mask{Causal: true, Bias: random(rng, 0, 2, 4, keys).Data}
			add("attention", Random.Attention(q, k, v, 0.25, mask), func(f reference.Primitives) []float64 { return f.Attention(q, k, v, 0.25, mask).Data })
		}
	}
	pos := []int{0, 1, 2047, 100000}
	add("sinusoid", Sinusoid(pos, 64), func(f reference.Primitives) []float64 {
		y, err := f.Sinusoid(pos, 64)
		if err != nil {
			panic(err)
		}
		return y.Data
	})
	return append(all, gradientSamples(rng)...)
}

// lossOf is the op cross_entropy.
func lossOf(f reference.Primitives, logits reference.Matrix, targets []int, r reference.Reduction) ([]float64, error) {
	losses, err := f.CrossEntropyRows(logits, targets, -100)
	if err != nil {
		return nil, err
	}
	return f.Reduce(losses, targets, -100, r), nil
}

func lossGauges(logits reference.Matrix, targets []int, r reference.Reduction) Gauges {
	_, g, err := Random.Derive(func(f reference.Primitives, _ func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		loss, err := lossOf(f, logits, targets, r)
		return []op.Tensor{op.Float64(loss, len(loss))}, err
	})
	if err != nil {
		panic(err)
	}
	return g[0]
}

func must(x []float64, err error) []float64 {
	if err != nil {
		panic(err)
	}
	return x
}

// worst returns the largest ratio of error to bound of got, computed and stored in float32.
func worst(got, want []float64, g Gauges) float64 {
	const u = 0x1p-24
	largest := 0.0
	for i, w := range want {
		diff := math.Abs(float64(float32(got[i])) - w)
		if bound := 2*u*(g.Acc[i]+math.Abs(w)) + g.Eta[i]*0x1p-126; diff > 0 {
			largest = max(largest, diff/bound)
		}
	}
	return largest
}

// Correct float32 must stay inside the bounds, whatever the order of its sums; and not so far inside that the bounds mean nothing.
func TestCorrectFloat32IsInside(t *testing.T) {
	ratios := map[string]float64{}
	for _, order := range slices.Sorted(maps.Keys(summations)) {
		f := summations[order].float32s()
		for i, s := range samples(rand.New(rand.NewPCG(1, 2))) {
			r := worst(s.eval(f), s.eval(reference.Exact), s.gauges)
			if !(r < 1) {
				t.Errorf("%s (sample %d), summed %s: error %.3g times the bound", s.name, i, order, r)
			}
			ratios[s.name] = max(ratios[s.name], r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ratios)) {
		t.Logf("%-15s %.3f", name, ratios[name])
		if floor := 0.05; ratios[name] < floor && !strings.HasPrefix(name, "relu") {
			t.Errorf("%s: no correct variant comes nearer than %.3g of its bound: it is too wide to mean much", name, ratios[name])
		}
	}
}

// Bugs that users met must be outside, computed in float64: only the bug speaks.
func TestBugsAreOutside(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	f := reference.Exact
	x := random(rng, 0, 2, 1, 20)
	gamma, beta := random(rng, 1, 0.3, 1, 20).Data, random(rng, 0, 0.5, 1, 20).Data
	small, shifted := random(rng, 0, 0.1, 1, 20), random(rng, 1e4, 1, 1, 20)
	q, k, v := random(rng, 0, 1.5, 3, 8), random(rng, 0, 1.5, 6, 8), random(rng, 0, 1, 6, 4)
	onePass := func(x, gamma, beta []float64) []float64 {
		var sum, squares float32
		for _, v := range narrow(x) {
			sum += v
			squares += v * v
		}
		n := float32(len(x))
		mean := sum / n
		variance := squares/n - mean*mean
		y := make([]float64, len(x))
		for i, v := range narrow(x) {
			y[i] = float64((v-mean)/float32(math.Sqrt(float64(max(variance, 0)+1e-5)))*float32(gamma[i]) + float32(beta[i]))
		}
		return y
	}
	for _, c := range []struct {
		name      string
		got, want []float64
		gauges    Gauges
	}{
		{"tanh for erf", f.Activate(reference.ActGELUTanh, x).Data, f.Activate(reference.ActGELU, x).Data, Activate(reference.ActGELU, x)},
		{"eps 1e-6 for 1e-5", f.LayerNorm(small, gamma, beta, 1e-6).Data, f.LayerNorm(small, gamma, beta, 1e-5).Data,
			Random.LayerNorm(small, gamma, beta, 1e-5)},
		{"variance in one pass", onePass(shifted.Data, gamma, beta), f.LayerNorm(shifted, gamma, beta, 1e-5).Data,
			Random.LayerNorm(shifted, gamma, beta, 1e-5)},
		{"the maximum added back", logSoftmaxAddingBack(shifted.Data), f.LogSoftmax(shifted.Data), Random.LogSoftmax(shifted.Data)},
		{"scale of another dimension", f.Attention(q, k, v, 0.5, reference.Mask{}).Data, f.Attention(q, k, v, 1/math.Sqrt(8), reference.Mask{}).Data,
			Random.Attention(q, k, v, 1/math.Sqrt(8), reference.Mask{})},
		{"softmax plus 1e-5 below the line", dividedBy(f.Softmax(x.Data), 1+1e-5), f.Softmax(x.Data), Random.Softmax(x.Data)},
		{"angles of float32", float32Sinusoid([]int{2047}, 64), mustSinusoid([]int{2047}, 64), Sinusoid([]int{2047}, 64)},
	} {
		if r := worst(c.got, c.want, c.gauges); !(r > 2) {
			t.Errorf("%s: error only %.3g times the bound", c.name, r)
		}
	}
}

func dividedBy(x []float64, s float64) []float64 {
	for i := range x {
		x[i] /= s
	}
	return x
}

func logSoftmaxAddingBack(x []float64) []float64 {
	m, logS := summations["in order"].logSum(narrow(x))
	y := make([]float64, len(x))
	for i, v := range narrow(x) {
		y[i] = float64(v - (logS + m))
	}
	return y
}

func mustSinusoid(pos []int, dModel int) []float64 {
	y, err := reference.SinusoidalPositions(pos, dModel)
	if err != nil {
		panic(err)
	}
	return y.Data
}

func float32Sinusoid(pos []int, dModel int) []float64 {
	y := make([]float64, 0, len(pos)*dModel)
	for _, p := range pos {
		for i := 0; i < dModel; i += 2 {
			sin, cos := math.Sincos(float64(float32(p) * float32(math.Exp(float64(float32(i)*float32(-math.Log(10000)/float64(dModel)))))))
			y = append(y, sin, cos)
		}
	}
	return y
}

// In must cover the rounding of inputs to bfloat16, with everything else in float64.
func TestInputRoundingIsInside(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const u = 0x1p-8
	round := func(m reference.Matrix) reference.Matrix {
		r := reference.NewMatrix(m.Rows, m.Cols)
		for i, v := range m.Data {
			r.Data[i] = float64(math.Float32frombits((math.Float32bits(float32(v)) + 0x8000) &^ 0xffff))
		}
		return r
	}
	row := func(m reference.Matrix) []float64 { return round(m).Data }
	for trial := range 20 {
		a, b := random(rng, 0, 1, 3, 30), random(rng, 0, 1, 30, 4)
		x := random(rng, 0, 4, 1, 30)
		gamma, beta := random(rng, 1, 0.3, 1, 30), random(rng, 0, 0.5, 1, 30)
		q, k, v := random(rng, 0, 1.5, 3, 8), random(rng, 0, 1.5, 6, 8), random(rng, 0, 1, 6, 4)
		mask := reference.Mask{Bias: random(rng, 0, 2, 3, 6).Data}
		rounded := reference.Mask{Bias: row(reference.Matrix{Rows: 3, Cols: 6, Data: mask.Bias})}
		for name, c := range map[string]struct {
			got, want, in []float64
		}{
			"linear":  {reference.Linear(round(a), round(b), nil).Data, reference.Linear(a, b, nil).Data, Random.Linear(a, b, nil).In},
			"softmax": {reference.Softmax(row(x)), reference.Softmax(x.Data), Random.Softmax(x.Data).In},
			"log":     {reference.LogSoftmax(row(x)), reference.LogSoftmax(x.Data), Random.LogSoftmax(x.Data).In},
			"loss":    {[]float64{reference.CrossEntropy(row(x), 3)}, []float64{reference.CrossEntropy(x.Data, 3)}, Random.CrossEntropy(x.Data, 3, nil).In},
			"layernorm": {reference.LayerNormRows(round(x), row(gamma), row(beta), 1e-5).Data,
				reference.LayerNormRows(x, gamma.Data, beta.Data, 1e-5).Data, Random.LayerNorm(x, gamma.Data, beta.Data, 1e-5).In},
			"gelu":      {reference.ActGELU.Apply(round(x)).Data, reference.ActGELU.Apply(x).Data, Activate(reference.ActGELU, x).In},
			"gelu_tanh": {reference.ActGELUTanh.Apply(round(x)).Data, reference.ActGELUTanh.Apply(x).Data, Activate(reference.ActGELUTanh, x).In},
			"gate":      {reference.Gate(round(x), round(beta)).Data, reference.Gate(x, beta).Data, Gate(x, beta).In},
			"gate.grad": {gateGrad(reference.Exact, round(x), round(beta), round(gamma)), gateGrad(reference.Exact, x, beta, gamma), concat(GateGrad(x, beta, gamma)).In},
			"attention": {reference.Attention(round(q), round(k), round(v), 0.3, rounded).Data, reference.Attention(q, k, v, 0.3, mask).Data,
				Random.Attention(q, k, v, 0.3, mask).In},
		} {
			for i := range c.want {
				if diff, bound := math.Abs(c.got[i]-c.want[i]), 2*u*(c.in[i]+math.Abs(c.want[i])); !(diff <= bound) {
					t.Errorf("trial %d: %s[%d]: rounding the inputs moves it by %.3g, the bound is %.3g", trial, name, i, diff, bound)
				}
			}
		}
	}
}

// What no rounding reaches has gauge 0, and no gauge is negative or infinite.
func TestEdgesOfGauges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	one := reference.Matrix{Rows: 1, Cols: 1, Data: []float64{1}}
	far := reference.Matrix{Rows: 1, Cols: 5, Data: []float64{0, 1e30, -1e30, 50, -800}}
	hidden := Random.Attention(one, reference.Matrix{Rows: 1, Cols: 1, Data: []float64{nan}},
		reference.Matrix{Rows: 1, Cols: 1, Data: []float64{inf}}, 1, reference.Mask{Allow: []bool{false}})
	if hidden.Acc[0] != 0 || hidden.In[0] != 0 || hidden.Eta[0] != 0 {
		t.Errorf("attention without a visible key: gauges %v", hidden)
	}
	for name, g := range map[string]Gauges{
		"softmax":     Random.Softmax([]float64{-inf, 1, 3, -inf, -1e30}),
		"log_softmax": Random.LogSoftmax([]float64{1, 3, -1e30}),
		"gelu":        Activate(reference.ActGELU, reference.Matrix{Rows: 1, Cols: 5, Data: []float64{-inf, inf, 0, 1e30, -1e30}}),
		"tanh":        Activate(reference.ActGELUTanh, reference.Matrix{Rows: 1, Cols: 5, Data: []float64{-inf, inf, 0, 1e30, -1e30}}),
		"loss":        Random.CrossEntropy([]float64{-inf, 1, 2}, 2, nil),
		"gate":        Gate(far, far),
		"gate.grad":   concat(GateGrad(far, far, far)),
	} {
		for i := range g.Acc {
			for _, v := range []float64{g.Acc[i], g.In[i], g.Eta[i]} {
				if !(v >= 0) || math.IsInf(v, 0) {
					t.Errorf("%s: element %d has gauges %v, %v, %v", name, i, g.Acc[i], g.In[i], g.Eta[i])
				}
			}
		}
	}
	if _, _, err := Random.Derive(func(f reference.Primitives, _ func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		_, err := lossOf(f, one, []int{1}, reference.ReduceMean)
		return nil, err
	}); !errors.Is(err, reference.ErrIndex) {
		t.Errorf("a target outside the classes: got %v", err)
	}
}

func ExampleModel_Linear() {
	x := reference.Matrix{Rows: 1, Cols: 4, Data: []float64{1, -1, 2, -2}}
	w := reference.Matrix{Rows: 4, Cols: 1, Data: []float64{1, 1, 1, 1}}
	fmt.Println(Random.Linear(x, w, nil).Acc, Biased.Linear(x, w, nil).Acc)
	// Output: [12] [24]
}

// concat joins the gauges of several results.
func concat(gs ...Gauges) Gauges { return join(len(gs), func(i int) Gauges { return gs[i] }) }

// gradientSamples draws evaluations of every gradient that has a formula.
func gradientSamples(rng *rand.Rand) []sample {
	var all []sample
	add := func(name string, g Gauges, eval func(f reference.Primitives) []float64) {
		all = append(all, sample{name, eval, g})
	}
	for _, rows := range []int{1, 3, 40, 400} {
		x, w, dy := random(rng, 0, 1, rows, 7), random(rng, 0, 1, 7, 5), random(rng, 0.3, 1, rows, 5)
		gx, gw, gb := Random.LinearGrad(x, w, dy)
		add("linear.grad", concat(gx, gw, gb), func(f reference.Primitives) []float64 {
			dx, dw, db := f.LinearGrad(x, w, make([]float64, 5), dy)
			return slices.Concat(dx.Data, dw.Data, db)
		})
		add("matmul.grad", concat(gx, gw), func(f reference.Primitives) []float64 {
			da, db := f.MatMulGrad(x, w, dy)
			return slices.Concat(da.Data, db.Data)
		})
		ids := make([]int, rows)
		for t := range ids {
			ids[t] = rng.IntN(7)
		}
		add("embedding.grad", Random.EmbeddingGrad(ids, 9, dy), func(f reference.Primitives) []float64 {
			dtable, err := f.EmbedGrad(ids, 9, dy)
			if err != nil {
				panic(err)
			}
			return dtable.Data
		})
	}
	for _, n := range []int{2, 9, 65, 1000} {
		for _, spread := range []float64{0.1, 3, 30} {
			x, dy := random(rng, 100, spread, 1, n).Data, random(rng, 0.5, 1, 1, n).Data
			add("softmax.grad", Random.SoftmaxGrad(x, dy), func(f reference.Primitives) []float64 { return f.SoftmaxGrad(x, dy) })
			add("log_softmax.grad", Random.LogSoftmaxGrad(x, dy), func(f reference.Primitives) []float64 { return f.LogSoftmaxGrad(x, dy) })
			target, up := rng.IntN(n), 2*rng.NormFloat64()
			add("cross_entropy.grad", Random.CrossEntropyGrad(x, target, up),
				func(f reference.Primitives) []float64 { return f.CrossEntropyGrad(x, target, up) })
		}
	}
	for _, d := range []int{2, 9, 64, 1000} {
		for _, mean := range []float64{0, 10, 3000} {
			for _, rows := range []int{1, 5, 60} {
				x, gamma, dy := random(rng, mean, 2, rows, d), random(rng, 1, 0.3, 1, d).Data, random(rng, 0.5, 1, rows, d)
				gx, gg, gb := Random.LayerNormGrad(x, gamma, 1e-5, dy)
				add("layernorm.grad", concat(gx, gg, gb), func(f reference.Primitives) []float64 {
					dx, dgamma, dbeta := f.LayerNormGrad(x, gamma, 1e-5, dy)
					return slices.Concat(dx.Data, dgamma, dbeta)
				})
			}
		}
	}
	for _, act := range []reference.Activation{reference.ActReLU, reference.ActGELU, reference.ActGELUTanh} {
		x, dy := random(rng, 0, 2, 1, 500), random(rng, 0, 1, 1, 500)
		add(string(act)+".grad", ActivateGrad(act, x, dy), func(f reference.Primitives) []float64 { return f.ActivateGrad(act, x, dy).Data })
	}
	a, c, dh := random(rng, 0, 4, 1, 500), random(rng, 0, 2, 1, 500), random(rng, 0, 1, 1, 500)
	add("gate.grad", concat(GateGrad(a, c, dh)), func(f reference.Primitives) []float64 { return gateGrad(f, a, c, dh) })
	for _, keys := range []int{1, 5, 33, 300} {
		for _, size := range []float64{0.3, 1.5, 8} {
			for _, softcap := range []float64{0, 2, 40} {
				q, k, v, do := random(rng, 0, size, 4, 16), random(rng, 0, size, keys, 16), random(rng, 0.5, 1, keys, 5), random(rng, 0.2, 1, 4, 5)
				mask := reference.Mask{Causal: true, Bias: random(rng, 0, 2, 4, keys).Data, Softcap: softcap}
				gq, gk, gv := Random.AttentionGrad(q, k, v, do, 0.25, mask)
				name := "attention.grad"
				if softcap != 0 {
					name += ", softcap"
				}
				add(name, concat(gq, gk, gv), func(f reference.Primitives) []float64 {
					dq, dk, dv := f.AttentionGrad(q, k, v, do, 0.25, mask)
					return slices.Concat(dq.Data, dk.Data, dv.Data)
				})
			}
		}
	}
	return all
}

func gateGrad(f reference.Primitives, a, c, dh reference.Matrix) []float64 {
	da, dc := f.GateGrad(a, c, dh)
	return slices.Concat(da.Data, dc.Data)
}

// Bugs in gradients must be outside, computed in float64: only the bug speaks.
func TestGradientBugsAreOutside(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 4))
	row := func(mean float64, n int) []float64 { return random(rng, mean, 1, 1, n).Data }
	x, dy, gamma := row(0, 20), row(0.5, 20), row(1, 20)
	small := random(rng, 0, 0.1, 1, 20)
	m, up := random(rng, 0, 2, 4, 30), random(rng, 0.5, 1, 4, 30)
	q, k, v, do := random(rng, 0, 1.5, 3, 8), random(rng, 0, 1.5, 6, 8), random(rng, 0, 1, 6, 4), random(rng, 0.5, 1, 3, 4)
	scale := 1 / math.Sqrt(8)
	scaled := func(x []float64, s float64) []float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = s * v
		}
		return y
	}
	dx := func(eps float64) []float64 {
		dx, _, _ := reference.LayerNormGrad(small.Data, gamma, eps, dy)
		return dx
	}
	attention := func(scale float64, mask reference.Mask) []float64 {
		dq, dk, dv := reference.AttentionGrad(q, k, v, do, scale, mask)
		return slices.Concat(dq.Data, dk.Data, dv.Data)
	}
	gx, _, _ := Random.LayerNormGrad(small, gamma, 1e-5, reference.Matrix{Rows: 1, Cols: 20, Data: dy})
	attentionGauges := func(mask reference.Mask) Gauges {
		gq, gk, gv := Random.AttentionGrad(q, k, v, do, scale, mask)
		return concat(gq, gk, gv)
	}
	diagonal := reference.Softmax(x)
	for i, p := range diagonal {
		diagonal[i] = p * (1 - p) * dy[i]
	}
	capped := reference.Mask{Softcap: 30}
	for _, c := range []struct {
		name      string
		got, want []float64
		gauges    Gauges
	}{
		{"softmax's diagonal alone", diagonal, reference.SoftmaxGrad(x, dy), Random.SoftmaxGrad(x, dy)},
		{"softmax plus 1e-5 below the line", scaled(reference.SoftmaxGrad(x, dy), 1-1e-5), reference.SoftmaxGrad(x, dy),
			Random.SoftmaxGrad(x, dy)},
		{"log-softmax off by 1e-5", scaled(reference.LogSoftmaxGrad(x, dy), 1-1e-5), reference.LogSoftmaxGrad(x, dy),
			Random.LogSoftmaxGrad(x, dy)},
		{"cross-entropy off by 1e-5", scaled(reference.CrossEntropyGrad(x, 3, 2), 1-1e-5), reference.CrossEntropyGrad(x, 3, 2),
			Random.CrossEntropyGrad(x, 3, 2)},
		{"tanh for erf", reference.ActGELUTanh.ApplyGrad(m, up).Data, reference.ActGELU.ApplyGrad(m, up).Data,
			ActivateGrad(reference.ActGELU, m, up)},
		{"erf for tanh", reference.ActGELU.ApplyGrad(m, up).Data, reference.ActGELUTanh.ApplyGrad(m, up).Data,
			ActivateGrad(reference.ActGELUTanh, m, up)},
		{"eps 1e-6 for 1e-5", dx(1e-6), dx(1e-5), gx},
		{"scale of another dimension", attention(0.5, reference.Mask{}), attention(scale, reference.Mask{}), attentionGauges(reference.Mask{})},
		{"no soft cap", attention(scale, reference.Mask{}), attention(scale, capped), attentionGauges(capped)},
	} {
		if r := worst(c.got, c.want, c.gauges); !(r > 2) {
			t.Errorf("%s: error only %.3g times the bound", c.name, r)
		}
	}
}

// In must cover the rounding of inputs to bfloat16, with everything else in float64.
func TestGradientInputRoundingIsInside(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 6))
	const u = 0x1p-8
	round := func(m reference.Matrix) reference.Matrix {
		r := reference.NewMatrix(m.Rows, m.Cols)
		for i, v := range m.Data {
			r.Data[i] = float64(math.Float32frombits((math.Float32bits(float32(v)) + 0x8000) &^ 0xffff))
		}
		return r
	}
	join3 := func(a, b reference.Matrix, c []float64) []float64 { return slices.Concat(a.Data, b.Data, c) }
	for trial := range 20 {
		x, w, dy := random(rng, 0, 1, 5, 30), random(rng, 0, 1, 30, 4), random(rng, 0.3, 1, 5, 4)
		row, up, gamma := random(rng, 0, 2, 1, 30), random(rng, 0.3, 1, 1, 30), random(rng, 1, 0.3, 1, 30)
		q, k, v, do := random(rng, 0, 1.5, 3, 8), random(rng, 0, 1.5, 6, 8), random(rng, 0, 1, 6, 4), random(rng, 0.3, 1, 3, 4)
		mask := reference.Mask{Softcap: 4, Bias: random(rng, 0, 2, 3, 6).Data}
		rounded := reference.Mask{Softcap: 4, Bias: round(reference.Matrix{Rows: 3, Cols: 6, Data: mask.Bias}).Data}
		bias := make([]float64, 4)
		linear := func(x, w, dy reference.Matrix) []float64 { return join3(reference.LinearGrad(x, w, bias, dy)) }
		norm := func(x, gamma, dy reference.Matrix) []float64 {
			dx, dgamma, dbeta := reference.LayerNormRowsGrad(x, gamma.Data, 1e-5, dy)
			return slices.Concat(dx.Data, dgamma, dbeta)
		}
		attention := func(q, k, v, do reference.Matrix, mask reference.Mask) []float64 {
			dq, dk, dv := reference.AttentionGrad(q, k, v, do, 0.3, mask)
			return join3(dq, dk, dv.Data)
		}
		in := func(a, b, c Gauges) []float64 { return concat(a, b, c).In }
		for name, c := range map[string]struct {
			got, want, in []float64
		}{
			"linear": {linear(round(x), round(w), round(dy)), linear(x, w, dy), in(Random.LinearGrad(x, w, dy))},
			"softmax": {reference.SoftmaxGrad(round(row).Data, round(up).Data), reference.SoftmaxGrad(row.Data, up.Data),
				Random.SoftmaxGrad(row.Data, up.Data).In},
			"log": {reference.LogSoftmaxGrad(round(row).Data, round(up).Data), reference.LogSoftmaxGrad(row.Data, up.Data),
				Random.LogSoftmaxGrad(row.Data, up.Data).In},
			"cross-entropy": {reference.CrossEntropyGrad(round(row).Data, 3, 1.5), reference.CrossEntropyGrad(row.Data, 3, 1.5),
				Random.CrossEntropyGrad(row.Data, 3, 1.5).In},
			"layernorm": {norm(round(row), round(gamma), round(up)), norm(row, gamma, up), in(Random.LayerNormGrad(row, gamma.Data, 1e-5, up))},
			"gelu": {reference.ActGELU.ApplyGrad(round(row), round(up)).Data, reference.ActGELU.ApplyGrad(row, up).Data,
				ActivateGrad(reference.ActGELU, row, up).In},
			"gelu_tanh": {reference.ActGELUTanh.ApplyGrad(round(row), round(up)).Data, reference.ActGELUTanh.ApplyGrad(row, up).Data,
				ActivateGrad(reference.ActGELUTanh, row, up).In},
			"attention": {attention(round(q), round(k), round(v), round(do), rounded), attention(q, k, v, do, mask),
				in(Random.AttentionGrad(q, k, v, do, 0.3, mask))},
		} {
			for i := range c.want {
				if diff, bound := math.Abs(c.got[i]-c.want[i]), 2*u*(c.in[i]+math.Abs(c.want[i])); !(diff <= bound) {
					t.Errorf("trial %d: %s[%d]: rounding the inputs moves it by %.3g, the bound is %.3g", trial, name, i, diff, bound)
				}
			}
		}
	}
}

// What no rounding reaches has gauge 0, and no gauge of a finite gradient is negative or infinite.
func TestEdgesOfGradientGauges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	column := func(x ...float64) reference.Matrix { return reference.Matrix{Rows: len(x), Cols: 1, Data: x} }
	q, k, v := Random.AttentionGrad(column(nan, 1), column(nan, 2), column(inf, 3), column(nan, 1), 1,
		reference.Mask{Allow: []bool{false, false, false, true}})
	for name, g := range map[string]Gauges{"dq": q, "dk": k, "dv": v} {
		if g.Acc[0] != 0 || g.In[0] != 0 || g.Eta[0] != 0 {
			t.Errorf("attention.grad, %s where nothing is seen: gauges %v", name, g)
		}
	}
	if g := Random.EmbeddingGrad([]int{1, 1, 2}, 4, column(1, 2, 3)); g.Acc[0] != 0 || g.Acc[1] == 0 || g.Acc[2] != 0 || g.In[0] != 0 {
		t.Errorf("embedding.grad: gauges %v", g)
	}
	wide := reference.Matrix{Rows: 1, Cols: 6, Data: []float64{-inf, inf, 0, 1e30, -1e30, math.MaxFloat32}}
	ones := reference.Matrix{Rows: 1, Cols: 6, Data: []float64{1, 1, 1, 1, 1, 1}}
	for name, g := range map[string]Gauges{
		"softmax":       Random.SoftmaxGrad([]float64{-inf, 1, 3, -inf, -1e30}, ones.Data[:5]),
		"log_softmax":   Random.LogSoftmaxGrad([]float64{-inf, 1, 3, -1e30}, ones.Data[:4]),
		"cross_entropy": Random.CrossEntropyGrad([]float64{-inf, 1, 2}, 0, 2),
		"gelu":          ActivateGrad(reference.ActGELU, wide, ones),
		"tanh":          ActivateGrad(reference.ActGELUTanh, wide, ones),
	} {
		for i := range g.Acc {
			for _, v := range []float64{g.Acc[i], g.In[i], g.Eta[i]} {
				if !(v >= 0) || math.IsInf(v, 0) {
					t.Errorf("%s: element %d has gauges %v, %v, %v", name, i, g.Acc[i], g.In[i], g.Eta[i])
				}
			}
		}
	}
}
