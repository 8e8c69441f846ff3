package refimpl

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("beam_search", func(f functions) op.Implementation { return op.BeamSearch(f.beamSearch) })

func beamConfig(a op.BeamAttrs, end []int, length int) reference.BeamConfig {
	return reference.BeamConfig{
		Form: reference.Form(a.Form), Beams: a.Beams, End: end, Length: length,
		Penalty: reference.LengthPenalty{Exponent: a.LengthPenalty, GNMT: a.Penalty == "gnmt"},
		Stop:    reference.EarlyStopping(a.EarlyStopping),
	}
}

func (f functions) beamSearch(a op.BeamSearchArgs) error {
	machine := reference.Automaton{Logits: matrix(a.Logits), Next: intRows(a.Next)}
	c := beamConfig(a.BeamAttrs, a.End, a.MaxLength)
	for b, start := range ints(a.State) {
		logits, err := machine.From(start)
		if err != nil {
			return err
		}
		found, err := f.BeamSearch(logits, c)
		if err != nil {
			return err
		}
		storeHypotheses(a.Tokens, a.Length, a.Score, b, found)
	}
	return nil
}

// storeHypotheses writes the results of batch item b: places without a token hold -1, those without a sequence a score of -Inf.
func storeHypotheses(tokens, length, score op.Tensor, b int, found []reference.Hypothesis) {
	beams, n := tokens.Shape[1], tokens.Shape[2]
	for k := range beams {
		var h reference.Hypothesis
		h.Score = math.Inf(-1)
		if k < len(found) {
			h = found[k]
		}
		row := tokens.I64[(b*beams+k)*n:][:n]
		for i := range row {
			row[i] = -1
			if i < len(h.Tokens) {
				row[i] = int64(h.Tokens[i])
			}
		}
		length.I64[b*beams+k], score.F64[b*beams+k] = int64(len(h.Tokens)), h.Score
	}
}
