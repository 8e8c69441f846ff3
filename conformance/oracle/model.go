package oracle

import (
	"encoding/json"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

var (
	_ = cut("gpt", cutModel)
	_ = cut("gpt.cached", cutModel)
)

// cutModel keeps the positions that have wanted logits, in the last layer, and of the vocabulary the wanted columns and the ids that occur.
// In the steps before the last, which fill the cache, no logit is wanted.
func cutModel(u Use, wanted [][]int) ([]piece, error) {
	var attrs op.GPTAttrs
	if err := json.Unmarshal(u.Spec.Attrs, &struct{ *op.GPTAttrs }{&attrs}); err != nil {
		return nil, err
	}
	last := u.Steps[len(u.Steps)-1].Src[0]
	vocab, seq, layers := u.Spec.Const[0].Shape[0], last.Shape[1], u.Spec.Const[2].Shape[0]
	of := queries(wanted[0], vocab, seq)
	batch, before := last.Shape[0], (len(u.Steps)-1)*last.Shape[0]*layers*attrs.Heads
	u.live = func(n int) []int {
		sequence, layer := (n-before)/attrs.Heads/layers, n/attrs.Heads%layers
		switch {
		case layer < layers-1:
			return upTo(u.Steps[min(n/(batch*layers*attrs.Heads), len(u.Steps)-1)].Src[0].Shape[1])
		case n < before:
			return nil
		}
		return of(sequence)
	}
	at := make([]int, len(wanted[0]))
	small, keep := CutVocabulary(u, gridOf(wanted[0], vocab).cols)
	for n, i := range wanted[0] {
		column, _ := slices.BinarySearch(keep, i%vocab)
		at[n] = i/vocab*len(keep) + column
	}
	return []piece{{small, [][]int{at}}}, nil
}

// CutVocabulary returns the use of a model, gpt or gpt.cached, whose vocabulary has only these columns and the ids that occur, and which those
// are, ascending: column i of its logits is column keep[i] of the whole model's, bit for bit.
func CutVocabulary(u Use, columns []int) (small Use, keep []int) {
	keep = slices.Clone(columns)
	for _, s := range u.Steps {
		for _, id := range s.Src[0].I64 {
			keep = append(keep, int(id))
		}
	}
	keep = ascending(keep)
	u.Spec.Const = slices.Clone(u.Spec.Const)
	u.Spec.Const[0] = gather(u.Spec.Const[0], keep, nil)
	if out := len(u.Spec.Const) - 1; u.Spec.Const[out].Present() {
		u.Spec.Const[out] = gather(u.Spec.Const[out], nil, keep)
	}
	u.Steps = slices.Clone(u.Steps)
	for i, s := range u.Steps {
		renamed := op.New(op.I64, s.Src[0].Shape...)
		for t, id := range s.Src[0].I64 {
			place, _ := slices.BinarySearch(keep, int(id))
			renamed.I64[t] = int64(place)
		}
		u.Steps[i].Src = slices.Clone(s.Src)
		u.Steps[i].Src[0] = renamed
	}
	return u, keep
}
