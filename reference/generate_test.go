package reference

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawModel draws a tiny model and a prompt.
func drawModel(t *rapid.T) (cfg Config, w GPTWeights, prompt []int) {
	cfg = must(ConfigByName(rapid.SampledFrom(tinyNames).Draw(t, "model")))
	s := drawSource(t)
	return cfg, s.gpt(cfg), s.ids(rapid.IntRange(1, 3).Draw(t, "prompt"), cfg.Vocab)
}

// Decoding with a cache gives the tokens that evaluating the whole sequence each time gives.
func TestCachedGenerationIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, w, prompt := drawModel(t)
		g := Generation{Strategy: rapid.SampledFrom([]Strategy{StrategyGreedy, StrategySample}).Draw(t, "strategy"),
			Sampling: drawSampling(t, cfg.Vocab), Beam: BeamConfig{Beams: 1, Length: 4, End: []int{rapid.IntRange(0, cfg.Vocab-1).Draw(t, "end")}}}
		draws := []int{rapid.IntRange(0, 1<<32-1).Draw(t, "draw"), 1 << 31, 1<<32 - 1, 7}
		got := must(Exact.Generate(prompt, draws, w, cfg, g))[0]

		state, next := NewGPTState(cfg, 16), prompt
		var tokens []int
		sum := 0.0
		for n := range 4 {
			rows := must(Exact.GPTStep(state, next, state.Len(), w, cfg))
			x := rows.Row(rows.Rows - 1)
			token := must(g.choose(x, draws, n))
			tokens, next = append(tokens, token), []int{token}
			sum += LogSoftmax(x)[token]
			if slices.Contains(g.Beam.End, token) {
				break
			}
		}
		if !slices.Equal(got.Tokens, tokens) || math.Abs(got.Score-sum) > 1e-12 {
			t.Fatalf("got %v with %v, with a cache %v with %v", got.Tokens, got.Score, tokens, sum)
		}
	})
}

// One beam continues as greedy does, and so does sampling at temperature 0 or from the best token alone. Scores are the model's own.
func TestStrategiesThatAreGreedy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, w, prompt := drawModel(t)
		end := []int{rapid.IntRange(0, cfg.Vocab-1).Draw(t, "end")}
		beam := BeamConfig{Form: Textbook, Beams: 1, Length: 4, End: end}
		want := must(Exact.Generate(prompt, nil, w, cfg, Generation{Strategy: StrategyGreedy, Beam: beam}))[0]
		for _, g := range []Generation{
			{Strategy: StrategyBeam, Beam: beam},
			{Strategy: StrategyBeam, Beam: BeamConfig{Form: HuggingFace, Beams: 1, Length: 4, End: end, Stop: StopAtOnce}},
			{Strategy: StrategySample, Sampling: Sampling{TopP: 1}, Beam: beam},
			{Strategy: StrategySample, Sampling: Sampling{Temperature: 2, TopK: 1, TopP: 1}, Beam: beam},
		} {
			got := must(Exact.Generate(prompt, []int{1 << 20, 1 << 31, 0, 5}, w, cfg, g))[0]
			if !slices.Equal(got.Tokens, want.Tokens) || got.Score != want.Score {
				t.Fatalf("%+v: got %v with %v, greedy gives %v with %v", g, got.Tokens, got.Score, want.Tokens, want.Score)
			}
		}
	})
}

func TestGenerationEnds(t *testing.T) {
	cfg := must(ConfigByName("tiny"))
	w := newSource(3).gpt(cfg)
	g := Generation{Strategy: StrategyGreedy, Beam: BeamConfig{Length: 5}}
	free := must(Exact.Generate([]int{1, 2}, nil, w, cfg, g))[0].Tokens
	if len(free) != 5 {
		t.Fatalf("without a token that ends: %v", free)
	}
	g.Beam.End = []int{free[0]}
	if got := must(Exact.Generate([]int{1, 2}, nil, w, cfg, g))[0].Tokens; !slices.Equal(got, free[:1]) {
		t.Errorf("the first token ends: got %v, want %v", got, free[:1])
	}
	g.Beam.End = []int{1, 2} // both in the prompt
	want := free
	if i := slices.IndexFunc(free, func(x int) bool { return x == 1 || x == 2 }); i >= 0 {
		want = free[:i+1]
	}
	if got := must(Exact.Generate([]int{1, 2}, nil, w, cfg, g))[0].Tokens; !slices.Equal(got, want) {
		t.Errorf("tokens that end, in the prompt: got %v, want %v", got, want)
	}
}

func TestGenerationErrors(t *testing.T) {
	cfg := must(ConfigByName("tiny"))
	w := newSource(3).gpt(cfg)
	room := cfg.Ctx - 4 + 1 // for a prompt before 4 new tokens
	g := Generation{Strategy: StrategyGreedy, Beam: BeamConfig{Length: 4}}
	if _, err := Exact.Generate(make([]int, room), nil, w, cfg, g); err != nil {
		t.Errorf("a prompt of %d: %v", room, err)
	}
	g.Beam.End = []int{must(Exact.Generate(make([]int, room), nil, w, cfg, g))[0].Tokens[0]} // it would end at once
	if _, err := Exact.Generate(make([]int, room+1), nil, w, cfg, g); !errors.Is(err, ErrPosition) {
		t.Errorf("a prompt of %d: got %v", room+1, err)
	}
	if _, err := Exact.Generate([]int{cfg.Vocab}, nil, w, cfg, g); !errors.Is(err, ErrIndex) {
		t.Errorf("an id outside the vocabulary: got %v", err)
	}
	w.LNfBeta = filled(cfg.DModel, math.NaN())
	for _, s := range []Strategy{StrategyGreedy, StrategySample, StrategyBeam} {
		g.Strategy, g.Beam.Form, g.Beam.Beams, g.Sampling = s, Textbook, 2, Sampling{Temperature: 1, TopP: 1}
		if _, err := Exact.Generate([]int{1}, []int{1, 2, 3, 4}, w, cfg, g); !errors.Is(err, ErrNumber) {
			t.Errorf("%s: logits of NaN: got %v", s, err)
		}
	}
}
