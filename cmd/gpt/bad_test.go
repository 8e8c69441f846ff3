//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/conformance/op"
)

// refused runs a command line that must not succeed: nothing panics or hangs, the status says so, and there is one line of error at least.
func refused(t *testing.T, stdin string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var stdout, stderr shared
	status := execute(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	if !slices.Contains([]int{exitNotBegun, exitUnfinished}, status) || !strings.HasPrefix(stderr.String(), "gpt: ") && !strings.Contains(stderr.String(), "\ngpt: ") {
		t.Errorf("gpt %q: exit status %d, stderr %q", args, status, stderr.String())
	}
}

// Wherever a file is named, something else in its place is refused at once.
func TestNoFiles(t *testing.T) {
	dir, text, good := t.TempDir(), book(t), trained(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, syscall.Mkfifo(path("pipe"), 0o600))
	require.NoError(t, os.Symlink("loop", path("loop")))
	require.NoError(t, os.Symlink("nothing", path("dangling")))
	require.NoError(t, os.WriteFile(path("empty"), nil, 0o600))
	require.NoError(t, os.WriteFile(path("latin1"), []byte("caf\xe9\n"), 0o600))
	require.NoError(t, os.WriteFile(path("blank"), []byte(" \n\t\n"), 0o600))
	require.NoError(t, os.WriteFile(path("sparse"), nil, 0o600))
	require.NoError(t, os.Truncate(path("sparse"), 6<<30))
	socket, err := net.Listen("unix", path("socket"))
	require.NoError(t, err)
	defer socket.Close()

	never := []string{"", dir, path("none"), path("none/none"), path("empty/under"), path("pipe"), path("loop"), path("dangling"), path("socket"), "/dev/zero", "/dev/null",
		"/dev/full", path("\x00"), strings.Repeat("long", 2000)}
	unreadable := append(slices.Clone(never), path("empty"), path("latin1"), path("sparse"))
	for _, file := range unreadable {
		refused(t, "", tiny(path("out"), file)...)
		refused(t, "", tiny(path("out"), text, file)...)
		refused(t, "", "train", "--resume", file)
		refused(t, "", "train", "--resume", good, "--out", path("out"), file)
		refused(t, "", "generate", "--checkpoint", file)
		refused(t, "", "generate", "--checkpoint", file, "--json", "--greedy")
		refused(t, "", "tokenize", file)
		refused(t, "", "tokenize", "--count", text, file)
		refused(t, "", "tokenize", "--decode", file)
		refused(t, "a", "tokenize", "--checkpoint", file)
		refused(t, "1", "tokenize", "--decode", "--checkpoint", file)
	}
	refused(t, "", tiny(path("out"), path("blank"))...)
	for _, file := range []string{path("latin1"), path("blank"), text} {
		refused(t, "", "generate", "--checkpoint", file)
		refused(t, "", "train", "--resume", file)
	}
	for _, file := range never {
		if file != path("none") {
			refused(t, "", tiny(file, "--overwrite", text)...)
		}
		refused(t, "", tiny(path("out"), "--curve", file, text)...)
	}
	for _, file := range []string{dir + ".svg", path("none/c.svg"), path("c.bmp"), path("out")} {
		require.NoError(t, os.MkdirAll(dir+".svg", 0o700))
		refused(t, "", tiny(path("out"), "--curve", file, text)...)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 8, "what refused commands left: %v", left)
}

// However a checkpoint is cut or changed, no command takes it.
func TestDamagedCheckpoints(t *testing.T) {
	data, err := os.ReadFile(trained(t))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "gpt.safetensors")
	n := 0
	try := func(damaged []byte) {
		require.NoError(t, os.WriteFile(file, damaged, 0o600))
		args := [][]string{{"generate", "--checkpoint", file}, {"train", "--resume", file}, {"tokenize", "--checkpoint", file}}[n%3]
		refused(t, "a", args...)
		n++
	}
	for i := range 100 {
		at := i * len(data) / 100
		try(data[:at])
		changed := bytes.Clone(data)
		changed[at] ^= 1 << (i % 8)
		try(changed)
		try(slices.Concat(data[:at], []byte{byte(i)}, data[at:]))
	}
	header := len(data) - int(data[0]) // most of it lies at the beginning
	for i := range min(200, header) {
		changed := bytes.Clone(data)
		changed[i] = byte(7 * i)
		if !bytes.Equal(changed, data) {
			try(changed)
		}
	}
}

