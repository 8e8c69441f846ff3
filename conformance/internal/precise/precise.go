// Package precise evaluates the ops of SPEC.md with 256 bits, as a second opinion about package reference.
//
// It was written from SPEC.md's text, not from the reference, and shares nothing with it: numbers are those of math/big, elementary functions
// are package bigmath's, formulas are the plain ones of the clauses (1 + erf, mean(x^2) - mu^2), a cache is the list of what was put in, and
// gradients are the chain rule along a record of the forward evaluation. At 256 bits none of that costs accuracy that float64 could see.
// It is internal: for this project's tests, not for users of the suite.
package precise

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Step is what one Run of a case gives.
type Step struct {
	Results map[string]Result // by the name of the destination
	Faults  []string          // or else the kinds of error that apply, as vector.Step.Error has them
}

// Result is an array that is evaluated element by element, as elements are asked for.
type Result func(i int) number

// Float returns element i: nil for NaN.
func (r Result) Float(i int) *big.Float { return r(i).v }

// float64 returns element i rounded, and whether it is a number.
func (r Result) float64(i int) (float64, bool) {
	x := r(i)
	if x.isNaN() {
		return math.NaN(), false
	}
	v, _ := x.v.Float64()
	return v, true
}

// Evaluate evaluates the steps of a case of the named op. Steps that must fail for a shape or an attribute are taken at their word.
func Evaluate(name string, c *vector.Case) ([]Step, error) {
	open, ok := ops[name]
	if !ok {
		return nil, fmt.Errorf("%s: not evaluated here", name)
	}
	var run kernel // opened by the first step that can be evaluated
	steps := make([]Step, len(c.Steps))
	for i, s := range c.Steps {
		if s.Error == "shape" || s.Error == "attributes" {
			steps[i].Faults = []string{s.Error}
			continue
		}
		if run == nil {
			a := defaults(name)
			if err := json.Unmarshal(c.Attrs, &a); err != nil {
				return nil, fmt.Errorf("%s: %w", c.ID, err)
			}
			run = open(a, arraysOf(c.Const))
		}
		steps[i] = run(arraysOf(s.Src))
	}
	return steps, nil
}

// kernel evaluates one step, and keeps what the op keeps between steps.
type kernel func(src arrays) Step

// ops opens the kernel of each op.
var ops = map[string]func(attributes, arrays) kernel{
	"matmul":               stateless(matmul),
	"linear":               stateless(linear),
	"softmax":              stateless(softmax),
	"log_softmax":          stateless(logSoftmax),
	"relu":                 stateless(pointwise(reluOf)),
	"gelu":                 stateless(pointwise(geluOf)),
	"layernorm":            stateless(layerNorm),
	"embedding":            stateless(embedding),
	"sinusoidal_positions": stateless(sinusoidalPositions),
	"learned_positions":    stateless(learnedPositions),
	"attention":            stateless(attention),
	"attention.scores":     stateless(attentionScores),
	"attention.cached":     attentionCached,
	"mha":                  stateless(multiHead),
	"ffn":                  stateless(feedForward),
	"block":                stateless(block),
	"gpt":                  stateless(gpt),
	"gpt.loss":             stateless(gptLoss),
	"gpt.cached":           gptCached,
	"cross_entropy":        stateless(crossEntropy),

	"matmul.grad":        stateless(gradientOf(matmul)),
	"linear.grad":        stateless(gradientOf(linear)),
	"softmax.grad":       stateless(gradientOf(softmax)),
	"log_softmax.grad":   stateless(gradientOf(logSoftmax)),
	"relu.grad":          stateless(gradientOf(pointwise(reluOf))),
	"gelu.grad":          stateless(gradientOf(pointwise(geluOf))),
	"layernorm.grad":     stateless(gradientOf(layerNorm)),
	"embedding.grad":     stateless(gradientOf(embedding)),
	"attention.grad":     stateless(gradientOf(attention)),
	"mha.grad":           stateless(gradientOf(multiHead)),
	"ffn.grad":           stateless(gradientOf(feedForward)),
	"block.grad":         stateless(gradientOf(block)),
	"cross_entropy.grad": stateless(gradientOf(crossEntropy)),
	"gpt.loss.grad":      stateless(gradientOf(gptLoss)),

	"init":          stateless(initialized),
	"adam":          adam,
	"sgd":           sgd,
	"clip_norm":     stateless(clipNorm),
	"clip_value":    stateless(clipValue),
	"learning_rate": stateless(learningRate),
	"gpt.train":     gptTrain,

	"greedy":       stateless(greedy),
	"distribution": stateless(distribution),
	"sample":       stateless(sample),
	"beam_search":  stateless(beamSearch),
	"gpt.generate": stateless(gptGenerate),
}

