package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/cmd/gpt/internal/generation"
	"github.com/assaykit/assay/cmd/gpt/internal/training"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/internal/output"
)

// trainFlags are the flags of gpt train. Those in Config are what a checkpoint remembers.
type trainFlags struct {
	training.Config
	tokenizer, clean     string
	steps, warmup        int // steps: when to stop
	minLR, minutes       float64
	evalEvery, saveEvery int
	out, resume, curve   string
	overwrite, asJSON    bool
	workers, sample      int
}

// free are the flags that a resumed run may have. All others are settled by its checkpoint.
var free = []string{"resume", "steps", "out", "overwrite", "eval-every", "save-every", "curve", "workers", "sample", "json"}

func trainCommand() *cobra.Command {
	var t trainFlags
	cmd := &cobra.Command{
		Use:   "train [FILE ...]",
		Short: "Train a GPT on text",
		Long: `Train a GPT on the text of files, each a document, or on the embedded text, Newton's Opticks. The end of the text
is kept to validate with. The losses are in nats a token; unigram entropy is the least that a model can reach which
does not look at what comes before.

A checkpoint is written at intervals, at the end, and when the run is stopped (Ctrl-C). A run that is stopped and
resumed is, bit for bit, the run that was never stopped.`,
		Example: `  gpt train
  gpt train --minutes 10 --layers 6 --width 192 book.txt
  gpt train --resume gpt.safetensors`,
		RunE: func(cmd *cobra.Command, files []string) error {
			t.Files = files
			return t.run(cmd)
		},
	}
	t.define(cmd.Flags())
	cmd.MarkFlagsMutuallyExclusive("steps", "minutes")
	return cmd
}

func (t *trainFlags) define(f *pflag.FlagSet) {
	a := &t.Attrs
	a.GPTAttrs = op.GPTAttrs{Norm: "pre", Eps: 1e-5}
	a.IgnoreIndex, a.AdamEps, a.Decoupled, a.NoDecay = -100, 1e-8, true, []string{"biases", "norms"}

	f.SortFlags = false
	f.StringVar(&t.tokenizer, "tokenizer", "char", "what becomes a token: char, or r50k, the byte-pair encoding of GPT-2 and GPT-3")
	f.StringVar(&t.clean, "clean", "all", "how to clean the text: none, all, or a list of "+strings.Join(ruleNames, ", "))
	floatFlag(f, &t.Fraction, "validation", 0.1, 1e-6, 0.999999, "the fraction of the text, at its end, to validate with")
	intFlag(f, &t.Layers, "layers", 4, 1, training.MaxLayers, "blocks of the model")
	intFlag(f, &t.Width, "width", 128, 1, training.MaxWidth, "its width")
	intFlag(f, &a.Heads, "heads", 4, 1, training.MaxWidth, "its attention heads")
	intFlag(f, &t.FFN, "ffn", 0, 0, training.MaxFFN, "the width of its feed-forward layers, 0 for four times the model's")
	intFlag(f, &t.Context, "seq", 128, 1, training.MaxContext, "the tokens in a window of training, and the most that the model can see")
	f.StringVar(&a.Activation, "activation", "gelu_tanh", "relu, gelu or gelu_tanh")
	f.StringVar(&a.Positions, "positions", "learned", "learned, sinusoidal or none")
	intFlag(f, &t.steps, "steps", 1000, 1, maxSteps, "train until so many steps have been taken")
	floatFlag(f, &t.minutes, "minutes", 0, 0.001, 1e6, "take as many steps as fit in this time, from the speed of the first")
	intFlag(f, &t.Batch, "batch", 16, 1, training.MaxBatch, "windows in a micro-batch")
	intFlag(f, &t.Accumulate, "accumulate", 1, 1, training.MaxBatch, "micro-batches in a step")
	f.Uint64Var(&t.Seed, "seed", 1, "the seed of weights and batches")
	f.StringVar(&a.Schedule, "schedule", "warmup_cosine", "of the learning rate: constant, cosine, warmup_cosine, step, exponential or inverse_sqrt")
	floatFlag(f, &a.LR, "lr", 1e-3, 0, 1000, "the highest learning rate")
	floatFlag(f, &t.minLR, "min-lr", unset, 0, 1000, "the lowest, else a tenth of it under cosines, and 0 under others")
	intFlag(f, &t.warmup, "warmup", unset, 0, maxSteps, "the steps in which the rate rises, else a twentieth of all under warmup_cosine")
	floatFlag(f, &a.Gamma, "gamma", 0, 0, 1, "the factor of the schedules step and exponential")
	intFlag(f, &a.StepSize, "step-size", 0, 0, maxSteps, "the steps between two factors of the schedule step")
	floatFlag(f, &a.Beta1, "beta1", 0.9, 0, 0.999999, "AdamW's decay of the first moment")
	floatFlag(f, &a.Beta2, "beta2", 0.95, 0, 0.999999, "AdamW's decay of the second moment")
	floatFlag(f, &a.WeightDecay, "weight-decay", 0.1, 0, 1000, "AdamW's weight decay, of matrices and tables")
	floatFlag(f, &a.MaxNorm, "clip", 1, 0, 1e6, "the largest norm of a gradient, 0 for any")
	intFlag(f, &t.evalEvery, "eval-every", 100, 0, maxSteps, "the steps between two validations, 0 for one at the end only")
	intFlag(f, &t.EvalTokens, "eval-tokens", 1<<16, 1, training.MaxEvalTokens, "the most tokens to validate with")
	intFlag(f, &t.saveEvery, "save-every", 100, 0, maxSteps, "the steps between two checkpoints, 0 for one at the end only")
	f.StringVar(&t.out, "out", "gpt.safetensors", "the checkpoint to write")
	f.StringVar(&t.resume, "resume", "", "go on from this checkpoint, and write to it")
	f.BoolVar(&t.overwrite, "overwrite", false, "replace a checkpoint of another run")
	f.StringVar(&t.curve, "curve", "", "draw the losses into this file, a .png, .svg or .pdf")
	intFlag(f, &t.sample, "sample", 200, 0, maxTokens, "the tokens of a sample at the end")
	intFlag(f, &t.workers, "workers", runtime.GOMAXPROCS(0), 1, 1<<12, "how many goroutines compute; results do not depend on it")
	f.BoolVar(&t.asJSON, "json", false, "print the result as JSON")
	for _, name := range []string{"min-lr", "warmup"} {
		f.Lookup(name).DefValue = "" // which depends on others
	}
}

