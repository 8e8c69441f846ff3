package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/cmd/gpt/internal/training"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/internal/output"
)

// raceDetector says whether the tests were built with it.
var raceDetector bool

// The tests run this program as a process too: themselves, told to be it.
func TestMain(m *testing.M) {
	if os.Getenv("BE_GPT") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// gpt runs a command line and returns its exit status and what it wrote.
func gpt(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = execute(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return status, out.String(), err.String()
}

// tiny are the flags of a run of a moment.
func tiny(file string, more ...string) []string {
	return append([]string{"train", "--layers", "1", "--width", "16", "--heads", "2", "--seq", "8", "--batch", "2", "--steps", "12", "--eval-every", "5",
		"--eval-tokens", "64", "--lr", "0.01", "--sample", "5", "--workers", "1", "--out", file}, more...)
}

func book(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "book.txt")
	if err := os.WriteFile(file, []byte(corpus.Opticks[3000:6000]), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func trained(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gpt.safetensors")
	if status, _, stderr := gpt(t, "", tiny(file, book(t))...); status != exitDone {
		t.Fatal(stderr)
	}
	return file
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"train"}, {"generate"}, {"tokenize"}} {
		status, stdout, _ := gpt(t, "", append(args, "--help")...)
		if status != exitDone || !strings.Contains(stdout, "Examples:\n") || !strings.Contains(stdout, "gpt "+strings.Join(args, " ")) {
			t.Errorf("%v: exit status %d, help %q", args, status, stdout)
		}
	}
}

func TestTrain(t *testing.T) {
	dir := t.TempDir()
	file, curve := filepath.Join(dir, "gpt.safetensors"), filepath.Join(dir, "curve.svg")
	status, stdout, stderr := gpt(t, "", tiny(file, "--json", "--curve", curve, book(t))...)
	if status != exitDone {
		t.Fatal(stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if r.Checkpoint != file || r.Steps != 12 || r.Parameters == 0 || !(r.ValidationLoss > 1 && r.ValidationLoss < 6) || !(r.UnigramEntropy > 2 && r.UnigramEntropy < 4) {
		t.Errorf("got %+v", r)
	}
	for _, part := range []string{"cleaning: ", "parameters", "step 12 of 12  loss ", "validation ", "tokens/s", " left"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("the status %q has no %q", stderr, part)
		}
	}
	if info, err := os.Stat(curve); err != nil || info.Size() == 0 {
		t.Errorf("there is no curve: %v", err)
	}
	if status, stdout, _ = gpt(t, "", tiny(file, "--overwrite", book(t))...); status != exitDone || !strings.Contains(stdout, "validation loss") || !strings.Contains(stdout, "unigram entropy") {
		t.Errorf("exit status %d, printed %q", status, stdout)
	}
}

func TestTrainRefuses(t *testing.T) {
	text, there := book(t), trained(t)
	out := filepath.Join(t.TempDir(), "new")
	for _, tt := range []struct {
		says string
		args []string
	}{
		{"exists: go on with --resume", []string{"--out", there}},
		{"there is no directory", []string{"--out", "/nowhere/gpt"}},
		{"--curve c.bmp: want a name", []string{"--curve", "c.bmp"}},
		{`no rule "spelling"`, []string{"--clean", "nfc,spelling"}},
		{`tokenizer "word"`, []string{"--tokenizer", "word"}},
		{"width is 10 and heads 4", []string{"--width", "10"}},
		{"--out: want the name of a file", []string{"--out", ""}},
		{"--out: " + os.DevNull + " is no regular file", []string{"--out", os.DevNull, "--overwrite"}},
		{"--curve : want a name", []string{"--curve", ""}},
		{"--resume: want the name of a file", []string{"--resume", ""}},
		{"GB of memory, and there are", []string{"--batch", "65536", "--width", "8192"}},
		{"the text is too short", []string{"--seq", "4000"}},
		{"schedule", []string{"--schedule", "linear"}},
		{"unknown flag: --speed", []string{"--speed", "9"}},
		{"steps minutes", []string{"--steps", "5", "--minutes", "5"}},
		{"no such file", []string{"nothing.txt"}},
		{"--batch, --lr with --resume: the checkpoint settles it", []string{"--resume", there, "--batch", "7", "--lr", "1"}},
		{"not a checkpoint", []string{"--resume", text}},
		{"--steps is 3, and", []string{"--resume", there, "--steps", "3"}},
		{"the text is not the one", []string{"--resume", there, text, text}},
	} {
		args := []string{"train"}
		if !slices.Contains(tt.args, "--out") && !slices.Contains(tt.args, "--resume") {
			args = append(args, "--out", out)
		}
		args = append(args, tt.args...)
		if !strings.HasSuffix(args[len(args)-1], ".txt") {
			args = append(args, text)
		}
		status, _, stderr := gpt(t, "", args...)
		if status != exitNotBegun || !strings.Contains(stderr, tt.says) {
			t.Errorf("%v: exit status %d, %q, want %d and %q", tt.args, status, stderr, exitNotBegun, tt.says)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(out))
	require.NoError(t, err)
	require.Empty(t, entries, "what refused runs left")
}

// What a flag of numbers refuses names it and its range: whatever it is for, it has one.
func TestNumbersOutOfRange(t *testing.T) {
	out := filepath.Join(t.TempDir(), "gpt.safetensors")
	flags := 0
	for _, c := range []*cobra.Command{trainCommand(), generateCommand(), tokenizeCommand()} {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch f.Value.Type() {
			case "string", "bool", "uint64": // uint64: a seed, which may be any
				return
			}
			_, limits, ok := strings.Cut(f.Usage, "; from ")
			require.True(t, ok, "--%s has no range", f.Name)
			low, high, ok := strings.Cut(limits, " to ")
			require.True(t, ok, "--%s: the range %q", f.Name, limits)
			flags++
			least, err := strconv.ParseFloat(low, 64)
			require.NoError(t, err)
			most, err := strconv.ParseFloat(high, 64)
			require.NoError(t, err)
			below, above := strconv.FormatFloat(least-1, 'f', -1, 64), strconv.FormatFloat(most+1, 'f', -1, 64)
			for _, value := range []string{below, above, "NaN", "Inf", "-Inf", "1e400", "", "many", "9223372036854775808"} {
				status, stdout, stderr := gpt(t, "", c.Name(), "--"+f.Name+"="+value, "--"+map[string]string{"train": "out", "generate": "checkpoint"}[c.Name()]+"="+out)
				require.Equal(t, exitNotBegun, status, "--%s=%s: %s", f.Name, value, stderr)
				require.Empty(t, stdout)
				require.Contains(t, stderr, `"--`+f.Name+`" flag: want a number from `+low+" to "+high)
			}
		})
	}
	require.Greater(t, flags, 25)
	require.NoFileExists(t, out)
}

// A second run of the same checkpoint is refused while the first one lives.
func TestSecondRunIsRefused(t *testing.T) {
	text, file := book(t), filepath.Join(t.TempDir(), "gpt.safetensors")
	f, err := output.Claim(file)
	require.NoError(t, err)
	status, _, stderr := gpt(t, "", tiny(file, text)...)
	require.Equal(t, exitNotBegun, status)
	require.Contains(t, stderr, "--out: "+file+": another process is writing it")
	require.NoError(t, f.Close())
	status, _, stderr = gpt(t, "", tiny(file, text)...)
	require.Equal(t, exitDone, status, stderr)
}

// shared is a buffer for work that may go on after its command has been interrupted.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen func(text []byte) // or nil
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen != nil {
		s.seen(p)
	}
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// hook calls a function at each reading or writing.
type hook func()

func (h hook) Read([]byte) (int, error) { h(); return 0, io.EOF }

func (h hook) Write(p []byte) (int, error) { h(); return len(p), nil }

// Whatever a command is at, an interrupt ends it, and it says what is kept.
func TestInterrupted(t *testing.T) {
	file, text, out := trained(t), book(t), filepath.Join(t.TempDir(), "gpt.safetensors")
	for _, tt := range []struct {
		args       []string
		says, left string // left: the checkpoint of a run that is interrupted before its first step
	}{
		{args: []string{"tokenize"}, says: "what was written is not whole"},
		{args: []string{"generate", "--checkpoint", file, "--max-new", "1000000000"}, says: "the text is not whole"},
		{args: tiny(out, "--sample", "1000000000", text), says: "--resume " + out + " goes on", left: out},
	} {
		t.Run(tt.args[0], func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stdin, stdout := hook(func() { cancel(); <-t.Context().Done() }), hook(cancel)
			stderr := shared{seen: func(text []byte) {
				if bytes.Contains(text, []byte(" parameters, ")) {
					cancel()
				}
			}}
			status := execute(ctx, tt.args, stdin, stdout, &stderr)
			require.Equal(t, exitInterrupted, status, stderr.String())
			require.Contains(t, stderr.String(), tt.says)
			if tt.left != "" {
				_, err := checkpoint.Read(tt.left)
				require.NoError(t, err)
				status, _, _ := gpt(t, "", "train", "--resume", tt.left, "--sample", "0")
				require.Equal(t, exitDone, status)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	status, flag, _ := gpt(t, "", "--version")
	require.Equal(t, exitDone, status)
	status, command, _ := gpt(t, "", "version")
	require.Equal(t, exitDone, status)
	require.Equal(t, flag, command)
	require.Regexp(t, `^gpt \S+ go1\.\S+ \w+/\w+\n$`, command)
}

func TestNoCommandPrintsUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"teach"}} {
		status, stdout, stderr := gpt(t, "", args...)
		require.Equal(t, exitNotBegun, status)
		require.Empty(t, stdout)
		require.Contains(t, stderr, map[bool]string{true: "Available Commands:", false: `unknown command "teach"`}[len(args) == 0])
	}
}

// A real process, interrupted by a real signal at some step, and resumed, writes the checkpoint of a run that was never stopped.
func TestInterruptedProcess(t *testing.T) {
	text, file := book(t), filepath.Join(t.TempDir(), "gpt.safetensors")
	args := append(tiny(file, text), "--steps", "1000000", "--save-every", "0", "--eval-every", "7", "--schedule", "constant")
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BE_GPT=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var said []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.HasPrefix(lines.Text(), "step ") && !slices.ContainsFunc(said[:len(said)-1], func(s string) bool { return strings.HasPrefix(s, "step ") }) {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Fatalf("%v, want exit status %d; it said %q", err, exitInterrupted, said)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "nothing is lost: gpt train --resume "+file+" goes on") {
		t.Errorf("it said %q", all)
	}
	stopped, err := checkpoint.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	steps := stopped.Steps + 9
	if status, _, stderr := gpt(t, "", "train", "--resume", file, "--steps", strconv.Itoa(steps), "--eval-every", "7", "--sample", "0"); status != exitDone {
		t.Fatal(stderr)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	cfg, err := training.ConfigOf(stopped)
	if err != nil {
		t.Fatal(err)
	}
	documents, _, err := training.Documents(cfg.Files, cfg.Rules)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := training.Tokenize(stopped.Tokenizer, documents, cfg.Fraction, cfg.Context)
	if err != nil {
		t.Fatal(err)
	}
	r, err := training.New(cfg, tokens, 1)
	if err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := r.Train(t.Context(), training.Plan{Steps: steps, EvalEvery: 7, Progress: func(training.Progress) {}, Save: func() error {
		var data bytes.Buffer
		return errors.Join(r.Write(&data), os.WriteFile(whole, data.Bytes(), 0o666))
	}}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("stopped after %d steps and resumed until %d: the checkpoint is not that of a run that did not stop", stopped.Steps, steps)
	}
}

func TestGenerate(t *testing.T) {
	file := trained(t)
	run := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := gpt(t, "", append([]string{"generate", "--checkpoint", file, "--prompt", "the ", "--max-new", "25"}, args...)...)
		if status != exitDone || !strings.HasPrefix(stdout, "the ") || len(stdout) < 10 {
			t.Errorf("%v: exit status %d, printed %q, %s", args, status, stdout, stderr)
		}
		return stdout
	}
	if a, b, c := run(), run(), run("--seed", "2"); a != b || a == c {
		t.Errorf("got %q, again %q, with another seed %q", a, b, c)
	}
	if a, b := run("--greedy"), run("--top-k", "1", "--seed", "9"); a != b {
		t.Errorf("greedy gives %q, top-k 1 %q", a, b)
	}
	run("--temperature", "0.5", "--top-p", "0.9")
	_, stdout, _ := gpt(t, "", "generate", "--checkpoint", file, "--prompt", "the ", "--beams", "2", "--form", "hf", "--length-penalty", "1", "--max-new", "3", "--json")
	var r struct {
		Prompt, Text, Strategy string
		Tokens                 []int64
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.Prompt != "the " || r.Strategy != "beam" || len(r.Tokens) > 3 || len(r.Text) < len(r.Tokens) {
		t.Errorf("got %+v, %v from %q", r, err, stdout)
	}
	for _, tt := range []struct {
		status int
		says   string
		args   []string
	}{
		{exitNotBegun, "no such file", []string{"--checkpoint", "none"}},
		{exitNotBegun, "--prompt: '\u00e4' at offset 0", []string{"--prompt", "\u00e4"}},
		{exitNotBegun, "--top-k: strategy greedy does not use it", []string{"--greedy", "--top-k", "5"}},
		{exitNotBegun, "--form: strategy sample does not use it", []string{"--form", "hf"}},
		{exitNotBegun, "--seed: strategy beam does not use it", []string{"--beams", "2", "--seed", "5"}},
		{exitNotBegun, "needs all of them at once", []string{"--beams", "2", "--max-new", "50"}},
		{exitNotBegun, "textbook, which has neither", []string{"--beams", "2", "--early-stopping", "true", "--max-new", "2"}},
	} {
		status, _, stderr := gpt(t, "", append([]string{"generate", "--checkpoint", file}, tt.args...)...)
		if status != tt.status || !strings.Contains(stderr, tt.says) {
			t.Errorf("%v: exit status %d, %q, want %d and %q", tt.args, status, stderr, tt.status, tt.says)
		}
	}
}

func TestTokenize(t *testing.T) {
	file, text := trained(t), book(t)
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"Hello world", nil, "15496 995\n"},
		{"15496 995\n50256", []string{"--decode"}, "Hello world"},
		{"Hello world", []string{"--count"}, "standard input: 11 bytes, 2 tokens of r50k_base, 5.50 bytes a token\n"},
		{"ba\u00e9", []string{"--tokenizer", "char"}, "1 0 2\n"},
	} {
		status, stdout, stderr := gpt(t, tt.stdin, append([]string{"tokenize"}, tt.args...)...)
		if status != exitDone || stdout != tt.want {
			t.Errorf("%q %v: exit status %d, %q, want %q; %s", tt.stdin, tt.args, status, stdout, tt.want, stderr)
		}
	}
	_, ids, _ := gpt(t, "", "tokenize", "--checkpoint", file, text)
	if _, back, stderr := gpt(t, ids, "tokenize", "--checkpoint", file, "--decode"); back != corpus.Opticks[3000:6000] {
		t.Errorf("encoded and decoded: %d bytes, %s", len(back), stderr)
	}
	status, stdout, _ := gpt(t, "", "tokenize", "--json", "--count", text)
	if status != exitDone || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, `"bytes": 3000`) {
		t.Errorf("exit status %d, %q", status, stdout)
	}
	for _, tt := range []struct{ stdin, args, says string }{
		{"", "", "standard input is empty"},
		{"a\xff", "", "standard input: not UTF-8"},
		{"1 x", "--decode", `"x" is no token id`},
		{"50257", "--decode", "token 50257 at 0"},
		{"1", "--decode --tokenizer char", "needs --checkpoint"},
		{"1", "--decode --count", "do not go together"},
		{"\u4f60", "--checkpoint " + file, "is none of the"},
	} {
		status, _, stderr := gpt(t, tt.stdin, append([]string{"tokenize"}, strings.Fields(tt.args)...)...)
		if status != exitNotBegun || !strings.Contains(stderr, tt.says) {
			t.Errorf("%q %s: exit status %d, %q, want %q", tt.stdin, tt.args, status, stderr, tt.says)
		}
	}
}
