package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/optimized"
)

// Run is a training run.
type Run struct {
	Config    Config
	Text      *Text
	Losses    []float64 // of each step taken
	Validated []checkpoint.Validation

	trainer *optimized.Trainer
	starts  []int64
	x, y    op.Tensor // [Accumulate, Batch, Context]
}

// New returns a run that begins with random weights.
func New(c Config, text *Text, workers int) (*Run, error) {
	c.Digest = text.Digest
	w, err := c.InitialWeights(text.Tokenizer.Vocab())
	if err != nil {
		return nil, err
	}
	return newRun(c, text, w, workers)
}

// Resume returns the run that the checkpoint was written by. The text must be the one that it was trained on.
func Resume(c *checkpoint.Checkpoint, text *Text, workers int) (*Run, error) {
	cfg, err := ConfigOf(c)
	if err != nil {
		return nil, err
	}
	if cfg.Digest != text.Digest {
		return nil, errors.New("the text is not the one that this checkpoint was trained on: name the same files, in the same order")
	}
	r, err := newRun(cfg, text, c.W, workers)
	if err != nil {
		return nil, err
	}
	r.Losses, r.Validated = c.Losses, c.Validated
	return r, r.trainer.Restore(c.Steps, c.W, c.M, c.V)
}

// ConfigOf returns the configuration in a checkpoint, to which its parameters are held.
func ConfigOf(c *checkpoint.Checkpoint) (Config, error) {
	var cfg Config
	if err := json.Unmarshal(c.Config, &cfg); err != nil {
		return cfg, fmt.Errorf("configuration in the checkpoint: %w", err)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, err
	}
	for _, p := range []struct {
		name string
		got  []int
		want []int
	}{ // the others' shapes follow from these, and are checked where the op is opened
		{"wte", c.W.Wte.Shape, []int{c.Tokenizer.Vocab(), cfg.Width}},
		{"w1", c.W.W1.Shape, []int{cfg.Layers, cfg.Width, cfg.FFN}},
		{"wpe", c.W.Wpe.Shape, cfg.positions()},
	} {
		if !slices.Equal(p.got, p.want) {
			return cfg, fmt.Errorf("the checkpoint's %s is %v, and its configuration wants %v", p.name, p.got, p.want)
		}
	}
	return cfg, nil
}

func newRun(c Config, text *Text, w op.GPTWeights, workers int) (*Run, error) {
	spec, err := c.spec(w)
	if err != nil {
		return nil, err
	}
	t, err := optimized.NewTrainer(spec, optimized.Workers(workers))
	if err != nil {
		return nil, err
	}
	return &Run{
		Config: c, Text: text, trainer: t, starts: make([]int64, c.Accumulate*c.Batch),
		x: op.New(op.I64, c.Accumulate, c.Batch, c.Context), y: op.New(op.I64, c.Accumulate, c.Batch, c.Context),
	}, nil
}

// Parameters returns how many numbers are trained.
func (r *Run) Parameters() int {
	n := 0
	w := r.Weights()
	for _, t := range w.Tensors() {
		n += t.Len()
	}
	return n
}

// Weights returns the parameters: not a copy, and good until the next step.
func (r *Run) Weights() op.GPTWeights {
	_, w, _, _ := r.trainer.State()
	return w
}

// Steps returns how many steps have been taken.
func (r *Run) Steps() int { return len(r.Losses) }

// Step takes one step, unless ctx ends before: the batch is a function of the seed and the number of the step.
func (r *Run) Step(ctx context.Context) (optimized.StepResult, error) {
	c := &r.Config
	corpus.Starts(r.starts, r.Text.Train.Len(), c.Context, c.Seed, uint64(r.Steps()))
	r.Text.Train.Batch(r.x.I64, r.y.I64, r.starts, c.Context)
	result, err := r.trainer.Step(ctx, r.x, r.y)
	if err == nil {
		r.Losses = append(r.Losses, result.Loss)
	}
	return result, err
}

// Validate returns the mean loss of windows that are spread evenly over the validation text, the same each time, and notes it.
func (r *Run) Validate(ctx context.Context) (float64, error) {
	c := &r.Config
	text := r.Text.Validation
	all := (text.Len() - 1) / c.Context
	n := min(all, max(1, c.EvalTokens/c.Context))
	starts := make([]int64, n)
	for i := range starts {
		starts[i] = int64(i * all / n * c.Context)
	}
	sum := 0.0
	for batch := range slices.Chunk(starts, c.Batch) {
		x, y := op.New(op.I64, len(batch), c.Context), op.New(op.I64, len(batch), c.Context)
		text.Batch(x.I64, y.I64, batch, c.Context)
		loss, err := r.trainer.Loss(ctx, x, y)
		if err != nil {
			return 0, err
		}
		sum += loss * float64(len(batch))
	}
	loss := sum / float64(n)
	if !r.isValidated() {
		r.Validated = append(r.Validated, checkpoint.Validation{Steps: r.Steps(), Loss: loss})
	}
	return loss, nil
}

