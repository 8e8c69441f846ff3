package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("gpt.generate", func(f functions) op.Implementation { return op.GPTGenerate(f.openGPTGenerate) })

type gptGenerate struct {
	f   functions
	w   reference.GPTWeights
	cfg reference.Config
	g   reference.Generation
}

func (f functions) openGPTGenerate(a op.GPTGenerateArgs) (op.Runner[op.GPTGenerateArgs], error) {
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
