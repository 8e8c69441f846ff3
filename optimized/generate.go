package optimized

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// modelSource is a model as a source of logits. Its caches hold a sequence for each row; those that share a beginning share its pages.
type modelSource struct {
	*model
	caches []*kvCache // by block
	pos    int        // positions that they hold

	last, out []float32 // the last hidden vector of each sequence, and its logits
	shape     [2]int
}

func newModelSource(m *model) *modelSource {
	return &modelSource{model: m, caches: ownCaches(m, 0)}
}

// begin evaluates prompts [batch, steps], in caches that will hold as many positions as capacity.
func (s *modelSource) begin(ids []int64, batch, capacity int) {
	for _, c := range s.caches {
		c.restart(batch)
		c.capacity = capacity
	}
	s.pos = 0
	s.evaluate(ids, batch)
}

func (s *modelSource) step(parents, tokens []int64) {
	for _, c := range s.caches {
		c.fork(parents)
	}
	s.evaluate(tokens, len(tokens))
}

// evaluate appends ids [batch, steps] to the sequences, and makes the logits that follow.
func (s *modelSource) evaluate(ids []int64, batch int) {
	steps := len(ids) / batch
	s.shape = [2]int{batch, steps}
	h := s.hidden(op.Tensor{DType: op.I64, Shape: s.shape[:], I64: ids}, s.caches, s.pos, nil)
	s.pos += steps
	last := grow(&s.last, batch*s.width)
	for b := range batch {
		copy(last[b*s.width:(b+1)*s.width], h[((b+1)*steps-1)*s.width:])
	}
	s.model.logits(grow(&s.out, batch*s.vocab), last)
}

func (s *modelSource) logits() []float32 { return s.out }

var _ = register("gpt.generate", withEngine(newGPTGenerate))

// gptGenerate is the op gpt.generate. Sequences that have ended are evaluated no more.
type gptGenerate struct {
	args    op.GPTGenerateArgs // attributes
	source  *modelSource
	search  *beamSearch // strategy beam
	choices *choices    // the others

	prompt          []int64
	items           []int // the batch item of each row
	parents, tokens []int64
	draws           []uint32
	logs            []float64
	scores          []float64 // by batch item
}

func newGPTGenerate(e *engine, a op.GPTGenerateArgs) *gptGenerate {
	k := &gptGenerate{args: a, source: newModelSource(newModel(e, a.GPTWeights, a.GPTAttrs))}
	k.args.GPTWeights = op.GPTWeights{} // the model has what it needs of them
	if a.Strategy == "beam" {
		k.search = newBeamSearch(e, a.BeamAttrs, a.End, a.MaxNew)
		return k
	}
	k.choices = newChoices(e, a.SamplingAttrs)
	if a.Strategy == "greedy" {
		k.choices.each = k.chooseLargest
	} else {
		k.choices.each = k.chooseByDraw
	}
	return k
}

func (k *gptGenerate) chooseLargest(_ *chooser, row int, x []float32) bool {
	best, ok := largest(x)
	k.chosen(row, best, x)
	return ok
}

func (k *gptGenerate) chooseByDraw(c *chooser, row int, x []float32) bool {
	token, ok := c.sample(x, k.draws[row])
	k.chosen(row, token, x)
	return ok
}

// chosen notes a row's token and the logarithm of its probability in the model's own distribution.
func (k *gptGenerate) chosen(row, token int, x []float32) {
	m, sum := maxExpSum(x)
	k.tokens[row], k.logs[row] = int64(token), float64(x[token])-m-math.Log(sum)
}

func (k *gptGenerate) Run(a op.GPTGenerateArgs) error {
	batch := a.Tokens.Shape[0]
	prompt := a.Prompt.I64
	if !a.Prompt.Present() {
		prompt = grow(&k.prompt, batch)
		for b := range prompt {
			prompt[b] = int64(*a.Start)
		}
	}
	if err := k.begin(prompt, batch); err != nil {
		return err
	}
	if k.search != nil {
		if err := k.search.run("gpt.generate", k.source, batch, k.source.vocab); err != nil {
			return err
		}
		k.search.store(a.Tokens, a.Length, a.Score)
		return nil
	}
	return k.continueEach(a, batch)
}

// begin evaluates prompts [batch, steps].
func (k *gptGenerate) begin(prompt []int64, batch int) error {
	steps, s := len(prompt)/batch, k.source
	last := steps + k.args.MaxNew - 1
	if s.wpe.Present() && last > s.wpe.Shape[0] {
		return fmt.Errorf("gpt.generate: %w: a prompt of %d and %d new tokens take %d positions, want at most %d, the rows of wpe",
			op.ErrPosition, steps, k.args.MaxNew, last, s.wpe.Shape[0])
	}
	ids := op.Tensor{DType: op.I64, Shape: []int{batch, steps}, I64: prompt}
	if err := within("gpt.generate", "prompt", ids, s.vocab, op.ErrIndex); err != nil {
		return err
	}
	s.begin(prompt, batch, last)
	return nil
}