// stateless makes a kernel of a function of attributes and all arguments.
func stateless(f func(attributes, arrays) Step) func(attributes, arrays) kernel {
	return func(a attributes, consts arrays) kernel {
		return func(src arrays) Step { return f(a, consts.with(src)) }
	}
}

func gives(name string, r Result) Step { return Step{Results: map[string]Result{name: r}} }

func fails(kinds ...string) Step { return Step{Faults: kinds} }

// attributes are those of all ops, with SPEC.md's names.
type attributes struct {
	TransposeA     bool     `json:"transpose_a"`
	TransposeB     bool     `json:"transpose_b"`
	Approximate    string   `json:"approximate"`
	Eps            float64  `json:"eps"`
	DModel         int      `json:"d_model"`
	Scale          *float64 `json:"scale"`
	Causal         bool     `json:"causal"`
	Window         int      `json:"window"`
	Softcap        float64  `json:"softcap"`
	Stage          string   `json:"stage"`
	Capacity       int      `json:"capacity"`
	Heads          int      `json:"heads"`
	KVHeads        int      `json:"kv_heads"`
	Activation     string   `json:"activation"`
	Norm           string   `json:"norm"`
	Positions      string   `json:"positions"`
	ScaleEmbedding bool     `json:"scale_embedding"`
	Windows        []int    `json:"windows"`
	IgnoreIndex    int64    `json:"ignore_index"`
	Reduction      string   `json:"reduction"`

	Scheme       string   `json:"scheme"`
	Gain         float64  `json:"gain"`
	Mode         string   `json:"mode"`
	A            float64  `json:"a"`
	Std          float64  `json:"std"`
	Layers       int      `json:"layers"`
	Beta1        float64  `json:"beta1"`
	Beta2        float64  `json:"beta2"`
	AdamEps      float64  `json:"adam_eps"`
	WeightDecay  float64  `json:"weight_decay"`
	Decoupled    bool     `json:"decoupled"`
	Step         int      `json:"step"`
	NoDecay      []string `json:"no_decay"`
	Momentum     float64  `json:"momentum"`
	Dampening    float64  `json:"dampening"`
	Nesterov     bool     `json:"nesterov"`
	MaxNorm      float64  `json:"max_norm"`
	Limit        float64  `json:"limit"`
	Schedule     string   `json:"schedule"`
	LR           float64  `json:"lr"`
	MinLR        float64  `json:"min_lr"`
	Warmup       int      `json:"warmup"`
	WarmupStart  float64  `json:"warmup_start"`
	WarmupOffset int      `json:"warmup_offset"`
	Total        int      `json:"total"`
	Gamma        float64  `json:"gamma"`
	StepSize     int      `json:"step_size"`

	Temperature   float64 `json:"temperature"`
	TopK          int     `json:"top_k"`
	TopP          float64 `json:"top_p"`
	Form          string  `json:"form"`
	Beams         int     `json:"beams"`
	End           []int   `json:"end"`
	MaxLength     int     `json:"max_length"`
	LengthPenalty float64 `json:"length_penalty"`
	Penalty       string  `json:"penalty"`
	EarlyStopping string  `json:"early_stopping"`
	Strategy      string  `json:"strategy"`
	MaxNew        int     `json:"max_new"`
	Start         *int64  `json:"start"`
}