// A checkpoint whose sum is right may still say what no run wrote.
func TestForeignCheckpoints(t *testing.T) {
	text, original := book(t), trained(t)
	dir := t.TempDir()
	for name, edit := range map[string]func(c *checkpoint.Checkpoint, config map[string]any){
		"no layers":          func(_ *checkpoint.Checkpoint, c map[string]any) { c["layers"] = 0 },
		"many layers":        func(_ *checkpoint.Checkpoint, c map[string]any) { c["layers"] = 1e9 },
		"more layers":        func(_ *checkpoint.Checkpoint, c map[string]any) { c["layers"] = 7 },
		"another width":      func(_ *checkpoint.Checkpoint, c map[string]any) { c["width"] = 18 },
		"negative width":     func(_ *checkpoint.Checkpoint, c map[string]any) { c["width"] = -16 },
		"a text as width":    func(_ *checkpoint.Checkpoint, c map[string]any) { c["width"] = "wide" },
		"no context":         func(_ *checkpoint.Checkpoint, c map[string]any) { c["context"] = 0 },
		"a longer context":   func(_ *checkpoint.Checkpoint, c map[string]any) { c["context"] = 4096 },
		"no heads":           func(_ *checkpoint.Checkpoint, c map[string]any) { c["attrs"].(map[string]any)["heads"] = 0 },
		"other heads":        func(_ *checkpoint.Checkpoint, c map[string]any) { c["attrs"].(map[string]any)["heads"] = 3 },
		"no such norm":       func(_ *checkpoint.Checkpoint, c map[string]any) { c["attrs"].(map[string]any)["norm"] = "other" },
		"no such activation": func(_ *checkpoint.Checkpoint, c map[string]any) { c["attrs"].(map[string]any)["activation"] = "other" },
		"no such positions":  func(_ *checkpoint.Checkpoint, c map[string]any) { c["attrs"].(map[string]any)["positions"] = "other" },
		"no attributes":      func(_ *checkpoint.Checkpoint, c map[string]any) { delete(c, "attrs") },
		"a list":             func(k *checkpoint.Checkpoint, _ map[string]any) { k.Config = []byte("[]") },
		"no configuration":   func(k *checkpoint.Checkpoint, _ map[string]any) { k.Config = nil },
		"a negative step":    func(k *checkpoint.Checkpoint, _ map[string]any) { k.Steps = -1 },
		"more steps":         func(k *checkpoint.Checkpoint, _ map[string]any) { k.Steps = 1 << 40 },
		"no embedding":       func(k *checkpoint.Checkpoint, _ map[string]any) { k.W.Wte = op.Tensor{} },
		"no weights":         func(k *checkpoint.Checkpoint, _ map[string]any) { k.W = op.GPTWeights{} },
		"a flat tensor":      func(k *checkpoint.Checkpoint, _ map[string]any) { k.W.Wq = op.New(op.F32, 256) },
		"integers":           func(k *checkpoint.Checkpoint, _ map[string]any) { k.W.Wq = op.New(op.I64, 1, 16, 16) },
		"another vocabulary": func(k *checkpoint.Checkpoint, _ map[string]any) {
			k.W.Wte = op.New(op.F32, k.W.Wte.Shape[0]-1, k.W.Wte.Shape[1])
		},
		"NaN": func(k *checkpoint.Checkpoint, _ map[string]any) {
			k.W.Wte.F32[0] = float32(math.NaN())
			k.W.LNfBeta.F32[0] = float32(math.NaN())
		},
		"infinity": func(k *checkpoint.Checkpoint, _ map[string]any) { k.W.LNfBeta.F32[3] = float32(math.Inf(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := checkpoint.Read(original)
			require.NoError(t, err)
			written := c.Config
			var config map[string]any
			require.NoError(t, json.Unmarshal(c.Config, &config))
			edit(c, config)
			if bytes.Equal(c.Config, written) {
				c.Config, err = json.Marshal(config)
				require.NoError(t, err)
			}
			file := filepath.Join(dir, name)
			var data bytes.Buffer
			require.NoError(t, c.Write(&data))
			require.NoError(t, os.WriteFile(file, data.Bytes(), 0o600))
			refused(t, "", "generate", "--checkpoint", file, "--max-new", "50")
			refused(t, "", "generate", "--checkpoint", file, "--beams", "2", "--max-new", "4", "--json")
			refused(t, "", "train", "--resume", file, "--steps", "20", "--sample", "0", text)
		})
	}
}

// The memory that a process takes is what it said, and up to a half more.
func TestMemoryOfProcess(t *testing.T) {
	if runtime.GOOS != "linux" || raceDetector {
		t.Skip("the peak is in other units, or has the race detector's memory in it")
	}
	cmd := exec.Command(os.Args[0], tiny(filepath.Join(t.TempDir(), "out"), "--layers", "2", "--width", "512", "--batch", "1", "--steps", "1", book(t))...)
	cmd.Env = append(os.Environ(), "BE_GPT=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var about, of float64
	_, line, _ := strings.Cut(string(out), "\n")
	_, err = fmt.Sscanf(line, "about %f GB of memory, of %f GB", &about, &of)
	require.NoError(t, err, line)
	const program = 0.05
	peak := float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) * 1024 / 1e9
	require.Greater(t, about, 0.1)
	require.Greater(t, of, about)
	require.Greater(t, peak, 0.8*about)
	require.Less(t, peak, 1.5*about+program)
}

// What is no number, no id, no text of a vocabulary, or does not go together is refused.
func TestBadWords(t *testing.T) {
	text, file, out := book(t), trained(t), filepath.Join(t.TempDir(), "out")
	for _, ids := range []string{"-1", "50258", "9223372036854775808", "1.5", "0x10", "1e3", "NaN", "1,2", "1 2 three", "\u0661", "+"} {
		refused(t, ids, "tokenize", "--decode")
		refused(t, ids, "tokenize", "--decode", "--checkpoint", file)
	}
	for i := range 256 { // a byte that ends a text before its character has ended, or is none
		if i >= 0x80 {
			refused(t, "text "+string([]byte{byte(i)}), "tokenize")
			refused(t, string([]byte{byte(i), 'x'}), "tokenize", "--tokenizer", "char")
		}
	}
	for _, args := range []string{
		"--layers", "--width 7 --heads 2", "--heads 3", "--activation other", "--positions other", "--schedule other", "--schedule step", "--schedule exponential",
		"--schedule inverse_sqrt", "--schedule constant --gamma 0.5", "--schedule cosine --warmup 5", "--min-lr 1", "--warmup 12", "--warmup 100", "--gamma 0.5", "--step-size 2",
		"--tokenizer other", "--clean other", "--clean nfc,", "--steps 5 --minutes 1", "--seed -1", "--seed x", "--seq 60000", "--validation 0.99999", "--resume none --lr 1",
		"--batch 65536 --accumulate 65536 --seq 60000", "--width 65536 --layers 1024 --ffn 262144",
	} {
		refused(t, "", slices.Concat(tiny(out), strings.Fields(args), []string{text})...)
	}
	for _, args := range []string{
		"--greedy --temperature 1", "--beams 2 --top-k 2", "--form hf", "--beams 2 --form other", "--beams 2 --form hf --penalty other --max-new 2",
		"--beams 2 --form hf --early-stopping maybe --max-new 2", "--beams 2 --max-new 100", "--prompt \u4f60", "--seed -1", "more",
	} {
		refused(t, "", append([]string{"generate", "--checkpoint", file}, strings.Fields(args)...)...)
	}
	for _, args := range []string{
		"--tokenizer other", "--tokenizer char --checkpoint " + file, "--decode --json", "--decode --count", "--decode --tokenizer char", "--speed 9",
	} {
		refused(t, "1", append([]string{"tokenize"}, strings.Fields(args)...)...)
	}
	for _, args := range []string{"", "other", "train more words", "--help-me", "version now"} {
		refused(t, "", strings.Fields(args)...)
	}
	require.NoFileExists(t, out)
}
