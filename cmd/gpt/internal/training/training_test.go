package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
	"github.com/assaykit/assay/internal/output"
)

// tiny is a run of seconds at most.
func tiny(t *testing.T) (Config, *Text) {
	t.Helper()
	c := Config{Layers: 2, Width: 8, FFN: 16, Context: 6, Batch: 3, Accumulate: 2, Steps: 8, Seed: 5, Fraction: 0.2, EvalTokens: 60}
	c.Attrs = op.GPTTrainAttrs{
		GPTAttrs:      op.GPTAttrs{Heads: 2, Norm: "pre", Activation: "gelu_tanh", Eps: 1e-5, Positions: "learned"},
		ScheduleAttrs: op.ScheduleAttrs{Schedule: "warmup_cosine", LR: 3e-3, MinLR: 3e-4, Warmup: 2, WarmupOffset: 1, Total: 8},
		IgnoreIndex:   -100, Beta1: 0.9, Beta2: 0.95, AdamEps: 1e-8, WeightDecay: 0.1, Decoupled: true, MaxNorm: 1, NoDecay: []string{"biases", "norms"},
	}
	documents := [][]byte{[]byte(corpus.Opticks[5000:6000]), []byte(corpus.Opticks[9000:9500])}
	tok, err := tokenizer.Char(documents...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Tokenize(tok, documents, c.Fraction, c.Context)
	if err != nil {
		t.Fatal(err)
	}
	return c, text
}

// train trains r to its end, or until stop steps have been taken in all, into a file.
func train(t *testing.T, r *Run, file string, stop int) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	check := func(steps int) {
		if steps == stop {
			cancel()
		}
	}
	check(r.Steps())
	return r.Train(ctx, Plan{Steps: r.Config.Steps, EvalEvery: 3, SaveEvery: 4, Progress: func(p Progress) { check(p.Steps) },
		Save: func() error { return save(r, file) }, Warn: func(err error) { t.Error(err) }})
}

// A checkpoint on the way that cannot be written ends nothing: it is told, and the next is tried. The last one must be written, also where the
// run is stopped: then it is not told that nothing is lost.
func TestCheckpointsThatCannotBeWritten(t *testing.T) {
	full := errors.New("disk full")
	for _, tt := range []struct {
		name     string
		fails    func(attempt int) bool
		stopAt   int // 0: never
		warnings int
		want     string // the error; none where it is empty
	}{
		{"one on the way", func(attempt int) bool { return attempt == 1 }, 0, 1, ""},
		{"all", func(int) bool { return true }, 0, 2, "disk full"},
		{"the last", func(attempt int) bool { return attempt == 3 }, 0, 0, "disk full"},
		{"that of a stop", func(attempt int) bool { return attempt == 2 }, 4, 0, "those since the last checkpoint are lost: disk full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, text := tiny(t)
			r, err := New(c, text, 1)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			attempts, warnings := 0, 0
			err = r.Train(ctx, Plan{Steps: 8, SaveEvery: 3, Warn: func(error) { warnings++ },
				Progress: func(p Progress) {
					if p.Steps == tt.stopAt {
						stop()
					}
				},
				Save: func() error {
					if attempts++; tt.fails(attempts) {
						return full
					}
					return nil
				}})
			stop()
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)), errors.Is(err, ErrStopped):
				t.Errorf("got error %v, want one that holds %q", err, tt.want)
			case warnings != tt.warnings:
				t.Errorf("%d warnings, want %d", warnings, tt.warnings)
			case tt.want == "" && r.Steps() != 8:
				t.Errorf("%d steps, want 8", r.Steps())
			}
		})
	}
}