// isValidated returns whether the loss of the state as it is has been noted.
func (r *Run) isValidated() bool {
	last := len(r.Validated) - 1
	return last >= 0 && r.Validated[last].Steps == r.Steps()
}

// Write writes a checkpoint.
func (r *Run) Write(to io.Writer) error {
	config, err := json.Marshal(r.Config)
	if err != nil {
		return err
	}
	steps, w, m, v := r.trainer.State()
	c := checkpoint.Checkpoint{Config: config, Tokenizer: r.Text.Tokenizer, Steps: steps, W: w, M: m, V: v, Losses: r.Losses, Validated: r.Validated}
	return c.Write(to)
}

// Plan says how far to train and what to do on the way.
type Plan struct {
	Steps     int // stop when so many have been taken
	EvalEvery int // validate when the number of steps taken is a multiple; 0: at the end only
	SaveEvery int // the same for checkpoints
	Save      func() error
	Progress  func(Progress)
	Warn      func(error) // of a checkpoint on the way that could not be written; training goes on, and the next is tried in its turn
}

// Progress is the state after a step.
type Progress struct {
	Steps, Of  int
	Loss, Norm float64
	Rate       float64
	Validation *float64 // where it was taken
	TokensPerS float64
	Left       time.Duration
}

// ErrStopped is wrapped by the error of a run that was stopped before its end, and saved.
var ErrStopped = errors.New("stopped")

// Train takes the steps of a plan. Once ctx is done it gives up the step or validation that it is at, saves, and returns an error that wraps
// ErrStopped and the cause. Also where a step fails, the state before it is saved. A run whose last checkpoint cannot be written has an error that says
// so, and neither of the two.
func (r *Run) Train(ctx context.Context, p Plan) error {
	err := r.train(ctx, p)
	if ctx.Err() == nil || err == nil {
		return errors.Join(err, p.Save())
	}
	if err := p.Save(); err != nil {
		return fmt.Errorf("stopped after %d of %d steps, and those since the last checkpoint are lost: %w", r.Steps(), p.Steps, err)
	}
	return fmt.Errorf("%w: %w after %d of %d steps", context.Cause(ctx), ErrStopped, r.Steps(), p.Steps)
}

// train is Train without the last checkpoint.
func (r *Run) train(ctx context.Context, p Plan) error {
	due := func(every int) bool { return every > 0 && r.Steps() > 0 && r.Steps()%every == 0 }
	if due(p.EvalEvery) && !r.isValidated() { // the run was stopped before that
		if _, err := r.Validate(ctx); err != nil {
			return err
		}
	}
	begun, first := time.Now(), r.Steps()
	tokens := float64(len(r.x.I64))
	for r.Steps() < p.Steps {
		result, err := r.Step(ctx)
		if err != nil {
			return fmt.Errorf("step %d: %w", r.Steps(), err)
		}
		each := time.Since(begun) / time.Duration(r.Steps()-first)
		now := Progress{Steps: r.Steps(), Of: p.Steps, Loss: result.Loss, Norm: result.Norm, Rate: result.Rate,
			TokensPerS: tokens / each.Seconds(), Left: each * time.Duration(p.Steps-r.Steps())}
		if due(p.EvalEvery) {
			loss, err := r.Validate(ctx)
			if err != nil {
				return err
			}
			now.Validation = &loss
		}
		p.Progress(now)
		if due(p.SaveEvery) && r.Steps() < p.Steps {
			if err := p.Save(); err != nil {
				p.Warn(err)
			}
		}
	}
	_, err := r.Validate(ctx)
	return err
}

// StepsWithin returns how many steps of the configuration fit a time, at least one, from the time that three take.
func StepsWithin(ctx context.Context, budget time.Duration, c Config, text *Text, workers int) (int, error) {
	r, err := New(c, text, workers)
	if err != nil {
		return 0, err
	}
	var begun time.Time
	const warm, timed = 1, 3
	for i := range warm + timed {
		if i == warm {
			begun = time.Now()
		}
		if _, err := r.Step(ctx); err != nil {
			return 0, err
		}
	}
	return max(1, int(budget/(time.Since(begun)/timed))), nil
}
