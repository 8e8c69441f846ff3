package precise

import (
	"math"
	"slices"
)

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
	attributes
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

func beamSearch(a attributes, in arrays) Step {
	logits, next, states := in["logits"].rows(), in["next"], in["state"].I64
	for _, s := range slices.Concat(next.I64, states) { // DEC-25
		if s < 0 || s >= int64(len(logits)) {
			return fails("index")
		}
	}
	s := search[int64]{attributes: a, length: a.MaxLength,
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

// gptGenerate: DEC-26 to DEC-31. What comes next depends on the path of prefixes.
func gptGenerate(a attributes, in arrays) Step {
	m := newModel(a, in)
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
	s := search[path]{attributes: a, length: a.MaxNew,
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
		q, faults := chosen(&s, start, draws)
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
func chosen[S any](s *search[S], state S, draws []int64) (q sequence[S], faults []string) {
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
			token = inverted(s.distribution(row), draws[n])
		}
		m, es := exponentials(row)
		q.tokens, q.sum = append(q.tokens, token), add(q.sum, sub(sub(row[token], m), logSum(es)))
		q.ended = slices.Contains(s.End, token)
		state = s.next(state, token)
	}
	q.score = q.sum
	return q, nil
}