func save(r *Run, file string) error {
	var data bytes.Buffer
	return errors.Join(r.Write(&data), output.WriteFile(file, data.Bytes()))
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A run that is stopped after k steps, for every k, and resumed, with another number of workers, ends in the same file as one that never
// stopped.
func TestResumedIsUninterrupted(t *testing.T) {
	c, text := tiny(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	r, err := New(c, text, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := train(t, r, whole, -1); err != nil {
		t.Fatal(err)
	}
	if len(r.Losses) != 8 || len(r.Validated) != 3 {
		t.Fatalf("%d losses and %d validations, want 8 and 3", len(r.Losses), len(r.Validated))
	}
	for k := range c.Steps {
		file := filepath.Join(dir, "stopped")
		r, err := New(c, text, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := train(t, r, file, k); !errors.Is(err, ErrStopped) {
			t.Fatalf("stopped after %d steps: got %v", k, err)
		}
		saved, err := checkpoint.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if saved.Steps != k {
			t.Fatalf("the checkpoint has taken %d steps, want %d", saved.Steps, k)
		}
		if r, err = Resume(saved, text, 1); err != nil {
			t.Fatal(err)
		}
		if err := train(t, r, file, -1); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, file), read(t, whole)) {
			t.Errorf("stopped after %d steps and resumed: the last checkpoint is not that of the run that did not stop", k)
		}
	}
}

// giveUp is done once it has been asked for so often.
type giveUp struct {
	context.Context
	left int
	done chan struct{}
}

func (g *giveUp) Done() <-chan struct{} {
	if g.left--; g.left == 0 {
		close(g.done)
	}
	return g.done
}

func (g *giveUp) Err() error {
	if g.left > 0 {
		return nil
	}
	return context.Canceled
}

// A step or a validation that is given up, whichever it is, is made up for when the run is resumed.
func TestGivenUpAndResumedIsUninterrupted(t *testing.T) {
	c, text := tiny(t)
	whole, stopped := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "stopped")
	r, err := New(c, text, 1)
	require.NoError(t, err)
	require.NoError(t, train(t, r, whole, -1))
	plan := func(r *Run) Plan {
		return Plan{Steps: c.Steps, EvalEvery: 3, SaveEvery: 4, Progress: func(Progress) {}, Save: func() error { return save(r, stopped) }}
	}
	stops := 0
	for at := 1; ; at++ {
		r, err := New(c, text, 1)
		require.NoError(t, err)
		err = r.Train(&giveUp{t.Context(), at, make(chan struct{})}, plan(r))
		if err == nil {
			break
		}
		stops++
		require.ErrorIs(t, err, ErrStopped)
		require.ErrorIs(t, err, context.Canceled)
		saved, err := checkpoint.Read(stopped)
		require.NoError(t, err)
		r, err = Resume(saved, text, 2)
		require.NoError(t, err)
		require.NoError(t, r.Train(t.Context(), plan(r)))
		require.True(t, bytes.Equal(read(t, whole), read(t, stopped)), "given up at %d: the last checkpoint is not that of the run that did not stop", at)
	}
	require.Greater(t, stops, c.Steps+len(r.Validated)-1)
}

// The estimate of memory is what a run holds, to a fifth.
func TestMemory(t *testing.T) {
	held := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for name, edit := range map[string]func(c *Config){
		"default":    func(*Config) {},
		"batch":      func(c *Config) { c.Batch, c.Width, c.FFN = 24, 32, 128 },
		"context":    func(c *Config) { c.Batch, c.Context = 1, 512 },
		"parameters": func(c *Config) { c.Batch, c.Context, c.Width, c.FFN = 1, 16, 256, 1024 },
		"layers":     func(c *Config) { c.Layers, c.Width, c.FFN, c.Batch, c.Context = 16, 32, 128, 8, 64 },
		"heads":      func(c *Config) { c.Attrs.Heads, c.Accumulate, c.FFN, c.Batch, c.Context = 32, 8, 64, 2, 64 },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := tiny(t)
			c.Layers, c.Width, c.FFN, c.Context, c.Batch, c.Accumulate = 2, 128, 512, 128, 8, 1
			edit(&c)
			documents := [][]byte{[]byte(corpus.Opticks[:50_000])}
			tok, err := tokenizer.Char(documents...)
			require.NoError(t, err)
			text, err := Tokenize(tok, documents, c.Fraction, c.Context)
			require.NoError(t, err)
			before := held()
			r, err := New(c, text, 2)
			require.NoError(t, err)
			_, err = r.Step(t.Context())
			require.NoError(t, err)
			_, err = r.Validate(t.Context())
			require.NoError(t, err)
			got, want := held()-before, c.Memory(text, 2)
			require.InEpsilon(t, 1, want/got, 0.2, "held %.0f, estimated %.0f", got, want)
			runtime.KeepAlive(r)
		})
	}
}