const (
	unset    = -1 // where 0 means something
	maxSteps = 1_000_000_000
)

func (t *trainFlags) run(cmd *cobra.Command) (err error) {
	status, ctx := cmd.ErrOrStderr(), cmd.Context()
	outputs, err := t.claim(cmd.Flags())
	defer func() { err = errors.Join(err, begun(outputs.close())) }()
	if err != nil {
		return err
	}
	var r *training.Run
	open := t.begin
	if cmd.Flags().Changed("resume") {
		open = t.goOn
	}
	if err := interruptible(ctx, "no step was taken", func() (err error) {
		r, err = open(ctx, cmd.Flags(), status)
		return err
	}); err != nil {
		return err
	}
	if r.Steps() > t.steps {
		return fmt.Errorf("--steps is %d, and %s has taken %d already", t.steps, t.resume, r.Steps())
	}
	fmt.Fprintf(status, "%d parameters, %d tokens to train on, %d to validate with, a vocabulary of %d (%s); %d steps of %d tokens\n", r.Parameters(),
		r.Text.Train.Len(), r.Text.Validation.Len(), r.Text.Tokenizer.Vocab(), r.Text.Tokenizer.Name(), t.steps, r.Config.Accumulate*r.Config.Batch*r.Config.Context)
	start, before := time.Now(), r.Steps()
	line := newStatusLine(status)
	err = r.Train(ctx, training.Plan{Steps: t.steps, EvalEvery: t.evalEvery, SaveEvery: t.saveEvery, Progress: line.progress, Warn: line.warn,
		Save: func() error { return outputs.checkpoint.Write(r.Write) }})
	line.end()
	if errors.Is(err, training.ErrStopped) {
		return fmt.Errorf("%w\nnothing is lost: gpt train --resume %s goes on", err, t.out)
	}
	if err != nil {
		return begun(err)
	}
	return begun(interruptible(ctx, t.out+" is written, and is whole", func() error {
		return t.report(ctx, cmd.OutOrStdout(), outputs.curve, r, r.Steps()-before, time.Since(start))
	}))
}

