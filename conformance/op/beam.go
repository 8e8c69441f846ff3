package op

import (
	"errors"
	"fmt"
	"math"
)

// BeamSearchArgs: the best sequences under an automaton. In state s the next token has the logits of row s, and token t leads to the
// state Next[s, t]. Results are the best first.
type BeamSearchArgs struct {
	BeamSearchAttrs
	Logits Tensor `src:"logits" shape:"S V"`
	Next   Tensor `src:"next" type:"i64" shape:"S V"`
	State  Tensor `src:"state" type:"i64" shape:"B"`
	Tokens Tensor `dst:"tokens" type:"i64" shape:"B K N"`
	Length Tensor `dst:"length" type:"i64" shape:"B K"`
	Score  Tensor `dst:"score" shape:"B K"`
}

// BeamSearchAttrs are those of the search, and the number of tokens after which it ends.
type BeamSearchAttrs struct {
	BeamAttrs
	End       []int `json:"end,omitempty"` // the tokens that end a sequence
	MaxLength int   `json:"max_length"`
}

// BeamAttrs: Form is "textbook" (the default) or "hf", the search of Hugging Face's generate; Beams is 1 by default. LengthPenalty is the
// exponent of Penalty, "length" (the default) or "gnmt"; EarlyStopping is "true", "false" (the default) or "never". These three are hf's.
type BeamAttrs struct {
	Form          string  `json:"form"`
	Beams         int     `json:"beams"`
	LengthPenalty float64 `json:"length_penalty,omitempty"`
	Penalty       string  `json:"penalty"`
	EarlyStopping string  `json:"early_stopping"`
}

func (BeamSearchArgs) Op() string { return "beam_search" }

var _ = add(BeamSearchArgs{}, nil, Row{Family: "beam", Group: "decoding", Composite: true})

func (a *BeamSearchArgs) validate() error {
	return errors.Join(a.BeamAttrs.validate(), steps("max_length", a.MaxLength), endTokens(a.End))
}

func (a *BeamSearchArgs) preset(d *dims) {
	d.set("K", a.Beams)
	d.set("N", a.MaxLength)
}

func (a *BeamAttrs) defaults() {
	*a = BeamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"}
}

func (a *BeamAttrs) validate() error {
	err := errors.Join(oneOf("form", a.Form, "textbook", "hf"), oneOf("penalty", a.Penalty, "length", "gnmt"),
		oneOf("early_stopping", a.EarlyStopping, "true", "false", "never"))
	if a.Beams < 1 || a.Beams > 1<<10 {
		err = errors.Join(err, fmt.Errorf("beams = %d: want from 1 to 1024", a.Beams))
	}
	if math.IsNaN(a.LengthPenalty) || math.IsInf(a.LengthPenalty, 0) {
		err = errors.Join(err, fmt.Errorf("length_penalty = %v: want a finite number", a.LengthPenalty))
	}
	if a.Form == "textbook" && (a.LengthPenalty != 0 || a.Penalty != "length" || a.EarlyStopping != "false") {
		err = errors.Join(err, errors.New("length_penalty, penalty and early_stopping: want none of them with form = textbook, which has neither"))
	}
	return err
}

// BeamSearch adapts f.
func BeamSearch(f func(BeamSearchArgs) error) Implementation { return Func(f) }

func steps(name string, n int) error {
	if n < 1 || n > 1<<20 {
		return fmt.Errorf("%s = %d: want from 1 to 2^20", name, n)
	}
	return nil
}

func endTokens(ids []int) error {
	for _, id := range ids {
		if id < 0 {
			return fmt.Errorf("end = %v: want tokens", ids)
		}
	}
	return nil
}
