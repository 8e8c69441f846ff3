package optimized

import (
	"cmp"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// A scorer gives the logits that follow sequences. It holds a number of them, batch item by batch item.
type scorer interface {
	// step makes sequence i the old sequence parents[i] and its next token, and evaluates the logits that follow.
	step(parents, tokens []int64)
	// logits returns those of all sequences, [len(parents), V].
	logits() []float32
}

// A sequence of a beam search. Its tokens are those of a chain of nodes, so that sequences share what they have in common.
type sequence struct {
	node   int32 // of the last token; -1: none yet
	length int32
	sum    float64 // of the logarithms of the tokens' probabilities
	score  float64 // of a finished one
	ended  bool
	row    int // of the logits that follow; of a candidate, the rank of the sequence that it continues
}

type node struct {
	parent int32
	token  int32
}

// candidate is a continuation of a sequence.
type candidate struct {
	from  int // rank of the sequence
	token int32
	sum   float64
}

// beamSearch is a search for several batch items at once, which step together and end one by one.
type beamSearch struct {
	op.BeamAttrs
	end    map[int32]bool
	length int

	vocab   int
	items   []beamItem
	choices *choices
	top     []ranked // by row of the logits
	parents []int64
	tokens  []int64
}

// beamItem is the search of one batch item.
type beamItem struct {
	nodes    []node
	kept     []sequence // those that go on, the best first; textbook: those that have ended too
	finished []sequence // hf
	done     bool
	pool     []candidate
	next     []sequence
}

// ranked holds the first tokens of a row by rank, and what turns their logits into logarithms of probabilities.
type ranked struct {
	tokens []int32
	x      []float32
	m      float64
	logS   float64
}

func newBeamSearch(e *engine, a op.BeamAttrs, end []int, length int) *beamSearch {
	s := &beamSearch{BeamAttrs: a, end: map[int32]bool{}, length: length, choices: newChoices(e, op.SamplingAttrs{})}
	for _, id := range end {
		if id <= math.MaxInt32 { // no vocabulary has more
			s.end[int32(id)] = true
		}
	}
	// A row's best K tokens are all that a search can keep of it, and in form hf those that end are not among the ones that it keeps.
	s.choices.each = func(_ *chooser, row int, x []float32) bool {
		return s.top[row].take(x, a.Beams+len(s.end))
	}
	return s
}

// take ranks the first n tokens of a row.
func (r *ranked) take(x []float32, n int) bool {
	m, sum := maxExpSum(x)
	r.m, r.logS = m, math.Log(sum)
	r.tokens, r.x = first(r.tokens, x, n), x
	return !math.IsNaN(sum)
}

// log returns the logarithm of the probability of the token ranked i.
func (r *ranked) log(i int) float64 { return float64(r.x[r.tokens[i]]) - r.m - r.logS }

// run searches from batch sequences that the source holds, each of no new token.
func (s *beamSearch) run(name string, from scorer, batch, vocab int) error {
	s.vocab = vocab
	s.items = slices.Grow(s.items[:0], batch)[:batch]
	for b := range s.items {
		it := &s.items[b]
		*it = beamItem{nodes: it.nodes[:0], kept: append(it.kept[:0], sequence{node: -1, row: b}), finished: it.finished[:0], pool: it.pool, next: it.next}
	}
	for n := 1; n <= s.length; n++ {
		x := from.logits()
		for rows := len(x) / vocab; len(s.top) < rows; {
			s.top = append(s.top, ranked{})
		}
		if err := s.choices.run(name, x, vocab); err != nil {
			return err
		}
		s.parents, s.tokens = s.parents[:0], s.tokens[:0]
		for b := range s.items {
			if it := &s.items[b]; !it.done {
				s.advance(it, n)
			}
		}
		if len(s.parents) == 0 || n == s.length {
			break
		}
		from.step(s.parents, s.tokens)
	}
	return nil
}

// advance takes one step of an item, the nth, and lists in s.parents and s.tokens the sequences that go on.
func (s *beamSearch) advance(it *beamItem, n int) {
	s.rank(it)
	it.next = it.next[:0]
	if s.Form == "textbook" {
		for _, c := range it.pool[:min(s.Beams, len(it.pool))] {
			it.next = append(it.next, s.extend(it, c))
		}
	} else {
		s.finish(it, n)
	}
	it.kept, it.next = it.next, it.kept
	it.done = it.done || !slices.ContainsFunc(it.kept, func(q sequence) bool { return !q.ended })
	if it.done {
		return
	}
	for i := range it.kept {
		if q := &it.kept[i]; !q.ended {
			parent := q.row
			q.row = len(s.parents)
			s.parents, s.tokens = append(s.parents, int64(parent)), append(s.tokens, int64(it.nodes[q.node].token))
		}
	}
}

// rank fills the pool with candidates, the largest sum first, equal ones by the rank of their sequence, then by token. A sequence that has
// ended is a candidate as it is.
func (s *beamSearch) rank(it *beamItem) {
	it.pool = it.pool[:0]
	for rank, q := range it.kept {
		if q.ended {
			it.pool = append(it.pool, candidate{rank, -1, q.sum})
			continue
		}
		top := &s.top[q.row]
		for i, token := range top.tokens {
			it.pool = append(it.pool, candidate{rank, token, q.sum + top.log(i)})
		}
	}
	slices.SortFunc(it.pool, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.sum, a.sum), cmp.Compare(a.from, b.from), cmp.Compare(a.token, b.token))
	})
}

