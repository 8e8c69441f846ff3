package oracle

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// tinyModel returns a model whose every primitive takes part, and its weights, with x in the place of the embedding.
func tinyModel(rng *rand.Rand) (reference.GPTWeights, reference.Config) {
	cfg := reference.Config{Vocab: 7, Ctx: 8, DModel: 6, Layers: 2, Heads: 2, HeadDim: 3, FFN: 10, Norm: reference.PreNorm,
		Activation: reference.ActGELU, Eps: 1e-5, Positions: reference.PositionsSinusoidal, ScaleEmbedding: true, Tied: true}
	row := func(mean, deviation float64, n int) []float64 { return random(rng, mean, deviation, 1, n).Data }
	w := reference.GPTWeights{Wte: random(rng, 0, 1, 7, 6), LNfGamma: row(1, 0.2, 6), LNfBeta: row(0, 0.2, 6)}
	for range cfg.Layers {
		w.Blocks = append(w.Blocks, reference.BlockWeights{
			LN1Gamma: row(1, 0.2, 6), LN1Beta: row(0, 0.2, 6), LN2Gamma: row(1, 0.2, 6), LN2Beta: row(0, 0.2, 6),
			Attn: reference.MHAWeights{Wq: random(rng, 0, 0.6, 6, 6), Wk: random(rng, 0, 0.6, 6, 6), Wv: random(rng, 0, 0.5, 6, 6),
				Wo: random(rng, 0, 0.5, 6, 6), Bq: row(0, 0.2, 6)},
			FFN: reference.FFNWeights{W1: random(rng, 0, 0.5, 6, 10), W2: random(rng, 0, 0.5, 10, 6), B1: row(0, 0.2, 10)},
		})
	}
	return w, cfg
}

func evalModel(w reference.GPTWeights, cfg reference.Config) Evaluation {
	return func(f reference.Primitives, jitter func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		jittered := w
		jittered.Wte = reference.Matrix{Rows: w.Wte.Rows, Cols: w.Wte.Cols, Data: jitter(op.Float64(w.Wte.Data, w.Wte.Rows, w.Wte.Cols)).F64}
		logits, err := f.GPT([]int{3, 1, 4, 1, 5}, jittered, cfg)
		if err != nil {
			return nil, err
		}
		losses, err := f.GPTLoss([]int{3, 1, 4}, []int{1, 4, -100}, -100, jittered, cfg)
		if err != nil {
			return nil, err
		}
		loss := f.Reduce(losses, []int{1, 4, -100}, -100, reference.ReduceMean)
		return []op.Tensor{op.Float64(logits.Data, 5, 7), op.Float64(losses, 3), op.Float64(loss)}, nil
	}
}

func TestWithoutNoiseNothingChanges(t *testing.T) {
	eval := evalModel(tinyModel(rand.New(rand.NewPCG(1, 1))))
	exact, err := eval(reference.Exact, keep)
	if err != nil {
		t.Fatal(err)
	}
	silent := noise{model: Random, rng: rand.New(rand.NewPCG(1, 1)), pick: acc, own: 1, inputs: true}
	got, err := eval(hooked(silent.hook), silent.jitter)
	if err != nil {
		t.Fatal(err)
	}
	for i := range exact {
		for j, want := range exact[i].F64 {
			if math.Float64bits(got[i].F64[j]) != math.Float64bits(want) {
				t.Errorf("result %d[%d]: %v without noise, %v exactly", i, j, got[i].F64[j], want)
			}
		}
	}
}

func TestMonteCarloAdmitsFloat32(t *testing.T) {
	largest := 0.0
	for seed := range uint64(5) {
		eval := evalModel(tinyModel(rand.New(rand.NewPCG(seed, 7))))
		gauges, err := Random.MonteCarlo(seed, eval)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := eval(reference.Exact, keep)
		if err != nil {
			t.Fatal(err)
		}
		for order, sum := range summations {
			got, err := eval(sum.float32s(), keep)
			if err != nil {
				t.Fatal(err)
			}
			for i := range exact {
				r := worst(got[i].F64, exact[i].F64, gauges[i])
				if !(r < 1) {
					t.Errorf("seed %d, result %d, summed %s: error %.3g times the bound", seed, i, order, r)
				}
				largest = max(largest, r)
			}
		}
		if losses := gauges[1]; losses.Acc[2] != 0 || losses.In[2] != 0 {
			t.Errorf("an ignored target has gauges %v and %v, want 0", losses.Acc[2], losses.In[2])
		}
	}
	t.Logf("largest ratio %.3f", largest)
	if largest < 0.05 {
		t.Errorf("no float32 evaluation comes nearer than %.3g of the bound: it is too wide to mean much", largest)
	}
}

