package reference

import (
	"math"
	"slices"
	"testing"
)

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

// DEC-10: top_p = 1 drops nothing, though the first probability rounds to 1 and its sum reaches it.
func TestTopPOneDropsNothing(t *testing.T) {
	p, err := Distribution([]float64{0, -40, -41}, Sampling{Temperature: 1, TopP: 1})
	if err != nil || p[0] != 1 || !(p[1] > p[2] && p[2] > 0) {
		t.Errorf("got %v, error %v, want all positive", p, err)
	}
	if p, err = Distribution([]float64{0, -40, -41}, Sampling{Temperature: 1, TopP: math.Nextafter(1, 0)}); err != nil || p[1] != 0 || p[2] != 0 {
		t.Errorf("top_p below 1: got %v, error %v, want the first alone", p, err)
	}
}

// DEC-13: where no sum is greater than u, it is the last token that has a probability.
func TestInvertEndsAtTheLastPositive(t *testing.T) {
	for _, tt := range []struct {
		p    []float64
		u    float64
		want int
	}{
		{[]float64{0.25, 0.25, 0}, 0.75, 1}, {[]float64{0.25, 0.25, 0}, 0.5, 1}, {[]float64{0.25, 0.25, 0}, 0.25, 1},
		{[]float64{0, 0.25, 0.5}, 0, 1}, {[]float64{0, 0.25, 0.5}, 0.25, 2}, {[]float64{0, 0, 1}, 0, 2},
	} {
		if got := invert(tt.p, tt.u); got != tt.want {
			t.Errorf("invert(%v, %v) is %d, want %d", tt.p, tt.u, got, tt.want)
		}
	}
}
