package reference

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var tinyNames = []string{"tiny", "tiny-post", "tiny-banded"}

// A model whose blocks do nothing: logits = LN(wte + wpe) wte^T, by hand.
func TestGPTByHand(t *testing.T) {
	zero := func(r, c int) Matrix { return NewMatrix(r, c) }
	cfg := Config{Vocab: 3, Ctx: 2, DModel: 2, Layers: 1, Heads: 1, Norm: PreNorm, Activation: ActReLU, Eps: 15, Positions: PositionsLearned, Tied: true}
	w := GPTWeights{
		Wte: rowsOf([]float64{1, 3}, []float64{-2, 5}, []float64{0, 1}),
		Wpe: rowsOf([]float64{0, 0}, []float64{16, 0}),
		Blocks: []BlockWeights{{
			LN1Gamma: filled(2, 1), LN1Beta: filled(2, 0), LN2Gamma: filled(2, 1), LN2Beta: filled(2, 0),
			Attn: MHAWeights{Wq: zero(2, 2), Wk: zero(2, 2), Wv: zero(2, 2), Wo: zero(2, 2)},
			FFN:  FFNWeights{W1: zero(2, 1), W2: zero(1, 2)},
		}},
		LNfGamma: []float64{1, 2}, LNfBeta: []float64{0, 1},
	}
	// Position 0: (1, 3) -> (-1, 1)/sqrt(1 + 15) -> (-.25, 1.5). Position 1: (17, 3) -> (7, -7)/sqrt(49 + 15) -> (.875, -.75).
	want := []float64{-.25 + 4.5, .5 + 7.5, 1.5, .875 - 2.25, -1.75 - 3.75, -.75}
	sameBits(t, must(Exact.GPT([]int{0, 0}, w, cfg)).Data, want)

	untied := w
	cfg.Tied, untied.Wout = false, rowsOf([]float64{1, 0, 0, 5}, []float64{0, 1, 0, 5})
	sameBits(t, must(Exact.GPT([]int{0}, untied, cfg)).Data, []float64{-.25, 1.5, 0, 6.25})

	// Post-norm has no final LayerNorm; embeddings are scaled by sqrt(2); sinusoids of d = 2 at position 0 are (0, 1).
	cfg = Config{Vocab: 3, Ctx: 2, DModel: 2, Layers: 1, Heads: 1, Norm: PostNorm, Activation: ActReLU, Positions: PositionsSinusoidal, ScaleEmbedding: true, Tied: true}
	w.Blocks[0].LN2Gamma = []float64{1, 4}
	// sqrt(2) (1, 3) + (0, 1) has its second element larger: LN1 gives (-1, 1), LN2 (-1, 4).
	within(t, must(Exact.GPT([]int{0}, w, cfg)).Data, []float64{-1 + 12, 2 + 20, 4}, 4)
	if h := must(Exact.input([]int{0}, 0, w, cfg)); math.Abs(h.At(0, 1)-(3*math.Sqrt2+1)) > 1e-15*8 {
		t.Errorf("input is %v, want sqrt(2) (1, 3) + (0, 1)", h.Data)
	}
}

// The model is its equations: embedding and positions, each block with its window, LayerNorm where it is pre-norm, output.
func TestGPTIsItsParts(t *testing.T) {
	ids, positions := []int{3, 1, 4, 1, 5, 9}, []int{0, 1, 2, 3, 4, 5}
	windows := map[string][]int{"tiny": {0, 0}, "tiny-post": {0, 0}, "tiny-banded": {0, 3, 0}}
	for _, name := range tinyNames {
		cfg := must(ConfigByName(name))
		w := newSource(4).gpt(cfg)
		var h Matrix
		switch cfg.Positions {
		case PositionsLearned:
			h = Add(must(Embedding(ids, w.Wte)), must(LearnedPositions(positions, w.Wpe)))
		case PositionsSinusoidal:
			h = Add(ScaleBy(must(Embedding(ids, w.Wte)), math.Sqrt(8)), must(SinusoidalPositions(positions, 8)))
		}
		for l, window := range windows[name] {
			h = Exact.Block(h, w.Blocks[l], BlockConfig{
				Norm: cfg.Norm, Activation: cfg.Activation, Eps: 1e-5,
				MHA: MHAConfig{Heads: cfg.Heads, KVHeads: cfg.KVHeads, Causal: true, Window: window},
			})
		}
		var want Matrix
		if name == "tiny-post" {
			want = MatMul(h, w.Wout)
		} else {
			want = MatMul(LayerNormRows(h, w.LNfGamma, w.LNfBeta, 1e-5), w.Wte.T())
		}
		sameBits(t, must(Exact.GPT(ids, w, cfg)).Data, want.Data)
	}
}

