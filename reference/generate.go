package reference

import (
	"fmt"
	"slices"
)

// Strategy names how new tokens are chosen.
type Strategy string

// The strategies of generation.
const (
	StrategyGreedy Strategy = "greedy"
	StrategySample Strategy = "sample"
	StrategyBeam   Strategy = "beam"
)

// Generation describes how a model continues a prompt: by at most Beam.Length new tokens, until one of Beam.End. Sampling counts with
// StrategySample; of Beam all else with StrategyBeam.
type Generation struct {
	Strategy Strategy
	Sampling Sampling
	Beam     BeamConfig
}

// Generate continues a prompt, the start token where there is no text before. Each new token is chosen from the last row of
//
//	GPT(prompt, new tokens so far)
//
// The result holds the new tokens alone: one sequence, or with StrategyBeam what BeamSearch returns. draws [Beam.Length], for
// StrategySample, holds a draw of 32 bits for each new token. The score of a greedy or sampled sequence is
//
//	log_softmax(logits)_token, summed over the new tokens
//
// in the model's own distribution, whatever the sampling.
//
// A token of End ends the sequence and belongs to it; one in the prompt ends nothing. Where positions are learned, a prompt of T tokens with
// T + Beam.Length - 1 > n_ctx is an error that wraps ErrPosition (the last new token is not looked at again). Other errors are those of
// GPT, Greedy and Sample.
func (p Primitives) Generate(prompt, draws []int, w GPTWeights, cfg Config, g Generation) ([]Hypothesis, error) {
	require(len(prompt) > 0, "Generate: an empty prompt, begin with a start token")
	if last := len(prompt) + g.Beam.Length - 1; cfg.Positions == PositionsLearned && last > cfg.Ctx {
		return nil, fmt.Errorf("reference: Generate: a prompt of %d and %d new tokens need %d positions, there are %d: %w",
			len(prompt), g.Beam.Length, last, cfg.Ctx, ErrPosition)
	}
	logits := func(tokens []int) ([]float64, error) {
		all, err := p.GPT(slices.Concat(prompt, tokens), w, cfg)
		if err != nil {
			return nil, err
		}
		return all.Row(all.Rows - 1), nil
	}
	if g.Strategy == StrategyBeam {
		return p.BeamSearch(logits, g.Beam)
	}
	var h Hypothesis
	for n := 0; n < g.Beam.Length && !h.Ended; n++ {
		x, err := logits(h.Tokens)
		if err != nil {
			return nil, err
		}
		token, err := g.choose(x, draws, n)
		if err != nil {
			return nil, err
		}
		h = h.extend(token, p.LogSoftmax(x)[token], g.Beam.End)
	}
	h.Score = p.Score(h.Logs, len(h.Logs), LengthPenalty{})
	return []Hypothesis{h}, nil
}

// choose returns new token n.
func (g Generation) choose(logits []float64, draws []int, n int) (int, error) {
	if g.Strategy == StrategySample {
		return Sample(logits, g.Sampling, draws[n])
	}
	return Greedy(logits)
}
