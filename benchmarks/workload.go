package benchmarks

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// Workload is one op at one shape, with numbers that are the same wherever it runs.
type Workload struct {
	Name   string // in benchproc's form, without the implementation: op=attention/model=gpt3-small/seq=1024
	Op     string
	Tokens int // that one Run processes; 0 where that means nothing
	// Stateful: a Run begins where the one before it ended. Results before timing are those of first steps.
	Stateful bool
	Small    bool // small enough for an implementation that is not made for speed
	// Spec returns the op with its weights.
	Spec func() op.Spec
	// Context returns the sources of a Run that comes first and is not timed: it fills a cache. Nil where there is none.
	Context func() []op.Tensor
	// Inputs returns the sources of a timed Run. Each set has numbers of its own and the same shapes.
	Inputs func(set int) []op.Tensor
}

// Workloads returns those whose name matches the regular expression, in a fixed order; the empty one matches all. An expression that
// does not compile or matches none is an error.
func Workloads(pattern string) ([]Workload, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("workload pattern: %w", err)
	}
	all := tinyWorkloads()
	for _, p := range parts {
		all = append(all, p.sized()...)
	}
	example := all[len(all)-1].Name
	chosen := slices.DeleteFunc(all, func(w Workload) bool { return !re.MatchString(w.Name) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("workload pattern %q matches no workload; one is %s", pattern, example)
	}
	return chosen, nil
}

// tinyWorkloads are all kinds of workload at a size for smoke tests.
func tinyWorkloads() []Workload { return small(everyOp(model("tiny"), 8)...) }

// everyOp returns each kind of workload once.
func everyOp(c config, seq int) []Workload {
	var all []Workload
	for _, p := range parts {
		all = append(all, p.every(c, seq)...)
	}
	return all
}

// A part is what one file has of ops: what they cost, one workload of each at the size of a model, and those at the sizes that are measured.
type part struct {
	costs func(c *cost) []op.Implementation
	every func(c config, seq int) []Workload
	sized func() []Workload
}

// parts are what the files have registered.
var parts []part

func register(p part) struct{} {
	parts = append(parts, p)
	return struct{}{}
}

var _ = register(part{(*cost).forward, config.forward, gpt3Workloads})

func (c config) forward(seq int) []Workload {
	return []Workload{
		c.matmul(seq), c.linear("attn", seq), c.linear("ffn", seq), c.layerNorm(seq), c.softmax(seq), c.gelu(seq),
		c.attention(seq), c.attentionScores(seq), c.attentionCached(seq), c.mha(seq), c.ffn(seq), c.block(seq),
		c.gpt(seq), c.gptLoss(seq), c.gptCached(seq), c.crossEntropy(seq),
	}
}

// gpt3Workloads are the ops of GPT-3's decoders at the sizes of Table 2.1 of Brown et al. 2020. One layer of gpt3-small stands for its
// twelve. gpt3-13b, whose heads do not fill its width, gives lengths that no tile divides.
func gpt3Workloads() []Workload {
	c, big, odd := model("gpt3-small"), model("gpt3-6.7b"), model("gpt3-13b")
	c.Layers = 1
	return slices.Concat(
		[]Workload{c.matmul(1024), c.linear("attn", 1024), c.linear("ffn", 1024), c.linear("ffn", 1), odd.linear("attn", 32)},
		small(c.layerNorm(1024), c.softmax(16), c.gelu(128), c.attention(128), c.attentionCached(128), c.attentionCached(1024)),
		[]Workload{
			c.attention(1024), c.mha(128), c.mha(1024), c.ffn(1024), c.block(128), c.block(1024), big.block(32),
			c.gptCached(128), c.gptCached(1024), c.crossEntropy(16),
		},
	)
}

func small(ws ...Workload) []Workload {
	for i := range ws {
		ws[i].Small = true
	}
	return ws
}

// config makes workloads from the dimensions of a model.
type config struct{ reference.Config }

func model(name string) config {
	c, err := reference.ConfigByName(name)
	if err != nil {
		panic(err) // the names are those in this package
	}
	return config{c}
}