// extend returns the sequence that a candidate is.
func (s *beamSearch) extend(it *beamItem, c candidate) sequence {
	q := it.kept[c.from]
	if q.ended {
		return q
	}
	it.nodes = append(it.nodes, node{q.node, c.token})
	return sequence{node: int32(len(it.nodes) - 1), length: q.length + 1, sum: c.sum, ended: s.end[c.token], row: q.row}
}

// finish takes a step in form hf: of the K candidates ranked first those that end are finished; of those that do not end, K go on.
func (s *beamSearch) finish(it *beamItem, n int) {
	for rank, c := range it.pool {
		switch ends := s.end[c.token] || n == s.length; {
		case ends && rank < s.Beams:
			q := s.extend(it, c)
			q.ended, q.score = true, s.score(q.sum, n)
			it.finished = append(it.finished, q)
		case !ends && len(it.next) < s.Beams:
			it.next = append(it.next, s.extend(it, c))
		}
	}
	slices.SortStableFunc(it.finished, func(a, b sequence) int { return cmp.Compare(b.score, a.score) })
	it.finished = it.finished[:min(s.Beams, len(it.finished))]
	if len(it.finished) < s.Beams || len(it.next) == 0 {
		return
	}
	worst := it.finished[s.Beams-1].score
	switch s.EarlyStopping {
	case "true":
		it.done = true
	case "never":
		if s.LengthPenalty > 0 {
			n = s.length
		}
		fallthrough
	default:
		it.done = s.score(it.next[0].sum, n) <= worst
	}
}

// score divides a sum by the length penalty of n tokens.
func (s *beamSearch) score(sum float64, n int) float64 {
	base := float64(n)
	if s.Penalty == "gnmt" {
		base = (5 + base) / 6
	}
	return sum / math.Pow(base, s.LengthPenalty)
}

// store writes the results: -1 in places without a token, -Inf for sequences that do not exist.
func (s *beamSearch) store(tokens, length, score op.Tensor) {
	steps := tokens.Shape[2]
	for i := range tokens.I64 {
		tokens.I64[i] = -1
	}
	for b := range s.items {
		it := &s.items[b]
		found := it.finished
		if s.Form == "textbook" {
			found = it.kept
		}
		for k := range s.Beams {
			at := b*s.Beams + k
			if k >= len(found) {
				length.I64[at], score.F32[at] = 0, float32(math.Inf(-1))
				continue
			}
			q := found[k]
			length.I64[at], score.F32[at] = int64(q.length), float32(q.score)
			if s.Form == "textbook" {
				score.F32[at] = float32(q.sum)
			}
			for i, n := int(q.length), q.node; n >= 0; n = it.nodes[n].parent {
				i--
				tokens.I64[at*steps+i] = int64(it.nodes[n].token)
			}
		}
	}
}

// automaton is a table as a source of logits.
type automaton struct {
	table, next   op.Tensor
	states, moved []int64
	rows          []float32
}

func (a *automaton) step(parents, tokens []int64) {
	a.moved = a.moved[:0]
	for i, parent := range parents {
		a.moved = append(a.moved, a.next.I64[int(a.states[parent])*a.next.Shape[1]+int(tokens[i])])
	}
	a.states, a.moved = a.moved, a.states
}

func (a *automaton) logits() []float32 {
	lookUp(grow(&a.rows, len(a.states)*a.table.Shape[1]), a.table, a.states)
	return a.rows
}

var _ = register("beam_search", withEngine(newBeamSearchOp))

// beamSearchOp is the op beam_search.
type beamSearchOp struct {
	search *beamSearch
	source automaton
}

func newBeamSearchOp(e *engine, a op.BeamSearchArgs) *beamSearchOp {
	return &beamSearchOp{search: newBeamSearch(e, a.BeamAttrs, a.End, a.MaxLength)}
}

func (k *beamSearchOp) Run(a op.BeamSearchArgs) error {
	if err := within("beam_search", "state", a.State, a.Logits.Shape[0], op.ErrIndex); err != nil {
		return err
	}
	if err := within("beam_search", "next", a.Next, a.Logits.Shape[0], op.ErrIndex); err != nil {
		return err
	}
	k.source.table, k.source.next, k.source.states = a.Logits, a.Next, append(k.source.states[:0], a.State.I64...)
	err := k.search.run("beam_search", &k.source, len(a.State.I64), a.Logits.Shape[1])
	k.source.table, k.source.next = op.Tensor{}, op.Tensor{}
	if err == nil {
		k.search.store(a.Tokens, a.Length, a.Score)
	}
	return err
}
