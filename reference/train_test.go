package reference

import (
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
)

// trainable is a very small model of the given kind, and a run with it whose Adam is far from the sign of the gradient.
func trainable(name string) (GPTWeights, TrainConfig) {
	cfg := must(ConfigByName(name))
	cfg.Vocab, cfg.DModel, cfg.HeadDim, cfg.FFN = 7, 4, 2, 5
	return newSource(21).gpt(cfg), TrainConfig{
		Model: cfg, IgnoreIndex: -100, Schedule: Schedule{Name: ScheduleConstant, LR: 0.5}, Adam: AdamConfig{Beta1: 0.9, Beta2: 0.999, Eps: 0.5},
	}
}

// batch is three sequences that ignore none, three and all of their targets.
var batchIDs, batchTargets = [][]int{{3, 1, 4, 1, 5}, {2, 6, 5, 3, 5}, {0, 1, 2, 3, 4}}, [][]int{{1, 4, 1, 5, 0}, {-100, -100, 3, -100, 6}, {-100, -100, -100, -100, -100}}

// A first step is lr g' / (|g'| + eps) with g' the clipped gradient of the mean loss: here that of central differences.
func TestTrainStepIsThatOfTheMeanLoss(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-post"} {
		w, cfg := trainable(name)
		loss := func() float64 {
			var losses []float64
			for b, ids := range batchIDs {
				losses = append(losses, must(Exact.GPTLoss(ids, batchTargets[b], -100, w, cfg.Model))...)
			}
			sum, n := 0.0, 0.0
			for i, target := range slices.Concat(batchTargets...) {
				if target >= 0 {
					sum, n = sum+losses[i], n+1
				}
			}
			return sum / n
		}
		var grads [][]float64
		for _, p := range w.Parameters() {
			g := make([]float64, len(p))
			for i, x := range p {
				g[i] = fd.Derivative(func(x float64) float64 { p[i] = x; return loss() }, x, &fd.Settings{Formula: fd.Central, Step: 1e-5})
				p[i] = x
			}
			grads = append(grads, g)
		}
		norm := GradientNorm(grads...)
		for _, cfg.MaxNorm = range []float64{0, norm / 3} {
			next, report, err := Exact.TrainStep(NewTrainState(w), batchIDs, batchTargets, cfg)
			if err != nil {
				t.Fatal(err)
			}
			within(t, []float64{report.Loss, report.LR}, []float64{loss(), 0.5}, 4)
			if math.Abs(report.Norm-norm) > 1e-7*norm {
				t.Errorf("%s: the norm is %v, central differences give %v", name, report.Norm, norm)
			}
			factor := 1.0
			if cfg.MaxNorm > 0 {
				factor = 1.0 / 3
			}
			after := next.Weights.Parameters()
			for i, p := range w.Parameters() {
				for j, x := range p {
					g := factor * grads[i][j]
					if want := x - 0.5*g/(math.Abs(g)+0.5); math.Abs(after[i][j]-want) > 1e-6 {
						t.Errorf("%s, clipped to %v: parameter %d[%d] goes from %v to %v, want %v", name, cfg.MaxNorm, i, j, x, after[i][j], want)
					}
				}
			}
		}
	}
}

// Steps on one batch lower its loss, and leave the state that they are given as it was.
func TestTrainingLearns(t *testing.T) {
	w, cfg := trainable("tiny")
	cfg.Adam.Eps, cfg.Schedule.LR, cfg.MaxNorm = 1e-8, 0.01, 1
	first := NewTrainState(w)
	kept := slices.Concat(w.Parameters()...)
	s := first
	var losses []float64
	for range 30 {
		next, report, err := Exact.TrainStep(s, batchIDs, batchTargets, cfg)
		if err != nil {
			t.Fatal(err)
		}
		s, losses = next, append(losses, report.Loss)
	}
	if !(losses[29] < losses[0]/4) {
		t.Errorf("thirty steps on one batch take its loss from %v to %v", losses[0], losses[29])
	}
	sameBits(t, slices.Concat(first.Weights.Parameters()...), kept)
	if s.Steps != 30 || first.Steps != 0 {
		t.Errorf("%d steps were counted, and %d at the beginning", s.Steps, first.Steps)
	}
}

// A batch without a target that counts is a step with a gradient of 0; it shows which parameters decay.
func TestTrainStepWithoutTargets(t *testing.T) {
	w, cfg := trainable("tiny")
	cfg.Adam.WeightDecay, cfg.Adam.Decoupled = 0.25, true
	names := map[string][]float64{
		"biases": slices.Concat(w.Blocks[0].Attn.Bq, w.Blocks[0].FFN.B2), "norms": slices.Concat(w.Blocks[0].LN1Gamma, w.LNfBeta),
		"embeddings": slices.Concat(w.Wte.Data, w.Wpe.Data), "": slices.Concat(w.Blocks[0].Attn.Wo.Data, w.Blocks[0].FFN.W1.Data),
	}
	for _, spared := range [][]ParameterGroup{nil, {GroupBiases}, {GroupNorms}, {GroupEmbeddings}, {GroupBiases, GroupNorms, GroupEmbeddings}} {
		cfg.NoDecay = spared
		s, report, err := Exact.TrainStep(NewTrainState(w), batchIDs[2:], batchTargets[2:], cfg)
		if err != nil || report != (TrainReport{0, 0, 0.5}) || s.Steps != 1 {
			t.Fatalf("got %+v after %d steps, error %v", report, s.Steps, err)
		}
		w := s.Weights
		after := map[string][]float64{
			"biases": slices.Concat(w.Blocks[0].Attn.Bq, w.Blocks[0].FFN.B2), "norms": slices.Concat(w.Blocks[0].LN1Gamma, w.LNfBeta),
			"embeddings": slices.Concat(w.Wte.Data, w.Wpe.Data), "": slices.Concat(w.Blocks[0].Attn.Wo.Data, w.Blocks[0].FFN.W1.Data),
		}
		for name, before := range names {
			factor := 0.875
			if slices.Contains(spared, ParameterGroup(name)) {
				factor = 1
			}
			within(t, after[name], ScaleBy(Matrix{1, len(before), before}, factor).Data, 2)
		}
	}
}

func TestTrainStepErrors(t *testing.T) {
	w, cfg := trainable("tiny")
	for _, tt := range []struct {
		ids, targets []int
		want         error
	}{
		{[]int{1, 999}, []int{1, 2}, ErrIndex}, {[]int{1, 2}, []int{1, -1}, ErrIndex}, {make([]int, 999), make([]int, 999), ErrPosition},
	} {
		if _, _, err := Exact.TrainStep(NewTrainState(w), [][]int{{1, 2}, tt.ids}, [][]int{{2, 3}, tt.targets}, cfg); !errors.Is(err, tt.want) {
			t.Errorf("ids %v, targets %v: got error %v, want %v", tt.ids[:2], tt.targets[:2], err, tt.want)
		}
	}
	w.Blocks[0].FFN.W1.Data[3] = math.NaN()
	if _, _, err := Exact.TrainStep(NewTrainState(w), batchIDs, batchTargets, cfg); !errors.Is(err, ErrNumber) {
		t.Errorf("a parameter that is NaN: got error %v, want ErrNumber", err)
	}
}
