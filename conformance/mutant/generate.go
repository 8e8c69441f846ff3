package mutant

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// generationParts are the decisions in which generation goes wrong.
type generationParts struct {
	context     func(prompt, tokens []int64) []int64
	room        func(prompt, maxNew, context int) error
	drawAt      func(draws []int64, n, maxNew, item int) int64
	chosenLog   func(row []float32, token int, a op.SamplingAttrs) float32
	endedBefore func(prompt []int64, end []int) bool
	first       func(start int) []int64
}

var _ = parts(func(p *plain) {
	p.generationParts = generationParts{
		context: func(prompt, tokens []int64) []int64 { return slices.Concat(prompt, tokens) }, room: room,
		drawAt:      func(draws []int64, n, maxNew, item int) int64 { return draws[item*maxNew+n] },
		chosenLog:   func(row []float32, token int, _ op.SamplingAttrs) float32 { return p.logProbs(row)[token] },
		endedBefore: func([]int64, []int) bool { return false },
		first:       func(start int) []int64 { return []int64{int64(start)} },
	}
})

type generator struct {
	p *plain
	m model
}

var _ = offerKernel((*plain).openGenerate)

func (p *plain) openGenerate(a op.GPTGenerateArgs) (op.Runner[op.GPTGenerateArgs], error) {
	return generator{p, p.model(a.GPTAttrs, a.GPTWeights)}, nil
}

func (g generator) Run(a op.GPTGenerateArgs) error {
	batch := a.Tokens.Shape[0]
	for b := range batch {
		prompt := []int64(nil)
		if a.Prompt.Present() {
			seqLen := a.Prompt.Shape[1]
			prompt = a.Prompt.I64[b*seqLen : (b+1)*seqLen]
		} else {
			prompt = g.p.first(*a.Start)
		}
		found, err := g.continuations(prompt, b, a)
		if err != nil {
			return fmt.Errorf("gpt.generate: %w", err)
		}
		g.p.giveSequences(found, b, a.Tokens, a.Length, a.Score)
	}
	return nil
}

// continuations returns the best continuations of one prompt.
func (g generator) continuations(prompt []int64, b int, a op.GPTGenerateArgs) ([]sequence, error) {
	p := g.p
	if g.m.Positions == "learned" {
		if err := p.room(len(prompt), a.MaxNew, g.m.wpe.rows); err != nil {
			return nil, err
		}
	}
	logits := func(tokens []int64) ([]float32, error) {
		all, err := p.logits(g.m, p.context(prompt, tokens), 1)
		if err != nil {
			return nil, err
		}
		return all.row(all.rows - 1), nil
	}
	if a.Strategy == "beam" {
		return p.beams(search{logits, a.BeamAttrs, a.End, a.MaxNew, len(prompt)})
	}
	s := sequence{ended: p.endedBefore(prompt, a.End)}
	for n := 0; n < a.MaxNew && !s.ended; n++ {
		row, err := logits(s.tokens)
		if err != nil {
			return nil, err
		}
		token, err := g.choose(row, n, b, a)
		if err != nil {
			return nil, err
		}
		s = p.extended(s, token, p.chosenLog(row, token, a.SamplingAttrs), a.End)
	}
	s.score = s.sum
	return []sequence{s}, nil
}

func (g generator) choose(row []float32, n, b int, a op.GPTGenerateArgs) (int, error) {
	if a.Strategy == "sample" {
		return g.p.sampled(row, a.SamplingAttrs, g.p.drawAt(a.Draws.I64, n, a.MaxNew, b))
	}
	left, err := g.p.choices(row)
	if err != nil {
		return 0, err
	}
	return left[0], nil
}

func room(prompt, maxNew, context int) error {
	if last := prompt + maxNew - 1; last > context {
		return fmt.Errorf("%w: a prompt of %d and %d new tokens need %d positions, there are %d", op.ErrPosition, prompt, maxNew, last, context)
	}
	return nil
}

