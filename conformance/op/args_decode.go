package op

import (
	"errors"
	"fmt"
	"math"
)

// From logits to tokens, SPEC.md DEC.
var decodingOps = []Args{GreedyArgs{}, DistributionArgs{}, SampleArgs{}, BeamSearchArgs{}, GPTGenerateArgs{}}

// GreedyArgs: the token with the largest logit in each row.
type GreedyArgs struct {
	Logits Tensor `src:"logits" shape:"N V"`
	Token  Tensor `dst:"token" type:"i64" shape:"N"`
}

func (GreedyArgs) Op() string { return "greedy" }

// Greedy adapts f.
func Greedy(f func(GreedyArgs) error) Implementation { return Func(f) }

// DistributionArgs: the probabilities that sampling draws from.
type DistributionArgs struct {
	SamplingAttrs
	Logits Tensor `src:"logits" shape:"N V"`
	Probs  Tensor `dst:"probs" shape:"N V"`
}

// SamplingAttrs: logits are divided by Temperature (1 by default; 0: greedy), the TopK most likely kept (0: all), then the fewest whose
// probabilities reach TopP (1: all).
type SamplingAttrs struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k,omitempty"`
	TopP        float64 `json:"top_p"`
}

func (DistributionArgs) Op() string { return "distribution" }

func (a *DistributionArgs) defaults()       { a.SamplingAttrs.defaults() }
func (a *DistributionArgs) validate() error { return a.SamplingAttrs.validate() }

func (a *SamplingAttrs) defaults() { *a = SamplingAttrs{Temperature: 1, TopP: 1} }

func (a *SamplingAttrs) validate() error {
	err := errors.Join(nonNegative("temperature", a.Temperature), atLeast("top_k", a.TopK, 0))
	if !(a.TopP >= 0 && a.TopP <= 1) {
		err = errors.Join(err, fmt.Errorf("top_p = %v: want from 0 to 1", a.TopP))
	}
	return err
}

// Distribution adapts f.
func Distribution(f func(DistributionArgs) error) Implementation { return Func(f) }

// SampleArgs: one token a row, drawn from the distribution. Draws are unsigned 32-bit numbers.
type SampleArgs struct {
	SamplingAttrs
	Logits Tensor `src:"logits" shape:"N V"`
	Draws  Tensor `src:"draws" type:"i64" shape:"N"`
	Token  Tensor `dst:"token" type:"i64" shape:"N"`
}

func (SampleArgs) Op() string { return "sample" }

func (a *SampleArgs) defaults()       { a.SamplingAttrs.defaults() }
func (a *SampleArgs) validate() error { return a.SamplingAttrs.validate() }

// Sample adapts f.
func Sample(f func(SampleArgs) error) Implementation { return Func(f) }

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

func (a *BeamSearchArgs) defaults() { a.BeamAttrs.defaults() }

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
