package reference

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Form names what becomes of a sequence that has ended while a beam search goes on.
type Form string

// The forms of beam search.
const (
	Textbook    Form = "textbook" // it keeps its place among the beams
	HuggingFace Form = "hf"       // it leaves the beams, and its score competes with those of the others that have
)

// EarlyStopping names when a search of form HuggingFace ends.
type EarlyStopping string

// The rules by which a search ends once as many sequences are finished as there are beams.
const (
	StopAtOnce   EarlyStopping = "true"
	StopUnlikely EarlyStopping = "false" // when the best that goes on, scored as it is, is no better than the worst finished
	StopHopeless EarlyStopping = "never" // the same, but scored at the greatest length where that can help it
)

// LengthPenalty is what sums of logarithms are divided by, so that long sequences compare with short ones: n^Exponent, or
// ((5 + n)/6)^Exponent with GNMT (Wu et al. 2016).
type LengthPenalty struct {
	Exponent float64
	GNMT     bool
}

// Score returns the score of a sequence from the logarithms of its tokens' probabilities, as if it had n tokens
//
//	(l_1 + l_2 + ...) / n^Exponent
func Score(logs []float64, n int, p LengthPenalty) float64 {
	sum := 0.0
	for _, l := range logs {
		sum += l
	}
	base := float64(n)
	if p.GNMT {
		base = (5 + base) / 6
	}
	return sum / math.Pow(base, p.Exponent)
}

// BeamConfig describes a beam search. Penalty and Stop are those of form HuggingFace.
type BeamConfig struct {
	Form    Form
	Beams   int
	End     []int // the tokens that end a sequence
	Length  int   // the greatest number of tokens
	Penalty LengthPenalty
	Stop    EarlyStopping
}

// Hypothesis is a sequence of tokens that a search has found.
type Hypothesis struct {
	Tokens []int
	Logs   []float64 // the logarithm of each token's probability
	Sum    float64   // of Logs
	Ended  bool      // its last token is one of End
	Score  float64   // of a result
}

// extend returns h with one more token.
func (h Hypothesis) extend(token int, log float64, end []int) Hypothesis {
	return Hypothesis{
		Tokens: append(slices.Clone(h.Tokens), token),
		Logs:   append(slices.Clone(h.Logs), log),
		Sum:    h.Sum + log,
		Ended:  slices.Contains(end, token),
	}
}

// BeamSearch returns the Beams best sequences that it finds, the best first; fewer where fewer have a probability. logits gives those of the
// token after a sequence. It begins with the empty sequence, and each step ranks the candidates
//
//	sum(h + token) = sum(h) + log_softmax(logits(h))_token
//
// of all sequences h that go on and all tokens of positive probability, the largest sum first, equal ones by the rank of h, then by token.
//
// Textbook keeps the Beams candidates ranked first. A sequence that has ended is a candidate as it is. The search ends when all that are
// kept have ended or have Length tokens.
//
// HuggingFace: of the Beams candidates ranked first, those that end are finished, and the Beams finished ones with the highest Score stay.
// The Beams candidates ranked first of those that do not end go on. At Length all candidates count as ending.
//
// Errors are those of Rank, and of logits.
func (p Primitives) BeamSearch(logits func(tokens []int) ([]float64, error), c BeamConfig) ([]Hypothesis, error) {
	require(c.Beams > 0 && c.Length > 0, "BeamSearch: %d beams, length %d", c.Beams, c.Length)
	switch c.Form {
	case Textbook:
		return p.textbook(logits, c)
	case HuggingFace:
		return p.huggingFace(logits, c)
	}
	require(false, "BeamSearch: form is %q, use textbook or hf", c.Form)
	return nil, nil
}

func (p Primitives) textbook(logits func([]int) ([]float64, error), c BeamConfig) ([]Hypothesis, error) {
	kept := []Hypothesis{{}}
	goesOn := func(h Hypothesis) bool { return !h.Ended }
	for n := 1; n <= c.Length && slices.ContainsFunc(kept, goesOn); n++ {
		candidates, err := p.candidates(kept, logits, c.End)
		if err != nil {
			return nil, err
		}
		kept = candidates[:min(c.Beams, len(candidates))]
	}
	for i, h := range kept {
		kept[i].Score = p.Score(h.Logs, len(h.Logs), LengthPenalty{})
	}
	return kept, nil
}

func (p Primitives) huggingFace(logits func([]int) ([]float64, error), c BeamConfig) ([]Hypothesis, error) {
	var finished []Hypothesis
	going := []Hypothesis{{}}
	for n := 1; n <= c.Length && len(going) > 0; n++ {
		candidates, err := p.candidates(going, logits, c.End)
		if err != nil {
			return nil, err
		}
		going = nil
		for rank, h := range candidates {
			switch ends := h.Ended || n == c.Length; {
			case ends && rank < c.Beams:
				h.Score = p.Score(h.Logs, n, c.Penalty)
				finished = append(finished, h)
			case !ends && len(going) < c.Beams:
				going = append(going, h)
			}
		}
		slices.SortStableFunc(finished, func(a, b Hypothesis) int { return cmp.Compare(b.Score, a.Score) })
		finished = finished[:min(c.Beams, len(finished))]
		if len(finished) == c.Beams && len(going) > 0 && p.stops(finished[c.Beams-1], going[0], n, c) {
			break
		}
	}
	return finished, nil
}

// stops reports whether a search with Beams finished sequences ends: after n tokens, best goes on and worst has the lowest score.
func (p Primitives) stops(worst, best Hypothesis, n int, c BeamConfig) bool {
	if c.Stop == StopAtOnce {
		return true
	}
	if c.Stop == StopHopeless && c.Penalty.Exponent > 0 {
		n = c.Length
	}
	return p.Score(best.Logs, n, c.Penalty) <= worst.Score
}

// candidates returns every continuation of the sequences by one token of positive probability, and those that have ended as they are,
// the largest sum first.
func (p Primitives) candidates(from []Hypothesis, logits func([]int) ([]float64, error), end []int) ([]Hypothesis, error) {
	var all []Hypothesis
	for _, h := range from {
		if h.Ended {
			all = append(all, h)
			continue
		}
		x, err := logits(h.Tokens)
		if err != nil {
			return nil, err
		}
		if _, err := Rank(x); err != nil {
			return nil, err
		}
		for token, log := range p.LogSoftmax(x) {
			if !math.IsInf(x[token], -1) {
				all = append(all, h.extend(token, log, end))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Hypothesis) int { return cmp.Compare(b.Sum, a.Sum) })
	return all, nil
}

// Automaton is a table of what may come next: in state s the next token has the logits of row s, and token t leads to state Next[s][t].
type Automaton struct {
	Logits Matrix // [S,V]
	Next   [][]int
}

// From returns the logits after a sequence that begins in a state. A state outside the table, there or anywhere in Next, is an error that
// wraps ErrIndex.
func (a Automaton) From(state int) (func(tokens []int) ([]float64, error), error) {
	states := slices.Concat([]int{state}, slices.Concat(a.Next...))
	for _, s := range states {
		if s < 0 || s >= a.Logits.Rows {
			return nil, fmt.Errorf("reference: Automaton: state %d, there are %d: %w", s, a.Logits.Rows, ErrIndex)
		}
	}
	return func(tokens []int) ([]float64, error) {
		s := state
		for _, t := range tokens {
			s = a.Next[s][t]
		}
		return a.Logits.Row(s), nil
	}, nil
}
