package op

import (
	"errors"
	"fmt"
)

// GPTGenerateArgs: a model continues prompts. Without a prompt each sequence begins with the start token. Results are the new tokens alone,
// the best first: one sequence an item, or one a beam.
type GPTGenerateArgs struct {
	GPTGenerateAttrs
	GPTWeights
	Prompt Tensor `src:"prompt,optional" type:"i64" shape:"B T"`
	Draws  Tensor `src:"draws,optional" type:"i64" shape:"B N"`
	Tokens Tensor `dst:"tokens" type:"i64" shape:"B K N"`
	Length Tensor `dst:"length" type:"i64" shape:"B K"`
	Score  Tensor `dst:"score" shape:"B K"`
}

// GPTGenerateAttrs are those of the model, of sampling and of beam search. Strategy is "greedy" (the default), "sample" or "beam".
type GPTGenerateAttrs struct {
	GPTAttrs
	SamplingAttrs
	BeamAttrs
	Strategy string `json:"strategy"`
	MaxNew   int    `json:"max_new"`
	End      []int  `json:"end,omitempty"`   // the tokens that end a sequence
	Start    *int   `json:"start,omitempty"` // the token before the first, where there is no prompt
}

func (GPTGenerateArgs) Op() string { return "gpt.generate" }

var _ = add(GPTGenerateArgs{}, nil, Row{Family: "generate", Group: "decoding", Composite: true})

func (a *GPTGenerateArgs) defaults() {
	a.GPTAttrs.defaults()
	a.SamplingAttrs.defaults()
	a.BeamAttrs.defaults()
	a.Strategy = "greedy"
}

func (a *GPTGenerateArgs) validate() error {
	err := errors.Join(a.GPTAttrs.validate(), a.SamplingAttrs.validate(), a.BeamAttrs.validate(),
		oneOf("strategy", a.Strategy, "greedy", "sample", "beam"), steps("max_new", a.MaxNew), endTokens(a.End))
	switch plain := (BeamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"}); {
	case a.Strategy != "sample" && a.SamplingAttrs != SamplingAttrs{Temperature: 1, TopP: 1}:
		err = errors.Join(err, fmt.Errorf("temperature, top_k and top_p: want none of them with strategy = %s", a.Strategy))
	case a.Strategy != "beam" && a.BeamAttrs != plain:
		err = errors.Join(err, fmt.Errorf("form, beams, length_penalty, penalty and early_stopping: want none of them with strategy = %s", a.Strategy))
	case a.Start != nil && *a.Start < 0:
		err = errors.Join(err, fmt.Errorf("start = %d: want a token", *a.Start))
	}
	return err
}

func (a *GPTGenerateArgs) preset(d *dims) {
	d.set("K", a.Beams)
	d.set("N", a.MaxNew)
}

func (a *GPTGenerateArgs) checkConst(d *dims) error { return a.GPTAttrs.check(d, &a.GPTWeights) }

func (a *GPTGenerateArgs) complete(has func(name string) bool) error {
	switch {
	case has("draws") != (a.Strategy == "sample"):
		return fmt.Errorf("draws must be given exactly where strategy = sample, got strategy = %s", a.Strategy)
	case !has("prompt") && a.Start == nil:
		return errors.New("want a prompt, or a start token to begin without one")
	}
	return nil
}

func (a *GPTGenerateArgs) check(d *dims) error {
	if d.get("B") == 0 { // neither prompt nor draws: one sequence
		d.set("B", 1)
	}
	return nil
}

// GPTGenerate adapts open, which is called once and returns the kernel that generates.
func GPTGenerate(open func(GPTGenerateArgs) (Runner[GPTGenerateArgs], error)) Implementation {
	return Open(open)
}
