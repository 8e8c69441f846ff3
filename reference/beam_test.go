package reference

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tree draws an automaton whose states are the sequences of fewer than length tokens, so that no two sequences of that length or less have
// the same sum (those of a smaller automaton do: the same tokens in the same states, in another order).
func (s source) tree(length, vocab int) Automaton {
	states, level := 0, 1
	for range length {
		states, level = states+level, level*vocab
	}
	a := Automaton{Logits: s.matrix(states, vocab)}
	for i := range states {
		var next []int
		for t := range vocab {
			next = append(next, (i*vocab+1+t)%states)
		}
		a.Next = append(a.Next, next)
	}
	return a
}

// sequences returns every sequence that ends, or has length tokens.
func sequences(a Automaton, c BeamConfig) (all []Hypothesis) {
	logits := must(a.From(0))
	var walk func(h Hypothesis)
	walk = func(h Hypothesis) {
		if h.Ended || len(h.Tokens) == c.Length {
			h.Score = Score(h.Logs, len(h.Logs), c.Penalty)
			all = append(all, h)
			return
		}
		x := must(logits(h.Tokens))
		for token, log := range LogSoftmax(x) {
			if !math.IsInf(x[token], -1) {
				walk(h.extend(token, log, c.End))
			}
		}
	}
	walk(Hypothesis{})
	slices.SortStableFunc(all, func(x, y Hypothesis) int { return cmp.Compare(y.Score, x.Score) })
	return all
}

func tokensOf(hs []Hypothesis) (tokens [][]int) {
	for _, h := range hs {
		tokens = append(tokens, h.Tokens)
	}
	return tokens
}

func drawBeams(t *rapid.T) BeamConfig {
	return BeamConfig{
		Form: rapid.SampledFrom([]Form{Textbook, HuggingFace}).Draw(t, "form"), Beams: rapid.IntRange(1, 5).Draw(t, "beams"),
		End: rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 0, 2, rapid.ID[int]).Draw(t, "end"), Length: rapid.IntRange(1, 5).Draw(t, "length"),
		Penalty: LengthPenalty{rapid.SampledFrom([]float64{0, -0.5, 0.6, 2}).Draw(t, "alpha"), rapid.Bool().Draw(t, "gnmt")},
		Stop:    rapid.SampledFrom([]EarlyStopping{StopAtOnce, StopUnlikely, StopHopeless}).Draw(t, "early stopping"),
	}
}

// With a beam for every sequence, beam search is exhaustive search.
func TestWideBeamIsExhaustiveSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, c := drawSource(t).tree(4, 3), drawBeams(t)
		c.Length = min(c.Length, 4)
		if c.Form == Textbook {
			c.Penalty = LengthPenalty{}
		}
		want := sequences(a, c)
		c.Beams = 81 + 1 // more than there are sequences, so that a search does not stop early
		got := must(Exact.BeamSearch(must(a.From(0)), c))
		if !slices.EqualFunc(tokensOf(got), tokensOf(want), slices.Equal) {
			t.Fatalf("%+v: got %v, want %v", c, tokensOf(got), tokensOf(want))
		}
	})
}

// Whatever the beam, what it finds are sequences, with their scores, the best first, and no better than the best there is.
func TestBeamFindsSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, c := drawSource(t).tree(4, 3), drawBeams(t)
		a.Logits.Data[rapid.IntRange(0, 15).Draw(t, "impossible")] = negInf
		c.Length = min(c.Length, 4)
		if c.Form == Textbook {
			c.Penalty = LengthPenalty{}
		}
		all := sequences(a, c)
		got := must(Exact.BeamSearch(must(a.From(0)), c))
		if len(got) == 0 || len(got) > c.Beams {
			t.Fatalf("%d results of %d beams", len(got), c.Beams)
		}
		for k, h := range got {
			i := slices.IndexFunc(all, func(s Hypothesis) bool { return slices.Equal(s.Tokens, h.Tokens) })
			if i < 0 || h.Score != all[i].Score || k > 0 && h.Score > got[k-1].Score {
				t.Fatalf("result %d is %v with %v", k, h.Tokens, h.Score)
			}
		}
	})
}

func greedyBy(logits func([]int) ([]float64, error), c BeamConfig) (tokens []int) {
	for len(tokens) < c.Length && (len(tokens) == 0 || !slices.Contains(c.End, tokens[len(tokens)-1])) {
		tokens = append(tokens, must(Greedy(must(logits(tokens)))))
	}
	return tokens
}

// One beam is greedy: textbook always, hf unless it waits for a longer sequence that a length penalty may favour.
func TestOneBeamIsGreedy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, c := drawSource(t).tree(4, 4), drawBeams(t)
		if rapid.Bool().Draw(t, "ties") {
			copy(a.Logits.Data, drawLogits(t, 4))
		}
		c.Beams = 1
		logits := must(a.From(0))
		got := must(Exact.BeamSearch(logits, c))[0].Tokens
		if want := greedyBy(logits, c); !slices.Equal(got, want) {
			if c.Form == HuggingFace && c.Stop == StopHopeless && c.Penalty.Exponent > 0 && len(got) > len(want) {
				return // as TestBeamByHand has it
			}
			t.Fatalf("%+v: got %v, greedy gives %v", c, got, want)
		}
	})
}

