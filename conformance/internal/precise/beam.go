package precise

import (
	"math"
	"slices"
)

type beamAttrs struct {
	Form          string  `json:"form"`
	Beams         int     `json:"beams"`
	End           []int   `json:"end"`
	LengthPenalty float64 `json:"length_penalty"`
	Penalty       string  `json:"penalty"`
	EarlyStopping string  `json:"early_stopping"`
}

func beamDefaults() beamAttrs {
	return beamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"}
}

// sequence is a list of tokens with the sum of their logarithms.
type sequence[S any] struct {
	tokens []int
	sum    number
	score  number
	state  S // what the next logits depend on
	ended  bool
}

// search is DEC-15 to DEC-23 for one batch item, under an automaton of states S.
type search[S any] struct {
	beamAttrs
	length int                    // N
	logits func(S) []number       // of the token after a state
	next   func(s S, token int) S // the state after it
	failed bool                   // a row of logits was looked at from which nothing can be chosen: DEC-1
}

// candidates are those of DEC-15, ranked: DEC-16.
func (s *search[S]) candidates(from []sequence[S]) []sequence[S] {
	var all []sequence[S]
	for _, f := range from {
		if f.ended {
			all = append(all, f)
			continue
		}
		row := s.logits(f.state)
		if !choosable(row) {
			s.failed = true
			return nil
		}
		m, es := exponentials(row)
		logS := logSum(es)
		for t, x := range row {
			if !x.isFinite() {
				continue
			}
			all = append(all, sequence[S]{
				tokens: append(slices.Clone(f.tokens), t),
				sum:    add(f.sum, sub(sub(x, m), logS)),
				state:  s.next(f.state, t),
				ended:  slices.Contains(s.End, t),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b sequence[S]) int { return compare(b.sum, a.sum) }) // stable: by parent, then by token
	return all
}

// run returns at most K results: DEC-18, or DEC-19 to DEC-22.
func (s *search[S]) run(start S) []sequence[S] {
	begin := []sequence[S]{{sum: zero, state: start}}
	if s.Form == "textbook" {
		return s.textbook(begin)
	}
	return s.huggingFace(begin)
}

func (s *search[S]) textbook(kept []sequence[S]) []sequence[S] {
	for range s.length {
		if !slices.ContainsFunc(kept, func(k sequence[S]) bool { return !k.ended }) {
			break
		}
		kept = first(s.candidates(kept), s.Beams)
	}
	for i := range kept {
		kept[i].score = kept[i].sum
	}
	return kept
}

func (s *search[S]) huggingFace(going []sequence[S]) (finished []sequence[S]) {
	for n := 1; n <= s.length && len(going) > 0; n++ {
		all := s.candidates(going)
		for _, c := range first(all, s.Beams) {
			if c.ended || n == s.length {
				c.score = s.scored(c.sum, n)
				finished = append(finished, c)
			}
		}
		slices.SortStableFunc(finished, func(a, b sequence[S]) int { return compare(b.score, a.score) })
		finished = first(finished, s.Beams)
		going = first(slices.DeleteFunc(all, func(c sequence[S]) bool { return c.ended }), s.Beams)
		if len(finished) == s.Beams && len(going) > 0 && s.decided(going[0].sum, n, finished[s.Beams-1].score) {
			break
		}
	}
	return finished
}

// decided: DEC-21.
func (s *search[S]) decided(best number, n int, lowest number) bool {
	switch {
	case s.EarlyStopping == "true":
		return true
	case s.EarlyStopping == "never" && s.LengthPenalty > 0:
		n = s.length
	}
	return compare(s.scored(best, n), lowest) <= 0
}

// scored: DEC-20.
func (s *search[S]) scored(sum number, n int) number {
	base := ofInt(n)
	if s.Penalty == "gnmt" {
		base = ratio(int64(5+n), 6)
	}
	return quo(sum, pow(base, of(s.LengthPenalty)))
}

func first[E any](list []E, n int) []E { return list[:min(n, len(list))] }

// decoded are the three results of a search, for each batch item its sequences: DEC-23.
func decoded[S any](items [][]sequence[S], beams, length int) Step {
	tokens, lengths, scores := []number{}, []number{}, []number{}
	for _, item := range items {
		slices.SortStableFunc(item, func(a, b sequence[S]) int { return compare(b.score, a.score) })
		for k := range beams {
			q := sequence[S]{score: of(math.Inf(-1))}
			if k < len(item) {
				q = item[k]
			}
			for i := range length {
				token := -1
				if i < len(q.tokens) {
					token = q.tokens[i]
				}
				tokens = append(tokens, ofInt(token))
			}
			lengths, scores = append(lengths, ofInt(len(q.tokens))), append(scores, q.score)
		}
	}
	return Step{Results: map[string]Result{
		"tokens": listed([][]number{tokens}), "length": listed([][]number{lengths}), "score": listed([][]number{scores}),
	}}
}

type beamSearchAttrs struct {
	beamAttrs
	MaxLength int `json:"max_length"`
}

var _ = register("beam_search", func() beamSearchAttrs { return beamSearchAttrs{beamAttrs: beamDefaults()} }, beamSearch)

func beamSearch(a beamSearchAttrs, in arrays) Step {
	logits, next, states := in["logits"].rows(), in["next"], in["state"].I64
	for _, s := range slices.Concat(next.I64, states) { // DEC-25
		if s < 0 || s >= int64(len(logits)) {
			return fails("index")
		}
	}
	s := search[int64]{beamAttrs: a.beamAttrs, length: a.MaxLength,
		logits: func(s int64) []number { return logits[s] },
		next:   func(s int64, token int) int64 { return next.I64[int(s)*next.dim(1)+token] },
	}
	var items [][]sequence[int64]
	for _, start := range states {
		items = append(items, s.run(start))
	}
	if s.failed {
		return fails("number")
	}
	return decoded(items, a.Beams, a.MaxLength)
}