// dims are the lengths that stand behind the names of the op table's shape rules.
func (c config) dims() map[string]int {
	return map[string]int{
		"V": c.Vocab, "C": c.Ctx, "L": c.Layers, "d": c.DModel, "F": c.FFN, "HD": c.Heads * c.HeadDim, "GD": c.KVHeads * c.HeadDim,
	}
}

// workload joins the parts: key names the size (seq, or more), attrs are the op's attribute struct, dims the lengths of its weights and
// absent those weights that the op is to do without.
func (c config) workload(opName, key string, seq int, attrs any, dims map[string]int, inputs func(draw) []op.Tensor, absent ...string) Workload {
	name := fmt.Sprintf("op=%s/model=%s/%s=%d", opName, c.Name, key, seq)
	return Workload{
		Name:   name,
		Op:     opName,
		Tokens: seq,
		Spec: func() op.Spec {
			return op.Spec{Op: opName, Attrs: raw(attrs), Const: draw(name+" const").weights(opName, dims, absent)}
		},
		Inputs: func(set int) []op.Tensor { return inputs(draw(fmt.Sprint(name, " inputs ", set))) },
	}
}

// raw returns attributes as a Spec has them.
func raw(attrs any) json.RawMessage {
	text, err := json.Marshal(attrs)
	if err != nil {
		panic(err) // an attribute that is not finite: there is none here
	}
	return text
}

type none struct{} // the attributes of an op that has none

func (c config) matmul(seq int) Workload {
	return c.workload("matmul", "seq", seq, none{}, nil, func(d draw) []op.Tensor {
		return []op.Tensor{d.normal("a", seq, c.DModel), d.matrix("b", c.DModel, c.FFN)}
	})
}

// linear is the projection of a layer's input to queries (layer attn) or to the hidden units of its feed-forward network (ffn).
func (c config) linear(layer string, seq int) Workload {
	out := map[string]int{"attn": c.Heads * c.HeadDim, "ffn": c.FFN}[layer]
	return c.workload("linear", "layer="+layer+"/seq", seq, none{}, map[string]int{"in": c.DModel, "out": out}, c.vectors(seq))
}

func (c config) layerNorm(seq int) Workload {
	return c.workload("layernorm", "seq", seq, op.LayerNormAttrs{Eps: c.Eps}, c.dims(), c.vectors(seq))
}

// softmax is over the vocabulary.
func (c config) softmax(seq int) Workload {
	return c.workload("softmax", "seq", seq, none{}, nil, func(d draw) []op.Tensor { return []op.Tensor{d.normal("x", seq, c.Vocab)} })
}

// gelu is on the hidden units of the feed-forward network, by tanh as GPT-2 and GPT-3 have it.
func (c config) gelu(seq int) Workload {
	return c.workload("gelu", "seq", seq, op.GELUAttrs{Approximate: "tanh"}, nil, func(d draw) []op.Tensor {
		return []op.Tensor{d.normal("x", seq, c.FFN)}
	})
}

func (c config) attention(seq int) Workload {
	return c.workload("attention", "seq", seq, op.AttentionAttrs{Causal: true, Window: window(c.Windows, 1)}, nil, func(d draw) []op.Tensor {
		return append(c.heads(d, seq), op.Tensor{})
	})
}

// attentionScores are the weights of attention.
func (c config) attentionScores(seq int) Workload {
	attrs := op.AttentionScoresAttrs{AttentionAttrs: op.AttentionAttrs{Causal: true, Window: window(c.Windows, 1)}, Stage: "weights"}
	return c.workload("attention.scores", "seq", seq, attrs, nil, func(d draw) []op.Tensor { return append(c.heads(d, seq)[:2], op.Tensor{}) })
}

// attentionCached is one token after ctx others.
func (c config) attentionCached(ctx int) Workload {
	step := func(seq, pos int) func(draw) []op.Tensor {
		return func(d draw) []op.Tensor { return append(c.heads(d, seq), scalar(pos), op.Tensor{}) }
	}
	attrs := op.AttentionCachedAttrs{Capacity: ctx + 1, Window: window(c.Windows, 1)}
	return decode(c.workload("attention.cached", "ctx", ctx, attrs, nil, step(1, ctx)), step(ctx, 0))
}

// decode turns a workload into one of a single token after a context.
func decode(w Workload, context func(draw) []op.Tensor) Workload {
	w.Tokens = 1
	w.Context = func() []op.Tensor { return context(draw(w.Name + " context")) }
	return w
}

