package mutant

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// searchParts are the decisions in which beam search goes wrong.
type searchParts struct {
	state       func(index int64, states int) (int, error)
	beginning   func(beams int) []sequence
	addLog      func(sum, log float32, ends bool) float32
	isEnd       func(token int, length int, end []int) bool
	order       func(a, b sequence) int
	keepsPlace  func(s sequence) []sequence       // what an ended sequence is a candidate as, form textbook
	allEnded    func(kept []sequence) bool        // form textbook
	finishes    func(rank, beams int) bool        // form hf: a candidate that ends
	goesOn      func(rank, beams, going int) bool // form hf: one that does not
	penalised   func(sum float32, n, prompt int, a op.BeamAttrs) float32
	full        func(finished, beams int) bool
	stopLength  func(n int, s search) int
	noBetter    func(best, worst float32) bool
	lastStep    func(n int, s search) bool
	sortResults func(found []sequence)
	limit       func(item, length int, before []int) int // the length of a batch item's search
	padding     int64
	textbookEnd func(s sequence, n int) float32 // the score of a result, form textbook
}

var _ = parts(func(p *plain) {
	p.searchParts = searchParts{
		state: stateRow, beginning: func(int) []sequence { return []sequence{{}} },
		addLog: func(sum, log float32, _ bool) float32 { return sum + log },
		isEnd:  func(token, _ int, end []int) bool { return slices.Contains(end, token) },
		order:  func(a, b sequence) int { return descending(a.sum, b.sum) }, keepsPlace: func(s sequence) []sequence { return []sequence{s} },
		allEnded: allEnded, finishes: func(rank, beams int) bool { return rank < beams },
		goesOn: func(_, beams, going int) bool { return going < beams }, penalised: penalised,
		full: func(finished, beams int) bool { return finished >= beams }, stopLength: stopLength,
		noBetter: func(best, worst float32) bool { return best <= worst }, lastStep: func(n int, s search) bool { return n == s.length },
		sortResults: func(found []sequence) {
			slices.SortStableFunc(found, func(a, b sequence) int { return descending(a.score, b.score) })
		},
		limit: func(_, length int, _ []int) int { return length }, padding: -1,
		textbookEnd: func(s sequence, _ int) float32 { return s.sum },
	}
})

// sequence is one that a search has come to.
type sequence struct {
	tokens []int64
	sum    float32 // of the logarithms of its tokens' probabilities
	ended  bool
	score  float32 // of a result
}

// search is what a beam search works on. next returns the logits after some tokens.
type search struct {
	next   func(tokens []int64) ([]float32, error)
	a      op.BeamAttrs
	end    []int
	length int // at most
	prompt int // tokens before the first
}

func stateRow(index int64, states int) (int, error) {
	if index < 0 || index >= int64(states) {
		return 0, fmt.Errorf("%w: state %d: want 0 to %d", op.ErrIndex, index, states-1)
	}
	return int(index), nil
}

var _ = offer((*plain).beamSearchOp)

func (p *plain) beamSearchOp(a op.BeamSearchArgs) error {
	logits, next := rowsOf(a.Logits), a.Next.I64
	for _, state := range slices.Concat(a.State.I64, next) {
		if _, err := p.state(state, logits.rows); err != nil {
			return fmt.Errorf("beam_search: %w", err)
		}
	}
	var lengths []int
	for b, start := range a.State.I64 {
		longest := 0
		rows := func(tokens []int64) ([]float32, error) {
			longest = max(longest, len(tokens)+1)
			state, _ := p.state(start, logits.rows)
			for _, token := range tokens {
				state, _ = p.state(next[state*logits.cols+int(token)], logits.rows)
			}
			return logits.row(state), nil
		}
		found, err := p.beams(search{rows, a.BeamAttrs, a.End, p.limit(b, a.MaxLength, lengths), 0})
		if err != nil {
			return fmt.Errorf("beam_search: %w", err)
		}
		lengths = append(lengths, longest)
		p.giveSequences(found, b, a.Tokens, a.Length, a.Score)
	}
	return nil
}

// beams returns the best sequences, the best first.
func (p *plain) beams(s search) ([]sequence, error) {
	find := p.textbook
	if s.a.Form == "hf" {
		find = p.huggingFace
	}
	found, err := find(s)
	if err != nil {
		return nil, err
	}
	p.sortResults(found)
	return found[:min(len(found), s.a.Beams)], nil
}