// Steps of any size, with rewinds, give the logits of the whole sequence, bit for bit; and logits do not see later tokens.
func TestGPTStepIsGPT(t *testing.T) {
	for _, name := range tinyNames {
		cfg := must(ConfigByName(name))
		t.Run(name, func(t *testing.T) {
			w := newSource(5).gpt(cfg)
			rapid.Check(t, func(t *rapid.T) {
				s := drawSource(t)
				ids := s.ids(1+s.IntN(cfg.Ctx), cfg.Vocab)
				want := must(Exact.GPT(ids, w, cfg))

				state := NewGPTState(cfg, cfg.Ctx)
				for state.Len() < len(ids) {
					pos := s.IntN(state.Len() + 1)
					if s.IntN(4) > 0 {
						pos = state.Len()
					}
					n := 1 + s.IntN(len(ids)-pos)
					got := must(Exact.GPTStep(state, ids[pos:pos+n], pos, w, cfg))
					sameBits(t, got.Data, rowRange(want, pos, pos+n).Data)
				}

				n := 1 + s.IntN(len(ids))
				sameBits(t, must(Exact.GPT(ids[:n], w, cfg)).Data, rowRange(want, 0, n).Data)
			})
		})
	}
}

func TestGPTLoss(t *testing.T) {
	cfg := must(ConfigByName("tiny"))
	s := newSource(6)
	w, ids, targets := s.gpt(cfg), s.ids(5, cfg.Vocab), s.ids(5, cfg.Vocab)
	targets[2] = -100
	want := must(CrossEntropyRows(must(Exact.GPT(ids, w, cfg)), targets, -100))
	got := must(Exact.GPTLoss(ids, targets, -100, w, cfg))
	sameBits(t, got, want)
	if got[2] != 0 || got[0] <= 0 {
		t.Errorf("losses %v: the third is ignored, the others are not", got)
	}
}

func TestGPTErrors(t *testing.T) {
	for _, name := range tinyNames {
		cfg := must(ConfigByName(name))
		s := newSource(7)
		w := s.gpt(cfg)
		if _, err := Exact.GPT(s.ids(cfg.Ctx+1, cfg.Vocab), w, cfg); errors.Is(err, ErrPosition) != (cfg.Positions == PositionsLearned) {
			t.Errorf("%s: a sequence of n_ctx + 1 with %s positions: error %v", name, cfg.Positions, err)
		}
		for _, bad := range []int{-1, cfg.Vocab} {
			if _, err := Exact.GPT([]int{0, bad}, w, cfg); !errors.Is(err, ErrIndex) {
				t.Errorf("%s: id %d: error %v, want ErrIndex", name, bad, err)
			}
			if _, err := Exact.GPTLoss([]int{0, 0}, []int{0, bad}, -100, w, cfg); !errors.Is(err, ErrIndex) {
				t.Errorf("%s: target %d: error %v, want ErrIndex", name, bad, err)
			}
		}

		state := NewGPTState(cfg, 4)
		must(Exact.GPTStep(state, []int{1, 2, 3}, 0, w, cfg))
		next := must(Exact.GPTStep(state.Clone(), []int{4}, 3, w, cfg))
		for _, tt := range []struct {
			ids  []int
			pos  int
			want error
		}{
			{[]int{1}, -1, ErrPosition},
			{[]int{1}, 4, ErrPosition},
			{[]int{1, 1}, 3, ErrCapacity},
			{[]int{1, cfg.Vocab}, 1, ErrIndex},
		} {
			if _, err := Exact.GPTStep(state, tt.ids, tt.pos, w, cfg); !errors.Is(err, tt.want) {
				t.Errorf("%s: ids %v at %d: error %v, want %v", name, tt.ids, tt.pos, err, tt.want)
			}
		}
		sameBits(t, must(Exact.GPTStep(state, []int{4}, 3, w, cfg)).Data, next.Data)

		// A cache may be larger than the table of learned positions; the table's end is still an error.
		state = NewGPTState(cfg, cfg.Ctx+1)
		must(Exact.GPTStep(state, s.ids(cfg.Ctx, cfg.Vocab), 0, w, cfg))
		if _, err := Exact.GPTStep(state, []int{1}, cfg.Ctx, w, cfg); errors.Is(err, ErrPosition) != (cfg.Positions == PositionsLearned) {
			t.Errorf("%s: a step at n_ctx with %s positions: error %v", name, cfg.Positions, err)
		}
	}

	cfg := must(ConfigByName("tiny"))
	cfg.Positions = "rotary"
	if _, err := Exact.GPT([]int{0}, newSource(8).gpt(must(ConfigByName("tiny"))), cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("positions rotary: error %v, want ErrConfig", err)
	}
}

// States reorder like caches do: a row that takes over another's history continues as that one.
func TestGPTStateReorder(t *testing.T) {
	cfg := must(ConfigByName("tiny-banded"))
	s := newSource(9)
	w := s.gpt(cfg)
	states := []*GPTState{NewGPTState(cfg, 8), NewGPTState(cfg, 8)}
	prompts := [][]int{{1, 2, 3}, {4, 5, 6}}
	for b, prompt := range prompts {
		must(Exact.GPTStep(states[b], prompt, 0, w, cfg))
	}
	states = must(Reorder(states, []int{1, 1}))
	for b, id := range []int{7, 8} {
		got := must(Exact.GPTStep(states[b], []int{id}, 3, w, cfg))
		sameBits(t, got.Data, must(Exact.GPT([]int{4, 5, 6, id}, w, cfg)).Row(3))
	}
}