// A single product has a gauge by formula too: the measured one is that and the rounding of the result.
func TestMonteCarloAgreesWithFormula(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	x, w := random(rng, 0, 1, 30, 20), random(rng, 0, 1, 20, 10)
	formula := Random.Linear(x, w, nil)
	measured, err := Random.MonteCarlo(9, func(f reference.Primitives, _ func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		return []op.Tensor{op.Float64(f.Linear(x, w, nil).Data, 30, 10)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	y := reference.Linear(x, w, nil)
	ratio := 0.0
	for i, g := range measured[0].Acc {
		ratio += g / (formula.Acc[i] + math.Abs(y.Data[i])) / float64(len(y.Data))
	}
	if math.Abs(ratio-1) > 0.03 { // 300 elements, each known to 9 %
		t.Errorf("measured gauges are %.3f of the formula's on average", ratio)
	}
}

func TestMonteCarloIsDeterministic(t *testing.T) {
	eval := evalModel(tinyModel(rand.New(rand.NewPCG(3, 3))))
	gauges := func(seed uint64) []float64 {
		g, err := Random.MonteCarlo(seed, eval)
		if err != nil {
			t.Fatal(err)
		}
		return g[0].Acc
	}
	if !slices.Equal(gauges(1), gauges(1)) {
		t.Error("one seed gives two gauges")
	}
	if slices.Equal(gauges(1), gauges(2)) {
		t.Error("two seeds give the same gauges: the noise is not random")
	}
}

func TestMonteCarloReturnsErrors(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	for _, after := range []int{0, 1} {
		_, err := Random.MonteCarlo(1, func(reference.Primitives, func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
			if calls++; calls > after {
				return nil, broken
			}
			return nil, nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("evaluation that fails after %d calls: got error %v", after, err)
		}
		calls = 0
	}
}

func TestFloor(t *testing.T) {
	g := []float64{8, 1, 0, 6, 10, 0, 0, 0, 0, 0}
	floor(g, []int{2, 5})
	if want := []float64{8, 4, 0, 6, 10, 0, 0, 0, 0, 0}; !slices.Equal(g, want) {
		t.Errorf("floored gauges are %v, want %v", g, want)
	}
}

// evalModelGrad is evalModel for the gradients with respect to all weights.
func evalModelGrad(w reference.GPTWeights, cfg reference.Config) Evaluation {
	return func(f reference.Primitives, _ func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
		dw, err := f.GPTLossGrad([]int{3, 1, 4, 1, 5}, []int{1, 4, -100, 5, 0}, -100, []float64{1.5, -0.7, 9, 0.4, 2}, w, cfg)
		if err != nil {
			return nil, err
		}
		var out []op.Tensor
		for _, g := range dw.Parameters() {
			if g != nil {
				out = append(out, op.Float64(g, len(g)))
			}
		}
		return out, nil
	}
}

func TestMonteCarloAdmitsFloat32Gradients(t *testing.T) {
	largest := 0.0
	for seed := range uint64(3) {
		eval := evalModelGrad(tinyModel(rand.New(rand.NewPCG(seed, 17))))
		gauges, err := Random.MonteCarlo(seed, eval)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := eval(reference.Exact, keep)
		if err != nil {
			t.Fatal(err)
		}
		silent := noise{model: Random, rng: rand.New(rand.NewPCG(1, 1)), pick: acc, own: 1}
		same, err := eval(hooked(silent.hook), keep)
		if err != nil {
			t.Fatal(err)
		}
		for i := range exact {
			if !slices.Equal(same[i].F64, exact[i].F64) {
				t.Errorf("result %d differs without noise", i)
			}
		}
		for order, sum := range summations {
			got, err := eval(sum.float32s(), keep)
			if err != nil {
				t.Fatal(err)
			}
			for i := range exact {
				r := worst(got[i].F64, exact[i].F64, gauges[i])
				if !(r < 1) {
					t.Errorf("seed %d, result %d, summed %s: error %.3g times the bound", seed, i, order, r)
				}
				largest = max(largest, r)
			}
		}
	}
	t.Logf("largest ratio %.3f", largest)
	if largest < 0.05 {
		t.Errorf("no float32 evaluation comes nearer than %.3g of the bound: it is too wide to mean much", largest)
	}
}