// after is a model given by what comes after each sequence.
func after(table map[string][]float64) func([]int) ([]float64, error) {
	return func(tokens []int) ([]float64, error) {
		p, ok := table[fmt.Sprint(tokens)]
		if !ok {
			return nil, fmt.Errorf("nothing is known of %v", tokens)
		}
		x := make([]float64, len(p))
		for i := range p {
			x[i] = math.Log(p[i])
		}
		return x, nil
	}
}

func TestBeamByHand(t *testing.T) {
	// Token 2 ends. It is ranked third of two beams' candidates at the first step: dropped by hf, and no place is lost to it.
	third := map[string][]float64{"[]": {.5, .3, .2}, "[0]": {.6, .3, .1}, "[1]": {.9, .05, .05}}
	// It is ranked second: kept by both; hf has two sequences go on beside it.
	second := map[string][]float64{"[]": {.5, .2, .3}, "[0]": {.8, .1, .1}, "[1]": {.8, .1, .1}}
	for _, tt := range []struct {
		name  string
		table map[string][]float64
		c     BeamConfig
		want  string
	}{
		{"textbook, ended third", third, BeamConfig{Form: Textbook, Beams: 2, End: []int{2}, Length: 2}, "[[0 0] [1 0]]"},
		{"hf, ended third", third, BeamConfig{Form: HuggingFace, Beams: 2, End: []int{2}, Length: 2, Stop: StopAtOnce}, "[[0 0] [1 0]]"},
		{"textbook, ended second", second, BeamConfig{Form: Textbook, Beams: 2, End: []int{2}, Length: 2}, "[[0 0] [2]]"},
		{"hf, ended second", second, BeamConfig{Form: HuggingFace, Beams: 2, End: []int{2}, Length: 2, Stop: StopAtOnce}, "[[0 0] [2]]"},
		{"hf, a long sequence favoured", second, BeamConfig{Form: HuggingFace, Beams: 2, End: []int{2}, Length: 2, Stop: StopAtOnce,
			Penalty: LengthPenalty{Exponent: 2}}, "[[0 0] [1 0]]"},
		{"hf stops at once", map[string][]float64{"[]": {.3, .1, .6}}, BeamConfig{Form: HuggingFace, Beams: 1, End: []int{2}, Length: 3, Stop: StopAtOnce}, "[[2]]"},
		{"hf goes on while there is hope", map[string][]float64{"[]": {.3, .1, .6}, "[0]": {.98, .01, .01}, "[0 0]": {.98, .01, .01}},
			BeamConfig{Form: HuggingFace, Beams: 1, End: []int{2}, Length: 3, Stop: StopHopeless, Penalty: LengthPenalty{Exponent: 1}}, "[[0 0 0]]"},
		{"ties go to the better sequence, then to the lower token", map[string][]float64{"[]": {.5, .5, 0}, "[0]": {.5, .5, 0}, "[1]": {.5, .5, 0}},
			BeamConfig{Form: Textbook, Beams: 2, End: []int{2}, Length: 2}, "[[0 0] [0 1]]"},
		{"fewer sequences than beams", map[string][]float64{"[]": {1, 0}, "[0]": {0, 1}}, BeamConfig{Form: Textbook, Beams: 3, End: []int{1}, Length: 5}, "[[0 1]]"},
		{"the same in hf", map[string][]float64{"[]": {1, 0}, "[0]": {0, 1}}, BeamConfig{Form: HuggingFace, Beams: 3, End: []int{1}, Length: 5}, "[[0 1]]"},
		{"the end comes first", map[string][]float64{"[]": {.1, .9}}, BeamConfig{Form: Textbook, Beams: 1, End: []int{1}, Length: 5}, "[[1]]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(tokensOf(must(Exact.BeamSearch(after(tt.table), tt.c)))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestScore(t *testing.T) {
	logs := []float64{-1, -2, -5}
	for _, tt := range []struct {
		n    int
		p    LengthPenalty
		want float64
	}{
		{3, LengthPenalty{}, -8}, {3, LengthPenalty{Exponent: 1}, -8. / 3}, {4, LengthPenalty{Exponent: 2}, -.5},
		{7, LengthPenalty{2, true}, -2}, {1, LengthPenalty{3, true}, -8}, {4, LengthPenalty{Exponent: -1}, -32},
	} {
		within(t, []float64{Score(logs, tt.n, tt.p)}, []float64{tt.want}, 2)
	}
}

func TestBeamErrors(t *testing.T) {
	a := newSource(1).tree(2, 2)
	for _, bad := range []int{-1, 3} {
		b := Automaton{a.Logits, slices.Clone(a.Next)}
		b.Next[2] = []int{0, bad}
		if _, err := b.From(0); !errors.Is(err, ErrIndex) {
			t.Errorf("a transition to %d: got %v", bad, err)
		}
		if _, err := a.From(bad); !errors.Is(err, ErrIndex) {
			t.Errorf("start in %d: got %v", bad, err)
		}
	}
	a.Logits.Data[3] = math.NaN() // of state 1
	a.Next = [][]int{{0, 0}, {0, 0}, {1, 1}}
	c := BeamConfig{Form: Textbook, Beams: 2, Length: 3}
	if _, err := Exact.BeamSearch(must(a.From(0)), c); err != nil {
		t.Errorf("a state that is not reached: %v", err)
	}
	if _, err := Exact.BeamSearch(must(a.From(2)), c); !errors.Is(err, ErrNumber) {
		t.Errorf("a state that is: got %v", err)
	}
}

// DEC-21: a search goes on while a sequence may still beat the lowest finished score, and one that only equals it may not. Here the first
// step finishes the sequence of one token, and leaves another with the same sum, whose next token is certain: longer, it would score higher.
func TestBeamStopsAtAnEqualScore(t *testing.T) {
	certain := math.Inf(-1)
	table := Automaton{Logits: rowsOf([]float64{0, 0}, []float64{0, certain}), Next: [][]int{{0, 1}, {0, 0}}}
	for _, stop := range []struct {
		rule EarlyStopping
		want []int
	}{{StopAtOnce, []int{0}}, {StopUnlikely, []int{0}}, {StopHopeless, []int{1, 0}}} {
		got, err := Exact.BeamSearch(must(table.From(0)), BeamConfig{Form: HuggingFace, Beams: 1, Length: 3, End: []int{0}, Stop: stop.rule,
			Penalty: LengthPenalty{Exponent: 1}})
		if err != nil || len(got) != 1 || !slices.Equal(got[0].Tokens, stop.want) {
			t.Errorf("%v: got %+v, error %v, want tokens %v", stop.rule, got, err, stop.want)
		}
	}
}

// The rules of Hugging Face's container of finished sequences, by the numbers of its own test (transformers,
// tests/generation/test_beam_search.py): sums of ten tokens, length penalty 2, four beams.
func TestHuggingFaceHypotheses(t *testing.T) {
	p := LengthPenalty{Exponent: 2}
	c := BeamConfig{Penalty: p, Stop: StopUnlikely, Length: 20}
	worst := Hypothesis{Score: Score([]float64{-9}, 10, p)} // of -10, -9, -8, -7 and -6 the four best stay
	if math.Abs(worst.Score+0.09) > 1e-15 {
		t.Errorf("the worst has %v, want -0.09", worst.Score)
	}
	for sum, stops := range map[float64]bool{-5: false, -20: true} {
		if got := Exact.stops(worst, Hypothesis{Logs: []float64{sum}}, 10, c); got != stops {
			t.Errorf("best sum %v: ends %v, want %v", sum, got, stops)
		}
	}
	c.Stop = StopAtOnce
	if !Exact.stops(worst, Hypothesis{Logs: []float64{-10}}, 5, c) {
		t.Error("with early stopping it does not end")
	}
}

// At the greatest length fairseq (tests/test_sequence_generator.py, max_len = 2) forces the end, and counts it and its logarithm. DEC-22 takes
// what has not ended as it is.
func TestBeamIsNotForcedToEnd(t *testing.T) {
	for _, tt := range []struct {
		table            map[string][]float64
		want, ofFairseqs string
	}{
		{map[string][]float64{"[]": {0, 0, 0, 0, .9, .1}, "[4]": {0, 0, 1, 0, 0, 0}, "[5]": {0, 0, 0, 0, .9, .1},
			"[5 4]": {0, 0, 0, 0, .1, .9}, "[5 5]": {0, 0, .6, 0, .2, .2}}, "[[4 2] [5 4 5]]", "[[4 2] [5 5 2]]"},
		{map[string][]float64{"[]": {0, 0, 0, 0, .7, .3}, "[4]": {0, 0, .25, 0, .35, .4}, "[5]": {0, 0, 0, 0, .1, .9},
			"[4 5]": {0, 0, .6, 0, .4, 0}, "[5 5]": {0, 0, .01, 0, 0, .99}}, "[[5 5 5] [4 5 2]]", "[[4 5 2] [5 5 2]]"},
	} {
		c := BeamConfig{Form: HuggingFace, Beams: 2, End: []int{2}, Length: 3, Stop: StopAtOnce, Penalty: LengthPenalty{Exponent: 1}}
		if got := fmt.Sprint(tokensOf(must(Exact.BeamSearch(after(tt.table), c)))); got != tt.want {
			t.Errorf("got %s, want %s; fairseq has %s", got, tt.want, tt.ofFairseqs)
		}
	}
}