// textbook keeps the best K sequences, ended ones among them, until all have ended.
func (p *plain) textbook(s search) ([]sequence, error) {
	kept := p.beginning(s.a.Beams)
	n := 0
	for n < s.length && !p.allEnded(kept) {
		n++
		candidates, err := p.candidates(kept, s)
		if err != nil {
			return nil, err
		}
		kept = candidates[:min(s.a.Beams, len(candidates))]
	}
	for i := range kept {
		kept[i].score = p.textbookEnd(kept[i], n)
	}
	return kept, nil
}

func allEnded(kept []sequence) bool {
	return !slices.ContainsFunc(kept, func(s sequence) bool { return !s.ended })
}

// huggingFace takes sequences that end out of the K that go on.
func (p *plain) huggingFace(s search) ([]sequence, error) {
	var finished []sequence
	going := p.beginning(s.a.Beams)
	beams := s.a.Beams
	for n := 1; n <= s.length && len(going) > 0; n++ {
		candidates, err := p.candidates(going, s)
		if err != nil {
			return nil, err
		}
		going = nil
		for rank, c := range candidates {
			switch ends := c.ended || p.lastStep(n, s); {
			case ends && p.finishes(rank, beams):
				c.score = p.penalised(c.sum, n, s.prompt, s.a)
				finished = append(finished, c)
			case !ends && p.goesOn(rank, beams, len(going)):
				going = append(going, c)
			}
		}
		slices.SortStableFunc(finished, func(a, b sequence) int { return descending(a.score, b.score) })
		finished = finished[:min(beams, len(finished))]
		if p.full(len(finished), beams) && len(going) > 0 && len(finished) > 0 &&
			p.stops(going[0], finished[len(finished)-1], n, s) {
			break
		}
	}
	return finished, nil
}

// stops decides whether a search with K finished sequences ends.
func (p *plain) stops(best, worst sequence, n int, s search) bool {
	if s.a.EarlyStopping == "true" {
		return true
	}
	return p.noBetter(p.penalised(best.sum, p.stopLength(n, s), s.prompt, s.a), worst.score)
}

func stopLength(n int, s search) int {
	if s.a.EarlyStopping == "never" && s.a.LengthPenalty > 0 {
		return s.length
	}
	return n
}

// penalised is the sum over n^alpha, or ((5 + n)/6)^alpha.
func penalised(sum float32, n, _ int, a op.BeamAttrs) float32 {
	base := float64(n)
	if a.Penalty == "gnmt" {
		base = (5 + base) / 6
	}
	return sum / powered(base, a.LengthPenalty)
}

// powered is x^y in float64, rounded once.
func powered(x, y float64) float32 { return float32(math.Pow(x, y)) }

// candidates are all that may come after some sequences, ranked.
func (p *plain) candidates(from []sequence, s search) ([]sequence, error) {
	var all []sequence
	for _, q := range from {
		if q.ended {
			all = append(all, p.keepsPlace(q)...)
			continue
		}
		row, err := s.next(q.tokens)
		if err != nil {
			return nil, err
		}
		if err := p.usable(row); err != nil {
			return nil, err
		}
		for token, log := range p.logProbs(row) {
			if p.selectable(row[token]) {
				all = append(all, p.extended(q, token, log, s.end))
			}
		}
	}
	slices.SortStableFunc(all, p.order)
	return all, nil
}

// extended is a sequence with one more token.
func (p *plain) extended(s sequence, token int, log float32, end []int) sequence {
	ends := p.isEnd(token, len(s.tokens)+1, end)
	return sequence{tokens: append(slices.Clone(s.tokens), int64(token)), sum: p.addLog(s.sum, log, ends), ended: ends}
}

// giveSequences writes the results of one batch item, padded.
func (p *plain) giveSequences(found []sequence, b int, tokens, length, score op.Tensor) {
	beams, n := tokens.Shape[1], tokens.Shape[2]
	for k := range beams {
		s := sequence{score: -inf}
		if k < len(found) {
			s = found[k]
		}
		at := b*beams + k
		row := tokens.I64[at*n : (at+1)*n]
		for i := range row {
			row[i] = p.padding
		}
		copy(row, s.tokens)
		length.I64[at], score.F32[at] = int64(len(s.tokens)), p.store(s.score)
	}
}

// ending returns the bug of another rule for what ends a sequence.
func ending(f func(token, length int, end []int) bool) func(*plain) {
	return func(p *plain) { p.isEnd = f }
}