// heads are q, k and v of one sequence.
func (c config) heads(d draw, seq int) []op.Tensor {
	return []op.Tensor{
		d.normal("q", 1, c.Heads, seq, c.HeadDim), d.normal("k", 1, c.KVHeads, seq, c.HeadDim), d.normal("v", 1, c.KVHeads, seq, c.HeadDim),
	}
}

func (c config) mha(seq int) Workload {
	attrs := op.MHAAttrs{Heads: c.Heads, KVHeads: c.KVHeads, Causal: true, Window: window(c.Windows, 1)}
	return c.workload("mha", "seq", seq, attrs, c.dims(), func(d draw) []op.Tensor { return append(c.vectors(1, seq)(d), op.Tensor{}) })
}

func (c config) ffn(seq int) Workload {
	return c.workload("ffn", "seq", seq, op.FFNAttrs{Activation: string(c.Activation)}, c.dims(), c.vectors(1, seq))
}

func (c config) block(seq int) Workload {
	attrs := op.BlockAttrs{
		Norm: string(c.Norm), Heads: c.Heads, KVHeads: c.KVHeads, Activation: string(c.Activation), Eps: c.Eps,
		Causal: true, Window: window(c.Windows, 1),
	}
	return c.workload("block", "seq", seq, attrs, c.dims(), c.vectors(1, seq))
}

func (c config) gpt(seq int) Workload {
	return c.workload("gpt", "seq", seq, c.attrs(), c.dims(), func(d draw) []op.Tensor {
		return []op.Tensor{d.tokens("ids", c.Vocab, 1, seq)}
	}, c.absent()...)
}

func (c config) gptLoss(seq int) Workload {
	attrs := op.GPTLossAttrs{GPTAttrs: c.attrs(), CrossEntropyAttrs: meanLoss}
	return c.workload("gpt.loss", "seq", seq, attrs, c.dims(), func(d draw) []op.Tensor {
		return []op.Tensor{d.tokens("ids", c.Vocab, 1, seq), d.tokens("targets", c.Vocab, 1, seq)}
	}, c.absent()...)
}

// gptCached is one token after ctx others.
func (c config) gptCached(ctx int) Workload {
	step := func(seq, pos int) func(draw) []op.Tensor {
		return func(d draw) []op.Tensor { return []op.Tensor{d.tokens("ids", c.Vocab, 1, seq), scalar(pos), {}} }
	}
	attrs := op.GPTCachedAttrs{GPTAttrs: c.attrs(), Capacity: ctx + 1}
	key := fmt.Sprintf("layers=%d/ctx", c.Layers)
	return decode(c.workload("gpt.cached", key, ctx, attrs, c.dims(), step(1, ctx), c.absent()...), step(ctx, 0))
}

func (c config) crossEntropy(seq int) Workload {
	return c.workload("cross_entropy", "seq", seq, meanLoss, nil, func(d draw) []op.Tensor {
		return []op.Tensor{d.normal("logits", seq, c.Vocab), d.tokens("targets", c.Vocab, seq)}
	})
}

var meanLoss = op.CrossEntropyAttrs{IgnoreIndex: -100, Reduction: "mean"}

// vectors are one source [lead..., d].
func (c config) vectors(lead ...int) func(draw) []op.Tensor {
	return func(d draw) []op.Tensor { return []op.Tensor{d.normal("x", append(slices.Clone(lead), c.DModel)...)} }
}

func (c config) attrs() op.GPTAttrs {
	return op.GPTAttrs{
		Heads: c.Heads, KVHeads: c.KVHeads, Norm: string(c.Norm), Activation: string(c.Activation), Eps: c.Eps,
		Positions: string(c.Positions), ScaleEmbedding: c.ScaleEmbedding, Windows: c.Windows,
	}
}

// absent names the weights that the model does not have.
func (c config) absent() []string {
	var names []string
	if c.Positions != reference.PositionsLearned {
		names = append(names, "wpe")
	}
	if c.Norm == reference.PostNorm {
		names = append(names, "lnf_gamma", "lnf_beta")
	}
	if c.Tied {
		names = append(names, "w_out")
	}
	return names
}
