package refimpl

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

func (f Functions) decoding() []op.Implementation {
	return []op.Implementation{
		op.Greedy(greedy),
		op.Distribution(f.distribution),
		op.Sample(sample),
		op.BeamSearch(f.beamSearch),
		op.GPTGenerate(f.openGPTGenerate),
	}
}

func greedy(a op.GreedyArgs) error {
	for i, row := range vectors(a.Logits) {
		token, err := reference.Greedy(row)
		if err != nil {
			return err
		}
		a.Token.I64[i] = int64(token)
	}
	return nil
}

func (f Functions) distribution(a op.DistributionArgs) error {
	out := matrix(a.Probs)
	for i, row := range vectors(a.Logits) {
		p, err := f.Distribution(row, reference.Sampling(a.SamplingAttrs))
		if err != nil {
			return err
		}
		copy(out.Row(i), p)
	}
	return nil
}

func sample(a op.SampleArgs) error {
	draws := ints(a.Draws)
	for i, row := range vectors(a.Logits) {
		token, err := reference.Sample(row, reference.Sampling(a.SamplingAttrs), draws[i])
		if err != nil {
			return err
		}
		a.Token.I64[i] = int64(token)
	}
	return nil
}

func beamConfig(a op.BeamAttrs, end []int, length int) reference.BeamConfig {
	return reference.BeamConfig{
		Form: reference.Form(a.Form), Beams: a.Beams, End: end, Length: length,
		Penalty: reference.LengthPenalty{Exponent: a.LengthPenalty, GNMT: a.Penalty == "gnmt"},
		Stop:    reference.EarlyStopping(a.EarlyStopping),
	}
}

func (f Functions) beamSearch(a op.BeamSearchArgs) error {
	machine := reference.Automaton{Logits: matrix(a.Logits), Next: intRows(a.Next)}
	c := beamConfig(a.BeamAttrs, a.End, a.MaxLength)
	for b, start := range ints(a.State) {
		logits, err := machine.From(start)
		if err != nil {
			return err
		}
		found, err := f.BeamSearch(logits, c)
		if err != nil {
			return err
		}
		storeHypotheses(a.Tokens, a.Length, a.Score, b, found)
	}
	return nil
}

// storeHypotheses writes the results of batch item b: places without a token hold -1, those without a sequence a score of -Inf.
func storeHypotheses(tokens, length, score op.Tensor, b int, found []reference.Hypothesis) {
	beams, n := tokens.Shape[1], tokens.Shape[2]
	for k := range beams {
		var h reference.Hypothesis
		h.Score = math.Inf(-1)
		if k < len(found) {
			h = found[k]
		}
		row := tokens.I64[(b*beams+k)*n:][:n]
		for i := range row {
			row[i] = -1
			if i < len(h.Tokens) {
				row[i] = int64(h.Tokens[i])
			}
		}
		length.I64[b*beams+k], score.F64[b*beams+k] = int64(len(h.Tokens)), h.Score
	}
}

type gptGenerate struct {
	f   Functions
	w   reference.GPTWeights
	cfg reference.Config
	g   reference.Generation
}

func (f Functions) openGPTGenerate(a op.GPTGenerateArgs) (op.Runner[op.GPTGenerateArgs], error) {
	w, cfg := model(a.GPTAttrs, a.GPTWeights)
	return gptGenerate{f, w, cfg, reference.Generation{
		Strategy: reference.Strategy(a.Strategy),
		Sampling: reference.Sampling(a.SamplingAttrs),
		Beam:     beamConfig(a.BeamAttrs, a.End, a.MaxNew),
	}}, nil
}

func (k gptGenerate) Run(a op.GPTGenerateArgs) error {
	batch := a.Tokens.Shape[0]
	prompts, draws := make([][]int, batch), make([][]int, batch)
	for b := range prompts {
		if a.Start != nil {
			prompts[b] = []int{*a.Start}
		}
	}
	if a.Prompt.Present() {
		prompts = intRows(a.Prompt)
	}
	if a.Draws.Present() {
		draws = intRows(a.Draws)
	}
	for b := range batch {
		found, err := k.f.Generate(prompts[b], draws[b], k.w, k.cfg, k.g)
		if err != nil {
			return err
		}
		storeHypotheses(a.Tokens, a.Length, a.Score, b, found)
	}
	return nil
}