// penalty returns the bug of another length penalty.
func penalty(f func(sum float32, n, prompt int, a op.BeamAttrs) float32) func(*plain) {
	return func(p *plain) { p.penalised = f }
}

var _ = plant([]bug{
	{"beam-search-logits-summed", "beam_search", "DEC-15", "Sums logits, not the logarithms of probabilities.", "", func(p *plain) {
		p.logProb = func(x, _, _ float32) float32 { return x }
	}},
	{"beam-search-probabilities-summed", "beam_search", "DEC-15", "Sums probabilities.", "", func(p *plain) {
		p.logProb = func(x, m, s float32) float32 { return exp32(x-m) / s }
	}},
	{"beam-search-begins-with-copies", "beam_search", "DEC-15", "Begins with K copies of the empty sequence, which stay equal.", "", func(p *plain) {
		p.beginning = func(beams int) []sequence { return make([]sequence, beams) }
	}},
	{"beam-search-hidden-token", "beam_search", "DEC-15", "Keeps candidates of probability 0.", "", func(p *plain) {
		p.selectable = func(float32) bool { return true }
	}},
	{"beam-search-ties-last", "beam_search", "DEC-16", "Prefers the later of equal sums.", "", func(p *plain) {
		p.order = func(a, b sequence) int {
			if a.sum == b.sum {
				return slices.Compare(b.tokens, a.tokens)
			}
			return descending(a.sum, b.sum)
		}
	}},
	{"beam-search-ties-by-token", "beam_search", "DEC-16", "Prefers the lower token among equal sums, whatever it continues.", "", func(p *plain) {
		p.order = func(a, b sequence) int {
			if a.sum == b.sum && len(a.tokens) > 0 && len(b.tokens) > 0 {
				return int(a.tokens[len(a.tokens)-1] - b.tokens[len(b.tokens)-1])
			}
			return descending(a.sum, b.sum)
		}
	}},
	{"beam-search-end-not-counted", "beam_search", "DEC-17", "Leaves the logarithm of the token that ends out of the sum.", "", func(p *plain) {
		p.addLog = func(sum, log float32, ends bool) float32 {
			if ends {
				return sum
			}
			return sum + log
		}
	}},
	{"beam-search-end-not-first", "beam_search", "DEC-17", "Does not let the first token end a sequence.", "allennlp #2557", ending(func(token, length int, end []int) bool {
		return length > 1 && slices.Contains(end, token)
	})},
	{"beam-search-one-end", "beam_search", "DEC-17", "Knows the first token of end only.", "", ending(func(token, _ int, end []int) bool {
		return len(end) > 0 && token == end[0]
	})},
	{"beam-search-end-ignored", "beam_search", "DEC-17", "Goes on behind tokens that end.", "", ending(func(int, int, []int) bool { return false })},
	{"beam-search-ended-dropped", "beam_search", "DEC-18", "Drops a sequence that has ended from the beams.", "", func(p *plain) {
		p.keepsPlace = func(sequence) []sequence { return nil }
	}},
	{"beam-search-stops-at-first", "beam_search", "DEC-18", "Stops when one kept sequence has ended.", "", func(p *plain) {
		p.allEnded = func(kept []sequence) bool {
			return slices.ContainsFunc(kept, func(s sequence) bool { return s.ended })
		}
	}},
	{"beam-search-textbook-mean", "beam_search", "DEC-18", "Divides the score of the textbook form by the length.", "", func(p *plain) {
		p.textbookEnd = func(s sequence, _ int) float32 { return s.sum / float32(len(s.tokens)) }
	}},
	{"beam-search-end-of-any-rank", "beam_search", "DEC-19", "Finishes candidates that end at any rank.", "", func(p *plain) {
		p.finishes = func(int, int) bool { return true }
	}},
	{"beam-search-end-at-top-only", "beam_search", "DEC-19", "Finishes a candidate that ends only where it is ranked first.", "", func(p *plain) {
		p.finishes = func(rank, _ int) bool { return rank == 0 }
	}},
	{"beam-search-ends-take-places", "beam_search", "DEC-19", "Goes on with those of the first K that do not end, and no others.", "", func(p *plain) {
		p.goesOn = func(rank, beams, _ int) bool { return rank < beams }
	}},
	{"beam-search-textbook-for-hf", "beam_search", "DEC-19", "Lets ended sequences keep their places in form hf.", "", func(p *plain) {
		p.goesOn = func(rank, beams, going int) bool { return rank < beams && going < beams }
		p.full = func(finished, beams int) bool { return finished > 0 }
	}},
	{"beam-search-penalty-ignored", "beam_search", "DEC-20", "Ignores the length penalty.", "", penalty(func(sum float32, _, _ int, _ op.BeamAttrs) float32 { return sum })},
	{"beam-search-penalty-without-end", "beam_search", "DEC-20", "Does not count the token that ends.", "transformers #8722, #8890", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		return penalised(sum, max(1, n-1), prompt, a)
	})},
	{"beam-search-penalty-multiplies", "beam_search", "DEC-20", "Multiplies by the length in place of dividing.", "", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		a.LengthPenalty = -a.LengthPenalty
		return penalised(sum, n, prompt, a)
	})},
	{"beam-search-penalty-linear", "beam_search", "DEC-20", "Divides by alpha n.", "", penalty(func(sum float32, n, _ int, a op.BeamAttrs) float32 {
		if a.LengthPenalty == 0 {
			return sum
		}
		return sum / float32(a.LengthPenalty*float64(n))
	})},
	{"beam-search-gnmt-ignored", "beam_search", "DEC-20", "Takes gnmt for the plain length.", "", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		a.Penalty = "length"
		return penalised(sum, n, prompt, a)
	})},
	{"beam-search-gnmt-denominator", "beam_search", "DEC-20", "Has (5 + n)/(5 + 1) outside the power.", "", penalty(func(sum float32, n, prompt int, a op.BeamAttrs) float32 {
		if a.Penalty == "gnmt" {
			return sum / float32(math.Pow(float64(5+n), a.LengthPenalty)/6)
		}
		return penalised(sum, n, prompt, a)
	})},
	{"beam-search-early-stopping-ignored", "beam_search", "DEC-21", "Goes on to the greatest length always.", "", func(p *plain) {
		p.full = func(int, int) bool { return false }
	}},
	{"beam-search-stops-when-finished", "beam_search", "DEC-21", "Stops as soon as K are finished, whatever early_stopping is.", "", func(p *plain) {
		p.noBetter = func(_, _ float32) bool { return true }
	}},
	{"beam-search-stops-with-one", "beam_search", "DEC-21", "Stops when one sequence is finished, not K.", "", func(p *plain) {
		p.full = func(finished, _ int) bool { return finished > 0 }
	}},
	{"beam-search-never-as-false", "beam_search", "DEC-21", "Takes never for false.", "transformers #20901", func(p *plain) {
		p.stopLength = func(n int, _ search) int { return n }
	}},
	{"beam-search-false-as-never", "beam_search", "DEC-21", "Takes false for never.", "", func(p *plain) {
		p.stopLength = func(n int, s search) int {
			if s.a.LengthPenalty > 0 {
				return s.length
			}
			return n
		}
	}},
	{"beam-search-never-at-greatest-length", "beam_search", "DEC-21", "Scores at the greatest length under never also where alpha is negative.", "transformers #21368", func(p *plain) {
		p.stopLength = func(n int, s search) int {
			if s.a.EarlyStopping == "never" {
				return s.length
			}
			return n
		}
	}},
	{"beam-search-unfinished-dropped", "beam_search", "DEC-22", "Has no result of sequences that have not ended.", "", func(p *plain) {
		p.lastStep = func(int, search) bool { return false }
	}},
	{"beam-search-unsorted", "beam_search", "DEC-23", "Returns results in the opposite order.", "", func(p *plain) {
		p.sortResults = func(found []sequence) {
			slices.SortStableFunc(found, func(a, b sequence) int { return descending(b.score, a.score) })
		}
	}},
	{"beam-search-padded-with-zero", "beam_search", "DEC-23", "Fills the places behind a sequence with 0.", "", func(p *plain) { p.padding = 0 }},
	{"beam-search-batch-ends-together", "beam_search", "DEC-24", "Ends every batch item when the first has ended.", "transformers #38778", func(p *plain) {
		p.limit = func(_, length int, before []int) int {
			for _, n := range before {
				length = min(length, n)
			}
			return length
		}
	}},
	{"beam-search-state-clamped", "beam_search", "DEC-25", "Clamps states to the table.", "", func(p *plain) {
		p.state = func(index int64, states int) (int, error) { return int(min(max(index, 0), int64(states-1))), nil }
	}},
})
