package mutant

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

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

func (p *plain) setSearch() {
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
}

func stateRow(index int64, states int) (int, error) {
	if index < 0 || index >= int64(states) {
		return 0, fmt.Errorf("%w: state %d: want 0 to %d", op.ErrIndex, index, states-1)
	}
	return int(index), nil
}

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
