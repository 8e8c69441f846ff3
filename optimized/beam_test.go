package optimized_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// beamAttrs returns random parameters.
func beamAttrs(r *rand.Rand, vocab int) string {
	a := op.BeamAttrs{Form: "textbook", Beams: 1 + r.IntN(6), Penalty: "length", EarlyStopping: "false"}
	if r.IntN(2) == 0 {
		a.Form, a.LengthPenalty = "hf", []float64{-0.5, 0, 0.7, 1, 3}[r.IntN(5)]
		a.Penalty, a.EarlyStopping = []string{"length", "gnmt"}[r.IntN(2)], []string{"true", "false", "never"}[r.IntN(3)]
	}
	data, _ := json.Marshal(a)
	var end []string
	for range r.IntN(4) {
		end = append(end, fmt.Sprint(r.IntN(vocab)))
	}
	return strings.TrimSuffix(string(data), "}") + `,"end":[` + strings.Join(end, ",") + `]`
}

func TestBeamSearchAgainstTheReference(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for range 150 {
		states, vocab := 3000, 2+r.IntN(9) // so many that the same states in another order, which tie, are not met
		logits := normal(r, 1.5, states, vocab)
		if r.IntN(3) == 0 {
			for range 2000 {
				logits.F32[r.IntN(states)*vocab+1] = float32(math.Inf(-1))
			}
		}
		agrees(t, spec("beam_search", beamAttrs(r, vocab)+fmt.Sprintf(`,"max_length":%d}`, 1+r.IntN(7))), logits, ids(r, states, states, vocab), ids(r, states, 3))
	}
}