// continueEach appends tokens to each batch item until it ends.
func (k *gptGenerate) continueEach(a op.GPTGenerateArgs, batch int) error {
	for i := range a.Tokens.I64 {
		a.Tokens.I64[i] = -1
	}
	k.items, k.scores = k.items[:0], append(k.scores[:0], make([]float64, batch)...)
	for b := range batch {
		k.items = append(k.items, b)
		a.Length.I64[b] = int64(k.args.MaxNew)
	}
	for n := 0; n < k.args.MaxNew; n++ {
		k.draws = k.draws[:0]
		for _, b := range k.items {
			if a.Draws.Present() {
				at := b*k.args.MaxNew + n
				if err := draw32("gpt.generate", at, a.Draws.I64[at]); err != nil {
					return err
				}
				k.draws = append(k.draws, uint32(a.Draws.I64[at]))
			}
		}
		if err := k.choose(); err != nil {
			return err
		}
		k.parents = k.parents[:0]
		live := 0
		for row, b := range k.items {
			token := k.tokens[row]
			a.Tokens.I64[b*k.args.MaxNew+n] = token
			k.scores[b] += k.logs[row]
			if slices.Contains(k.args.End, int(token)) {
				a.Length.I64[b] = int64(n + 1)
				continue
			}
			k.parents = append(k.parents, int64(row))
			k.items[live], k.tokens[live] = b, token
			live++
		}
		k.items, k.tokens = k.items[:live], k.tokens[:live]
		if live == 0 || n == k.args.MaxNew-1 {
			break
		}
		k.source.step(k.parents, k.tokens)
	}
	for b, s := range k.scores {
		a.Score.F32[b] = float32(s)
	}
	return nil
}

// choose chooses a token for each row of the source's logits.
func (k *gptGenerate) choose() error {
	rows := k.source.shape[0]
	grow(&k.tokens, rows)
	grow(&k.logs, rows)
	return k.choices.run("gpt.generate", k.source.out, k.source.vocab)
}

// Generator continues one sequence token by token: gpt.generate for whoever wants to see them as they come. It is not for several goroutines
// at once.
type Generator struct {
	k    *gptGenerate
	left int // new tokens that may still come
	open bool
}

// NewGenerator returns a generator for the strategies greedy and sample. Attributes and weights are those of the op gpt.generate, and checked
// like them.
func NewGenerator(w op.GPTWeights, a op.GPTGenerateAttrs, opts ...Option) (*Generator, error) {
	if a.Strategy == "beam" {
		return nil, fmt.Errorf("optimized: %w: beam search knows no token before the last: use the op gpt.generate", op.ErrAttrs)
	}
	attrs, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	g, c := new(Generator), newConfig(opts)
	_, err = op.GPTGenerate(func(args op.GPTGenerateArgs) (op.Runner[op.GPTGenerateArgs], error) {
		g.k = newGPTGenerate(newEngine(c), args)
		return g.k, nil
	}).Open(op.Spec{Op: "gpt.generate", Attrs: attrs, Const: w.Tensors()})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Token is what Next chose.
type Token struct {
	ID  int64
	Log float64 // the logarithm of its probability in the model's own distribution
	End bool    // it is one of those that end a sequence
}

// Begin evaluates a prompt, which is not empty, and forgets what was before.
func (g *Generator) Begin(prompt []int64) error {
	g.open = false
	if len(prompt) == 0 {
		return fmt.Errorf("optimized: %w: the prompt is empty: begin with a start token", op.ErrShape)
	}
	if err := g.k.begin(prompt, 1); err != nil {
		return err
	}
	g.open, g.left = true, g.k.args.MaxNew
	return nil
}

// Next chooses the next token, with the strategy sample by the upper 24 bits of draw. After max_new tokens it is an error that wraps
// op.ErrCapacity. A token that ends a sequence does not keep Next from going on.
func (g *Generator) Next(draw uint32) (Token, error) {
	switch {
	case !g.open:
		return Token{}, fmt.Errorf("optimized: %w: Next before Begin", op.ErrShape)
	case g.left == 0:
		return Token{}, fmt.Errorf("optimized: %w: all %d new tokens have come", op.ErrCapacity, g.k.args.MaxNew)
	case g.left < g.k.args.MaxNew: // the last token has not been evaluated yet
		g.k.parents = append(g.k.parents[:0], 0)
		g.k.source.step(g.k.parents, g.k.tokens)
	}
	g.k.draws = append(g.k.draws[:0], draw)
	if err := g.k.choose(); err != nil {
		return Token{}, err
	}
	g.left--
	id := g.k.tokens[0]
	return Token{ID: id, Log: g.k.logs[0], End: slices.Contains(g.k.args.End, int(id))}, nil
}