// A model of one layer has one cache, and steps over it give the rows of the whole.
func TestStepsOfOneLayer(t *testing.T) {
	cfg := must(ConfigByName("tiny"))
	cfg.Layers = 1
	s := newSource(5)
	w, ids := s.gpt(cfg), s.ids(6, cfg.Vocab)
	whole := must(Exact.GPT(ids, w, cfg))
	state := NewGPTState(cfg, len(ids))
	for pos := range ids {
		got := must(Exact.GPTStep(state, ids[pos:pos+1], pos, w, cfg))
		within(t, got.Data, whole.Row(pos), 64)
		if state.Len() != pos+1 {
			t.Errorf("after %d positions the state holds %d", pos+1, state.Len())
		}
	}
}

var _ = derivative(func(s source) (all []differentiable) {
	for _, name := range tinyNames {
		all = append(all, gptLossOf(s, name))
	}
	return all
})

func gptLossOf(s source, name string) differentiable {
	cfg := must(ConfigByName(name))
	w := s.gpt(cfg)
	ids, targets := []int{3, 1, 4, 1, 5}, []int{1, 4, -100, 5, 0}
	return differentiable{"GPTLoss " + name, w.Parameters(), func() []float64 { return must(Exact.GPTLoss(ids, targets, -100, w, cfg)) },
		func(dy []float64) [][]float64 {
			return must(Exact.GPTLossGrad(ids, targets, -100, dy, w, cfg)).Parameters()
		}}
}

func TestGPTLossGradAlgebra(t *testing.T) {
	const ignore = -100
	for _, name := range tinyNames {
		cfg := must(ConfigByName(name))
		s := newSource(23)
		w := s.gpt(cfg)
		parts := [][2][]int{{{3, 1, 4}, {1, ignore, 5}}, {{1, 5, 9, 2}, {5, 9, 2, 6}}, {{6, 5}, {ignore, ignore}}}
		var targets []int
		for _, p := range parts {
			targets = append(targets, p[1]...)
		}

		// The gradient of the mean over a batch is the sum over its parts, each by sum, with 1 over the number of targets that count.
		dlosses := ReduceGrad([]float64{2.5}, targets, ignore, ReduceMean)
		whole, accumulated := zeroLike(w), zeroLike(w)
		for _, p := range parts {
			n := len(p[0])
			addTo(whole, must(Exact.GPTLossGrad(p[0], p[1], ignore, dlosses[:n], w, cfg)))
			bySum := ReduceGrad([]float64{2.5 / 6}, p[1], ignore, ReduceSum)
			addTo(accumulated, must(Exact.GPTLossGrad(p[0], p[1], ignore, bySum, w, cfg)))
			dlosses = dlosses[n:]
		}
		for i := range whole {
			sameBits(t, accumulated[i], whole[i])
		}

		// Tied, the gradient is the sum of both uses; untied, tokens that do not occur have none.
		tied, untied := w, w
		tiedCfg, untiedCfg := cfg, cfg
		tiedCfg.Tied, untiedCfg.Tied = true, false
		tied.Wout, untied.Wout = Matrix{}, w.Wte.T()
		ids, up := []int{3, 1, 4, 1}, s.vector(4)
		one := must(Exact.GPTLossGrad(ids, []int{1, 4, 1, 5}, ignore, up, tied, tiedCfg))
		two := must(Exact.GPTLossGrad(ids, []int{1, 4, 1, 5}, ignore, up, untied, untiedCfg))
		sameBits(t, one.Wte.Data, Add(two.Wte, two.Wout.T()).Data)
		for v := range cfg.Vocab {
			if used := slices.Contains(ids, v); (maximum(rowOf(math.Abs)(two.Wte.Row(v))) != 0) != used {
				t.Errorf("%s: token %d occurs: %v, its gradient is %v", name, v, used, two.Wte.Row(v))
			}
		}
		if cfg.Positions == PositionsLearned {
			for p := range cfg.Ctx {
				if used := p < len(ids); (maximum(rowOf(math.Abs)(one.Wpe.Row(p))) != 0) != used {
					t.Errorf("%s: position %d occurs: %v, its gradient is %v", name, p, used, one.Wpe.Row(p))
				}
			}
		}
	}
}

func zeroLike(w GPTWeights) [][]float64 {
	var zeros [][]float64
	for _, p := range w.Parameters() {
		zeros = append(zeros, make([]float64, len(p)))
	}
	return zeros
}

func addTo(sum [][]float64, dw GPTWeights) {
	for i, g := range dw.Parameters() {
		axpy(sum[i], 1, g)
	}
}
