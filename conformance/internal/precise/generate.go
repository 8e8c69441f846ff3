package precise

import (
	"slices"
)

type generateAttrs struct {
	modelAttrs
	samplingAttrs
	beamAttrs
	Strategy string `json:"strategy"`
	MaxNew   int    `json:"max_new"`
	Start    *int64 `json:"start"`
}

func generateDefaults() generateAttrs {
	return generateAttrs{modelAttrs: modelDefaults(), samplingAttrs: samplingDefaults(), beamAttrs: beamDefaults(), Strategy: "greedy"}
}

var _ = register("gpt.generate", generateDefaults, gptGenerate)

// gptGenerate: DEC-26 to DEC-31. What comes next depends on the path of prefixes.
func gptGenerate(a generateAttrs, in arrays) Step {
	m := newModel(a.modelAttrs, in)
	var prompts [][]int64
	switch {
	case in["prompt"] != nil:
		prompts = slices.Collect(slices.Chunk(in["prompt"].I64, in["prompt"].dim(1)))
	case in["draws"] != nil:
		prompts = slices.Repeat([][]int64{{*a.Start}}, in["draws"].dim(0))
	default:
		prompts = [][]int64{{*a.Start}}
	}
	if kinds := m.faults(slices.Concat(prompts...), len(prompts[0])+a.MaxNew-1); kinds != nil {
		return fails(kinds...)
	}
	type path = []*prefix
	s := search[path]{beamAttrs: a.beamAttrs, length: a.MaxNew,
		logits: func(p path) []number {
			row := make([]number, m.vocabulary())
			for class := range row {
				row[class] = m.logit(p[len(p)-1], class)
			}
			return row
		},
		next: func(p path, token int) path {
			if len(p) == len(prompts[0])+a.MaxNew-1 { // the last token is not looked at again
				return nil
			}
			return append(slices.Clone(p), m.after(p, int64(token)))
		},
	}
	var items [][]sequence[path]
	var kinds []string
	for b, prompt := range prompts {
		var start path
		for _, id := range prompt {
			start = append(start, m.after(start, id))
		}
		if a.Strategy == "beam" {
			items = append(items, s.run(start))
			continue
		}
		var draws []int64
		if in["draws"] != nil {
			draws = in["draws"].I64[b*a.MaxNew : (b+1)*a.MaxNew]
		}
		q, faults := chosen(&s, a.samplingAttrs, start, draws)
		items, kinds = append(items, []sequence[path]{q}), append(kinds, faults...)
	}
	if s.failed {
		kinds = append(kinds, "number")
	}
	if kinds != nil {
		return fails(kinds...)
	}
	return decoded(items, a.Beams, a.MaxNew)
}

// chosen goes one way only: greedy without draws, or by sampling: DEC-26, DEC-28, DEC-29.
func chosen[S any](s *search[S], a samplingAttrs, state S, draws []int64) (q sequence[S], faults []string) {
	q.sum = zero
	for n := 0; n < s.length && !q.ended; n++ {
		row := s.logits(state)
		if !choosable(row) {
			s.failed = true
			break
		}
		token := 0
		if draws == nil {
			token = ranked(row)[0]
		} else if !validDraws(draws[n : n+1]) {
			return q, []string{"index"}
		} else {
			token = inverted(a.distribution(row), draws[n])
		}
		m, es := exponentials(row)
		q.tokens, q.sum = append(q.tokens, token), add(q.sum, sub(sub(row[token], m), logSum(es)))
		q.ended = slices.Contains(s.End, token)
		state = s.next(state, token)
	}
	q.score = q.sum
	return q, nil
}