func TestTrainingLearns(t *testing.T) {
	c, text := tiny(t)
	c.Steps, c.Attrs.Total, c.Attrs.LR = 60, 60, 1e-2
	r, err := New(c, text, 1)
	if err != nil {
		t.Fatal(err)
	}
	if first, err := r.Validate(t.Context()); err != nil || math.Abs(first-math.Log(float64(text.Tokenizer.Vocab()))) > 0.1 {
		t.Errorf("before training the loss is %v, %v, want about log of the vocabulary", first, err)
	}
	if err := train(t, r, filepath.Join(t.TempDir(), "c"), -1); err != nil {
		t.Fatal(err)
	}
	last := r.Validated[len(r.Validated)-1].Loss
	if first := r.Validated[0].Loss; last > first-0.5 {
		t.Errorf("the validation loss was %v and is %v", first, last)
	}
	for format, begins := range map[string]string{"png": "PNG", "svg": "svg"} {
		var curve bytes.Buffer
		if err := r.WriteCurve(&curve, format); err != nil {
			t.Fatal(err)
		}
		if data := curve.Bytes(); len(data) < 1000 || !bytes.Contains(data[:100], []byte(begins)) {
			t.Errorf("%s: %d bytes that begin with %q", format, len(data), data[:20])
		}
	}
	if err := r.WriteCurve(io.Discard, "bmp"); err == nil {
		t.Error("a curve was written in a format that is none of those")
	}
}

// A step that fails leaves a checkpoint of the state before it.
func TestDivergedRunKeepsItsState(t *testing.T) {
	c, text := tiny(t)
	c.Attrs.LR, c.Attrs.MinLR, c.Attrs.MaxNorm = 1e30, 1e29, 0
	file := filepath.Join(t.TempDir(), "c")
	r, err := New(c, text, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := train(t, r, file, -1); !errors.Is(err, op.ErrNumber) {
		t.Fatalf("got %v, want an error about a number", err)
	}
	if saved, err := checkpoint.Read(file); err != nil || saved.Steps != r.Steps() || saved.Steps == c.Steps {
		t.Errorf("got %+v, %v", saved, err)
	}
}

func TestResumeRefuses(t *testing.T) {
	c, text := tiny(t)
	r, err := New(c, text, 1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "c")
	if err := save(r, file); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		says string
		edit func(c *checkpoint.Checkpoint, text *Text)
	}{
		{"not the one that this checkpoint was trained on", func(_ *checkpoint.Checkpoint, text *Text) { text.Digest = "other" }},
		{"configuration in the checkpoint", func(c *checkpoint.Checkpoint, _ *Text) { c.Config = []byte(`{"layers":"many"}`) }},
		{"width is 0", func(c *checkpoint.Checkpoint, _ *Text) {
			c.Config = bytes.Replace(c.Config, []byte(`"width":8`), []byte(`"width":0`), 1)
		}},
		{"its configuration wants [56 9]", func(c *checkpoint.Checkpoint, _ *Text) {
			c.Config = bytes.Replace(bytes.Replace(c.Config, []byte(`"heads":2`), []byte(`"heads":3`), 1), []byte(`"width":8`), []byte(`"width":9`), 1)
		}},
		{"wte is []", func(c *checkpoint.Checkpoint, _ *Text) { c.W.Wte = op.Tensor{} }},
		{"second moment of", func(c *checkpoint.Checkpoint, _ *Text) { c.V.W1 = op.Tensor{} }},
	} {
		saved, err := checkpoint.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		other := *text
		tt.edit(saved, &other)
		if _, err := Resume(saved, &other, 1); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("got %v, want an error that says %q", err, tt.says)
		}
	}
}