// outputs are the files that a run writes.
type outputs struct{ checkpoint, curve *output.File }

// close gives them up.
func (o *outputs) close() (err error) {
	for _, f := range []*output.File{o.checkpoint, o.curve} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// claim claims the files to write, before the time is spent that makes them.
func (t *trainFlags) claim(f *pflag.FlagSet) (o outputs, err error) {
	flag := "--out"
	if f.Changed("resume") && !f.Changed("out") {
		flag, t.out = "--resume", t.resume
	}
	if o.checkpoint, err = output.Claim(t.out); err != nil {
		return o, fmt.Errorf("%s: %w", flag, err)
	}
	if _, err := os.Stat(t.out); err == nil && t.out != t.resume && !t.overwrite {
		return o, fmt.Errorf("%s exists: go on with --resume %[1]s, or replace it with --overwrite", t.out)
	}
	if !f.Changed("curve") {
		return o, nil
	}
	if !slices.Contains([]string{".png", ".svg", ".pdf"}, filepath.Ext(t.curve)) {
		return o, fmt.Errorf("--curve %s: want a name that ends in .png, .svg or .pdf", t.curve)
	}
	if o.curve, err = output.Claim(t.curve); err != nil {
		return o, fmt.Errorf("--curve: %w", err)
	}
	return o, nil
}

// begin makes a new run from the flags.
func (t *trainFlags) begin(ctx context.Context, _ *pflag.FlagSet, status io.Writer) (*training.Run, error) {
	var err error
	if t.Rules, err = rules(t.clean); err != nil {
		return nil, err
	}
	if t.FFN == 0 {
		t.FFN = 4 * t.Width
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	documents, report, err := training.Documents(t.Files, t.Rules)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(status, "cleaning: %d line ends, %d controls, %d lines normalized, %d lines of white space, %d repeated paragraphs\n",
		report.LineEndings, report.Controls, report.NFC, report.Whitespace, report.Duplicates)
	tok, err := training.Tokenizer(t.tokenizer, documents)
	if err != nil {
		return nil, err
	}
	text, err := training.Tokenize(tok, documents, t.Fraction, t.Context)
	if err != nil {
		return nil, err
	}
	t.schedule()
	if err := checkMemory(status, t.Config, text, t.workers); err != nil {
		return nil, err
	}
	if t.minutes > 0 {
		if t.steps, err = training.StepsWithin(ctx, time.Duration(t.minutes*float64(time.Minute)), t.Config, text, t.workers); err != nil {
			return nil, err
		}
		t.schedule()
	}
	return training.New(t.Config, text, t.workers)
}

// checkMemory says what memory a run will need, and refuses one that needs more than there is. With garbage, the process takes up to a half more.
func checkMemory(status io.Writer, c training.Config, text *training.Text, workers int) error {
	const gigabyte = 1e9
	need, have := c.Memory(text, workers), memory()
	if need > have {
		return fmt.Errorf("the run needs about %.2f GB of memory, and there are %.2f GB: take a smaller --batch, --seq, --width, --ffn or --layers; micro-batches "+
			"(--accumulate) train on as many tokens a step in less memory", need/gigabyte, have/gigabyte)
	}
	debug.SetGCPercent(25) // what is said is then what is taken; a step allocates nothing, so that the collector has little to do
	_, err := fmt.Fprintf(status, "about %.2f GB of memory, of %.2f GB\n", need/gigabyte, have/gigabyte)
	return err
}

// memory returns how many bytes the machine has, or the process's share of them: infinitely many where the system does not say.
func memory() float64 {
	have := math.Inf(1)
	for _, limit := range []memlimit.Provider{memlimit.FromSystem, memlimit.FromCgroup} {
		if bytes, err := limit(); err == nil && bytes > 0 {
			have = min(have, float64(bytes))
		}
	}
	return have
}

// schedule sets what depends on the number of steps.
func (t *trainFlags) schedule() {
	a := &t.Attrs
	t.Steps = t.steps
	cosine := strings.HasSuffix(a.Schedule, "cosine")
	if cosine {
		a.Total = t.steps
	}
	if a.Warmup = max(0, t.warmup); t.warmup == unset && a.Schedule == "warmup_cosine" {
		a.Warmup = t.steps / 20
	}
	a.WarmupOffset = 0
	if a.Warmup > 0 && a.Schedule != "inverse_sqrt" {
		a.WarmupOffset = 1 // the first step is not wasted on a rate of 0
	}
	if a.MinLR = max(0, t.minLR); t.minLR == unset && cosine {
		a.MinLR = a.LR / 10
	}
}

// goOn returns the run of the checkpoint.
func (t *trainFlags) goOn(_ context.Context, f *pflag.FlagSet, status io.Writer) (*training.Run, error) {
	var settled []string
	f.Visit(func(flag *pflag.Flag) {
		if !slices.Contains(free, flag.Name) {
			settled = append(settled, "--"+flag.Name)
		}
	})
	if len(settled) > 0 {
		return nil, fmt.Errorf("%s with --resume: the checkpoint settles it", strings.Join(settled, ", "))
	}
	c, err := checkpoint.Read(t.resume)
	if err != nil {
		return nil, err
	}
	cfg, err := training.ConfigOf(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.resume, err)
	}
	if !f.Changed("steps") {
		t.steps = cfg.Steps
	}
	if len(t.Files) == 0 {
		t.Files = cfg.Files
	}
	documents, _, err := training.Documents(t.Files, cfg.Rules)
	if err != nil {
		return nil, err
	}
	text, err := training.Tokenize(c.Tokenizer, documents, cfg.Fraction, cfg.Context)
	if err != nil {
		return nil, err
	}
	if err := checkMemory(status, cfg, text, t.workers); err != nil {
		return nil, err
	}
	r, err := training.Resume(c, text, t.workers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.resume, err)
	}
	return r, nil
}

