package benchmarks

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

var _ = register(part{(*cost).decoding, config.decoding, decodingWorkloads})

func (c config) decoding(seq int) []Workload {
	return []Workload{c.greedy(seq), c.distribution(seq), c.sample(seq), c.beamSearch(seq), c.gptGenerate("greedy", seq/2, seq/2), c.gptGenerate("beam", seq/2, seq/2)}
}

// decodingWorkloads are choices from GPT-3's vocabulary, and continuations by a model that is small enough to be evaluated.
func decodingWorkloads() []Workload {
	c := model("gpt3-small")
	return append(small(c.greedy(16), c.distribution(16), c.sample(16)), mini.gptGenerate("greedy", 32, 32), mini.gptGenerate("beam", 32, 32))
}

func (c config) greedy(seq int) Workload {
	return c.workload("greedy", "seq", seq, none{}, nil, func(d draw) []op.Tensor { return []op.Tensor{d.normal("logits", seq, c.Vocab)} })
}

// sampling is what models are sampled with.
var sampling = op.SamplingAttrs{Temperature: 0.8, TopK: 40, TopP: 0.95}

func (c config) distribution(seq int) Workload {
	return c.workload("distribution", "seq", seq, sampling, nil, func(d draw) []op.Tensor { return []op.Tensor{d.normal("logits", seq, c.Vocab)} })
}

func (c config) sample(seq int) Workload {
	return c.workload("sample", "seq", seq, sampling, nil, func(d draw) []op.Tensor {
		return []op.Tensor{d.normal("logits", seq, c.Vocab), d.tokens("draws", 1<<32, seq)}
	})
}

const beams = 4

// beamSearch is over an automaton with a state for each step and token, as a model has one for each prefix: with the same states in every
// step, sequences that make the same transitions in another order would have equal scores, and rounding would decide between them.
func (c config) beamSearch(seq int) Workload {
	attrs := op.BeamSearchAttrs{
		BeamAttrs: op.BeamAttrs{Form: "hf", Beams: beams, Penalty: "length", LengthPenalty: 1, EarlyStopping: "false"}, MaxLength: seq,
	}
	return c.workload("beam_search", "seq", seq, attrs, nil, func(d draw) []op.Tensor {
		states := seq * c.Vocab
		next := op.New(op.I64, states, c.Vocab)
		for i := range next.I64 {
			step, token := i/c.Vocab/c.Vocab, i%c.Vocab
			next.I64[i] = int64(min(step+1, seq-1)*c.Vocab + token)
		}
		return []op.Tensor{d.normal("logits", states, c.Vocab), next, d.tokens("state", c.Vocab, 1)}
	})
}

// gptGenerate is so many new tokens after a prompt.
func (c config) gptGenerate(strategy string, prompt, tokens int) Workload {
	attrs := op.GPTGenerateAttrs{
		GPTAttrs: c.attrs(), SamplingAttrs: op.SamplingAttrs{Temperature: 1, TopP: 1},
		BeamAttrs: op.BeamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"}, Strategy: strategy, MaxNew: tokens,
	}
	if strategy == "beam" {
		attrs.Beams = beams
	}
	key := fmt.Sprintf("strategy=%s/prompt=%d/new", strategy, prompt)
	return c.workload("gpt.generate", key, tokens, attrs, c.dims(), func(d draw) []op.Tensor {
		return []op.Tensor{d.tokens("prompt", c.Vocab, 1, prompt), {}}
	}, c.absent()...)
}

// Costs of decoding:
//
//	greedy         1 an element, a comparison
//	distribution   6 an element: softmax, and a division by the temperature. Ranking is not counted: how many comparisons it takes depends on how
//	sample         7 an element: the same, and a sum
//	beam_search    5 V for each sequence and step: log-softmax, and a sum. All steps and beams are counted
//	gpt.generate   the model on prompt and new tokens once each, for each beam; logits where a token is chosen; and the choice
//
// Of gpt.generate, bytes count the weights once for each step.
func (c *cost) decoding() []op.Implementation {
	return []op.Implementation{
		op.Greedy(func(a op.GreedyArgs) error { return c.add(float64(a.Logits.Len())) }),
		op.Distribution(func(a op.DistributionArgs) error { return c.add(6 * float64(a.Logits.Len())) }),
		op.Sample(func(a op.SampleArgs) error { return c.add(7 * float64(a.Logits.Len())) }),
		op.BeamSearch(func(a op.BeamSearchArgs) error {
			steps := float64(a.State.Len()) * (1 + float64(a.Beams*(a.MaxLength-1)))
			return c.add(5 * float64(a.Logits.Shape[1]) * steps)
		}),
		op.GPTGenerate(func(op.GPTGenerateArgs) (op.Runner[op.GPTGenerateArgs], error) {
			return runner[op.GPTGenerateArgs](c.generate), nil
		}),
	}
}

func (c *cost) generate(a op.GPTGenerateArgs) error {
	batch, prompt, vocab, d := a.Tokens.Shape[0], 1, float64(a.Wte.Shape[0]), float64(a.Wte.Shape[1])
	if a.Prompt.Present() {
		prompt = a.Prompt.Shape[1]
	}
	logits := func(rows int) float64 { return 2 * float64(rows) * d * vocab }
	step := func(sequences, tokens, kept int) error { // and one row of logits for each sequence
		part := new(cost)
		if err := part.model(a.GPTAttrs, a.GPTWeights, sequences, tokens, kept); err != nil {
			return err
		}
		return c.add(part.flops - logits(sequences*(tokens-1)) + 5*vocab*float64(sequences))
	}
	if err := step(batch, prompt, 0); err != nil {
		return err
	}
	for n := range a.MaxNew - 1 {
		if err := step(batch*a.Beams, 1, prompt+n); err != nil {
			return err
		}
		for _, w := range a.GPTWeights.Tensors() {
			c.bytes += size(w)
		}
	}
	return nil
}