// Matrices have the deviation of GPT-2, and those that end in the residual stream are smaller by sqrt(2 layers).
func TestInitialWeights(t *testing.T) {
	c, _ := tiny(t)
	c.Layers, c.Width, c.FFN = 3, 64, 256
	w, err := c.InitialWeights(300)
	if err != nil {
		t.Fatal(err)
	}
	deviation := func(x op.Tensor) float64 {
		sum := 0.0
		for _, v := range x.F32 {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum / float64(x.Len()))
	}
	for name, tt := range map[string]struct {
		got  op.Tensor
		want float64
	}{
		"wte": {w.Wte, 0.02}, "wq": {w.Wq, 0.02}, "wv": {w.Wv, 0.02}, "w1": {w.W1, 0.02}, "wo": {w.Wo, 0.02 / math.Sqrt(6)}, "w2": {w.W2, 0.02 / math.Sqrt(6)},
		"bq": {w.Bq, 0}, "ln1_gamma": {w.LN1Gamma, 1}, "lnf_beta": {w.LNfBeta, 0},
	} {
		if got := deviation(tt.got); math.Abs(got-tt.want) > 0.03*tt.want {
			t.Errorf("%s: the deviation is %v, want %v", name, got, tt.want)
		}
	}
	if slices.Equal(w.Wq.F32, w.Wk.F32) || slices.Equal(w.Wq.F32[:4096], w.Wq.F32[4096:8192]) {
		t.Error("two matrices have the same weights")
	}
	again, err := c.InitialWeights(300)
	if err != nil {
		t.Fatal(err)
	}
	c.Seed++
	other, err := c.InitialWeights(300)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.W2.F32, again.W2.F32) || slices.Equal(w.W2.F32, other.W2.F32) {
		t.Error("weights are not a function of the seed")
	}
	if large, err := c.InitialWeights(2 * drawRows); err != nil || slices.Equal(large.Wte.F32[:64], large.Wte.F32[drawRows*64:drawRows*64+64]) {
		t.Errorf("rows repeat where the drawing is cut, %v", err)
	}
}

func TestUnigramEntropy(t *testing.T) {
	for _, tt := range []struct {
		counts []int
		want   float64
	}{
		{[]int{0, 3, 0}, 0}, {[]int{5, 5, 5, 5}, math.Log(4)}, {[]int{3, 1}, -0.75*math.Log(0.75) - 0.25*math.Log(0.25)},
	} {
		if got := entropy(tt.counts); math.Abs(got-tt.want) > 1e-15 {
			t.Errorf("%v: got %v, want %v", tt.counts, got, tt.want)
		}
	}
}

// Validation is the mean loss over windows that lie one behind the other.
func TestValidate(t *testing.T) {
	c, text := tiny(t)
	c.EvalTokens = 1 << 20
	r, err := New(c, text, 1)
	if err != nil {
		t.Fatal(err)
	}
	sum, n := 0.0, 0
	tokens := slices.Collect(text.Validation.All())
	for at := 0; at+c.Context < len(tokens); at += c.Context {
		x, y := tokens[at:at+c.Context], tokens[at+1:at+c.Context+1]
		loss, err := r.trainer.Loss(t.Context(), op.Int64(x, 1, c.Context), op.Int64(y, 1, c.Context))
		if err != nil {
			t.Fatal(err)
		}
		sum += loss
		n++
	}
	if got, err := r.Validate(t.Context()); err != nil || math.Abs(got-sum/float64(n)) > 1e-6 {
		t.Errorf("got %v, %v, want %v", got, err, sum/float64(n))
	}
}

func TestTextFaults(t *testing.T) {
	c, text := tiny(t)
	empty := filepath.Join(t.TempDir(), "blank")
	if err := os.WriteFile(empty, []byte(" \n \n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, blank := Documents([]string{empty}, corpus.AllRules)
	_, short := Tokenize(text.Tokenizer, [][]byte{[]byte("the rays")}, 0.5, c.Context)
	_, fraction := Tokenize(text.Tokenizer, [][]byte{[]byte("the rays")}, 1, c.Context)
	_, unknown := Tokenizer("word", nil)
	for says, err := range map[string]error{
		"nothing is left after cleaning": blank, "the text is too short": short, "want a fraction between 0 and 1": fraction, `tokenizer "word"`: unknown,
	} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
}

// Each step has a batch of its own, and another seed other batches.
func TestBatches(t *testing.T) {
	c, text := tiny(t)
	seen := map[string]string{}
	for _, seed := range []uint64{1, 2} {
		c.Seed = seed
		r, err := New(c, text, 1)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if _, err := r.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			key, at := fmt.Sprint(r.x.I64), fmt.Sprintf("seed %d, step %d", seed, r.Steps())
			if before, ok := seen[key]; ok {
				t.Errorf("%s has the batch of %s", at, before)
			}
			seen[key] = at
		}
	}
}