// defaults are the values of an op's attributes where a case gives none.
func defaults(name string) attributes {
	a := attributes{Approximate: "none", Stage: "weights", Eps: 1e-5, Activation: "gelu", Norm: "pre", Positions: "learned", IgnoreIndex: -100,
		Reduction: "mean", Gain: 1, Mode: "fan_in", Std: 0.02, Beta1: 0.9, Beta2: 0.999, AdamEps: 1e-8, NoDecay: []string{"biases", "norms"},
		Schedule: "constant", LR: 1e-3, Temperature: 1, TopP: 1, Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false",
		Strategy: "greedy"}
	switch name {
	case "adam":
		a.Eps = 1e-8
	case "clip_norm":
		a.Eps = 1e-6
	}
	return a
}

// kvHeads returns the number of key and value heads.
func (a attributes) kvHeads() int {
	if a.KVHeads == 0 {
		return a.Heads
	}
	return a.KVHeads
}

// array is an argument. Its elements become numbers when they are first used, those of large arrays every time.
type array struct {
	op.Tensor
	memo []number
}

// small is the size up to which arrays keep their numbers.
const small = 1 << 17

type arrays map[string]*array

func arraysOf(ins []vector.Input) arrays {
	as := arrays{}
	for _, in := range ins {
		if in.DType != 0 {
			as[in.Name] = &array{Tensor: in.Tensor()}
		}
	}
	return as
}

func (as arrays) with(more arrays) arrays {
	all := arrays{}
	for _, m := range []arrays{as, more} {
		for name, a := range m {
			all[name] = a
		}
	}
	return all
}

func (a *array) isFloat() bool { return a.DType == op.F32 || a.DType == op.F64 }

// at returns element i of a float array.
func (a *array) at(i int) number {
	if a.memo == nil {
		if a.Len() > small {
			return of(a.At(i))
		}
		a.memo = make([]number, a.Len())
		for i := range a.memo {
			a.memo[i] = of(a.At(i))
		}
	}
	return a.memo[i]
}

// dim returns the length of an axis; negative ones count from the last.
func (a *array) dim(axis int) int {
	if axis < 0 {
		axis += len(a.Shape)
	}
	return a.Shape[axis]
}

// part returns part i of the first axis.
func (a *array) part(i int) *array {
	if a == nil {
		return nil
	}
	n := a.Len() / a.dim(0)
	p := &array{Tensor: op.Tensor{DType: a.DType, Shape: a.Shape[1:]}}
	switch a.DType {
	case op.F32:
		p.F32 = a.F32[i*n : (i+1)*n]
	case op.F64:
		p.F64 = a.F64[i*n : (i+1)*n]
	}
	if a.memo != nil {
		p.memo = a.memo[i*n : (i+1)*n]
	}
	return p
}

// strip returns the n elements at start, start+stride, ...
func (a *array) strip(start, stride, n int) []number {
	xs := make([]number, n)
	for i := range xs {
		xs[i] = a.at(start + i*stride)
	}
	return xs
}

// row returns row i along the last axis.
func (a *array) row(i int) []number {
	n := a.dim(-1)
	return a.strip(i*n, 1, n)
}

// rows returns all rows.
func (a *array) rows() [][]number {
	rows := make([][]number, a.Len()/a.dim(-1))
	for i := range rows {
		rows[i] = a.row(i)
	}
	return rows
}

// column returns column j of a matrix.
func (a *array) column(j int) []number { return a.strip(j, a.dim(1), a.dim(0)) }

// listed is the result whose elements are those of the rows, one after the other.
func listed(rows [][]number) Result {
	all := slices.Concat(rows...)
	return func(i int) number { return all[i] }
}

// byRow is the result whose rows of n elements are evaluated when an element of theirs is asked for.
func byRow(n int, row func(i int) []number) Result {
	known := map[int][]number{}
	return func(i int) number {
		r, ok := known[i/n]
		if !ok {
			r = row(i / n)
			known[i/n] = r
		}
		return r[i%n]
	}
}