var _ = plant([]bug{
	{"gpt-generate-last-token-only", "gpt.generate", "DEC-26", "Looks at the last token only, without those before it.", "", func(p *plain) {
		p.context = func(prompt, tokens []int64) []int64 {
			all := slices.Concat(prompt, tokens)
			return all[len(all)-1:]
		}
	}},
	{"gpt-generate-prompt-only", "gpt.generate", "DEC-26", "Does not look at its own tokens.", "", func(p *plain) {
		p.context = func(prompt, _ []int64) []int64 { return prompt }
	}},
	{"gpt-generate-first-draw", "gpt.generate", "DEC-26", "Uses the first draw for every token.", "", func(p *plain) {
		p.drawAt = func(draws []int64, _, maxNew, item int) int64 { return draws[item*maxNew] }
	}},
	{"gpt-generate-draws-of-first-item", "gpt.generate", "DEC-26", "Uses the draws of the first batch item for all.", "", func(p *plain) {
		p.drawAt = func(draws []int64, n, _, _ int) int64 { return draws[n] }
	}},
	{"gpt-generate-positions-from-one", "gpt.generate", "DEC-26", "Counts positions from 1.", "", func(p *plain) {
		p.firstPos = func(pos int) int { return pos + 1 }
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(pos, limit-1)), nil }
	}},
	{"gpt-generate-end-in-prompt", "gpt.generate", "DEC-27", "Has ended where the prompt ends with a token that ends.", "", func(p *plain) {
		p.endedBefore = func(prompt []int64, end []int) bool { return slices.Contains(end, int(prompt[len(prompt)-1])) }
	}},
	{"gpt-generate-start-ignored", "gpt.generate", "DEC-27", "Begins with token 0.", "", func(p *plain) {
		p.first = func(int) []int64 { return []int64{0} }
	}},
	{"gpt-generate-penalty-with-prompt", "gpt.generate", "DEC-20", "Counts the prompt in the length penalty.", "vLLM", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		return penalised(sum, n+prompt, prompt, a)
	})},
	{"gpt-generate-end-ignored", "gpt.generate", "DEC-28", "Goes on to the greatest length.", "", ending(func(int, int, []int) bool { return false })},
	{"gpt-generate-padded-with-zero", "gpt.generate", "DEC-28", "Fills the places behind a sequence with 0.", "", func(p *plain) { p.padding = 0 }},
	{"gpt-generate-score-of-sampling", "gpt.generate", "DEC-29", "Sums the logarithms of the sampling distribution.", "", func(p *plain) {
		p.chosenLog = func(row []float32, token int, a op.SamplingAttrs) float32 {
			probs, _ := p.distribution(row, a)
			return log32(probs[token])
		}
	}},
	{"gpt-generate-score-mean", "gpt.generate", "DEC-29", "Divides the score of a sampled sequence by the number of draws.", "", func(p *plain) {
		p.chosenLog = func(row []float32, token int, _ op.SamplingAttrs) float32 { return p.logProbs(row)[token] / 2 }
	}},
	{"gpt-generate-room-off-by-one", "gpt.generate", "DEC-30", "Wants a position for the last new token.", "", func(p *plain) {
		p.room = func(prompt, maxNew, context int) error { return room(prompt+1, maxNew, context) }
	}},
	{"gpt-generate-room-unchecked", "gpt.generate", "DEC-30", "Clamps positions to the context.", "", func(p *plain) {
		p.room = func(_, _, _ int) error { return nil }
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(pos, limit-1)), nil }
	}},
	{"gpt-generate-prompt-clamped", "gpt.generate", "DEC-31", "Clamps the prompt's ids to the vocabulary.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"gpt-generate-ties-last", "gpt.generate", "DEC-4", "Chooses the last of equal logits.", "", func(p *plain) { p.ranked = lastFirst }},
})