// result is what a finished run prints.
type result struct {
	Checkpoint     string  `json:"checkpoint"`
	Steps          int     `json:"steps"`
	Parameters     int     `json:"parameters"`
	TrainLoss      float64 `json:"train_loss"` // of the last step
	ValidationLoss float64 `json:"validation_loss"`
	UnigramEntropy float64 `json:"unigram_entropy"`
	Seconds        float64 `json:"seconds"` // of this part of the run
	Sample         string  `json:"sample,omitempty"`
}

func (t *trainFlags) report(ctx context.Context, w io.Writer, curve *output.File, r *training.Run, taken int, took time.Duration) error {
	if curve != nil {
		format := strings.TrimPrefix(filepath.Ext(t.curve), ".")
		if err := curve.Write(func(w io.Writer) error { return r.WriteCurve(w, format) }); err != nil {
			return err
		}
	}
	out := result{Checkpoint: t.out, Steps: r.Steps(), Parameters: r.Parameters(), TrainLoss: r.Losses[r.Steps()-1],
		ValidationLoss: r.Validated[len(r.Validated)-1].Loss, UnigramEntropy: r.Text.UnigramEntropy(), Seconds: took.Seconds()}
	if t.sample > 0 {
		var text strings.Builder
		m := generation.Model{Attrs: r.Config.Attrs.GPTAttrs, Weights: r.Weights(), Context: r.Config.Context}
		d := r.Text.Tokenizer.Delimiters()
		o := generation.Options{Strategy: "sample", SamplingAttrs: op.SamplingAttrs{Temperature: 0.8, TopP: 0.95}, MaxNew: t.sample, End: d.End, Seed: r.Config.Seed}
		writer := generation.Writer{W: &text, Decode: r.Text.Tokenizer.Decode}
		if err := m.Generate(ctx, []int64{d.Start}, o, writer.Emit); err != nil {
			return err
		}
		if err := writer.Close(); err != nil {
			return err
		}
		out.Sample = text.String()
	}
	if t.asJSON {
		return writeJSON(w, out)
	}
	_, err := fmt.Fprintf(w, "%s: %d steps, %d of them now, in %v\nvalidation loss %.4f nats a token; unigram entropy %.4f\n", t.out, out.Steps,
		taken, took.Round(time.Second), out.ValidationLoss, out.UnigramEntropy)
	if err == nil && out.Sample != "" {
		_, err = fmt.Fprintf(w, "\n%s\n", out.Sample)
	}
	return err
}
