package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// assay runs the command as a user would and returns what it printed and its exit status.
func assay(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(context.Background(), args, &out, &errs)
	return out.String(), errs.String(), code
}

// exported returns a fresh copy of the embedded vectors.
func exported(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vectors")
	if _, stderr, code := assay(t, "vectors", "export", dir); code != 0 {
		t.Fatal(stderr)
	}
	return dir
}

func TestCheckReport(t *testing.T) {
	stdout, stderr, code := assay(t, "check", "--op", "softmax", "--op", "attention", "--json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var r struct {
		Implementation        string
		Cases, Passed, Failed int
		Skipped               []any
		Worst                 []struct {
			Op, Case string
			Ratio    float64
		}
		Clauses struct{ Total, Covered int }
		Seconds float64
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Implementation != "optimized" || r.Cases == 0 || r.Passed != r.Cases || r.Failed != 0 || len(r.Skipped) != 0 {
		t.Errorf("got %+v", r)
	}
	if len(r.Worst) != 2 || r.Worst[0].Op != "attention" || !(r.Worst[0].Ratio > 0 && r.Worst[0].Ratio <= 1) {
		t.Errorf("worst: got %+v", r.Worst)
	}
	if r.Clauses.Covered == 0 || r.Clauses.Covered >= r.Clauses.Total {
		t.Errorf("two ops cover %d of %d clauses", r.Clauses.Covered, r.Clauses.Total)
	}
}

func TestCheckFailureNamesEverything(t *testing.T) {
	stdout, _, code := assay(t, "check", "--impl", "mutant:attention-causal-off-by-one", "--op", "attention")
	if code != exitVerdict {
		t.Fatalf("exit %d, want 1", code)
	}
	first, _, _ := strings.Cut(stdout, "\n")
	for _, part := range []string{"FAIL attention/", "[", "ATT-", "step 0: out[", "got ", "want ", "bound ", "ratio "} {
		if !strings.Contains(first, part) {
			t.Errorf("the first line does not say %q: %s", part, first)
		}
	}
	if !strings.Contains(stdout, "assay check --impl mutant:attention-causal-off-by-one --case attention/") {
		t.Errorf("no line to paste:\n%s", stdout)
	}
}

func TestCheckRefusesCorruptVectors(t *testing.T) {
	tests := []struct {
		name    string
		corrupt func(dir string) error
		says    string
	}{
		{"one flipped bit", func(dir string) error {
			return rewrite(filepath.Join(dir, "softmax.safetensors"), func(b []byte) []byte { b[len(b)-5] ^= 4; return b })
		}, "softmax.safetensors: has SHA-256"},
		{"truncated", func(dir string) error {
			return rewrite(filepath.Join(dir, "gelu.json"), func(b []byte) []byte { return b[:len(b)/2] })
		}, "gelu.json: has"},
		{"a file gone", func(dir string) error { return os.Remove(filepath.Join(dir, "matmul.safetensors")) }, "matmul.safetensors"},
		{"no directory", os.RemoveAll, "--vectors: stat "},
		{"no manifest", func(dir string) error { return os.Remove(filepath.Join(dir, "MANIFEST.json")) }, "holds no MANIFEST.json"},
		{"not in the schema, but sealed again", func(dir string) error {
			name := filepath.Join(dir, "relu.json")
			if err := rewrite(name, func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"comment":"`), []byte(`"comment":"","was":"`), 1)
			}); err != nil {
				return err
			}
			return reseal(dir, "relu.json")
		}, "relu.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := exported(t)
			if err := tt.corrupt(dir); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"check", "--op", "relu"}, {"vectors", "verify"}} {
				stdout, stderr, code := assay(t, append(args, "--vectors", dir)...)
				if code != exitNotJudged || !strings.Contains(stderr, tt.says) {
					t.Errorf("%s: exit %d, want 2 and %q: %s%s", args, code, tt.says, stdout, stderr)
				}
			}
		})
	}
}

func rewrite(name string, f func([]byte) []byte) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, f(b), 0o644)
}

// reseal writes a file's new hash into the manifest.
func reseal(dir, file string) error {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	return rewrite(filepath.Join(dir, vector.ManifestName), func(b []byte) []byte {
		var m vector.Manifest
		if json.Unmarshal(b, &m) != nil {
			return nil
		}
		m.Files[file] = vector.Entry(data)
		b, _ = vector.EncodeManifest(m)
		return b
	})
}

func TestExportedVectorsPass(t *testing.T) {
	dir := exported(t)
	if _, stderr, code := assay(t, "check", "--op", "relu", "--vectors", dir); code != 0 {
		t.Error(stderr)
	}
}

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		says string
	}{
		{[]string{"check", "--impl", "optimised"}, `no implementation "optimised": did you mean optimized? (want gonum, optimized, reference`},
		{[]string{"check", "--impl", "mutant:nothing"}, `no implementation "mutant:nothing"`},
		{[]string{"check", "--impl", "variant:nothing"}, `no implementation "variant:nothing": did you mean `},
		{[]string{"check", "--op", "conv"}, `--op "conv" matches no op: want one of matmul`},
		{[]string{"check", "--case", "softmax/none"}, `no case "softmax/none"`},
		{[]string{"check", "--profile", "most"}, `profile "most"`},
		{[]string{"check", "extra"}, `check: want no arguments, got "extra"`},
		{[]string{"check", "--vectors", ""}, "want a directory"},
		{[]string{"mutants", "--vectors="}, "want a directory"},
		{nil, "want a command"},
		{[]string{"check", "--op", "softmax", "--profile", "text"}, "no case of profile text matches"},
		{[]string{"check", "--fast"}, "unknown flag: --fast"},
		{[]string{"chek"}, `assay: unknown command "chek": did you mean check?`},
		{[]string{"run", "softmax"}, "want --in FILE and --out FILE"},
		{[]string{"run", "softmax", "--in", "/nonexistent", "--out", "y"}, "--in: open /nonexistent"},
		{[]string{"run", "softmaxx", "--in", "/nonexistent", "--out", "y"}, `unknown op "softmaxx": did you mean softmax`},
		{[]string{"ops", "softmaxx"}, `unknown op "softmaxx": did you mean softmax`},
		{[]string{"vectors"}, "vectors: want a command"},
		{[]string{"vectors", "show", "softmax/none"}, `no case "softmax/none"`},
		{[]string{"vectors", "list", "--op", "atention"}, `--op "atention" matches no op: did you mean attention`},
		{[]string{"gate", "old.txt"}, "want --base REF"},
		{[]string{"gate", "old.txt", "new.txt", "--head", "x"}, "--head needs --base"},
		{[]string{"gate", "--self-test", "x"}, "no arguments"},
		{[]string{"gate", "--self-test", "--alpha", "0.05"}, "--alpha means nothing for --self-test"},
		{[]string{"gate", "--self-test", "--record", "/no/such/directory/x"}, "--record: "}, // before the runs
		{[]string{"gate", "old.txt", "new.txt", "--record", "x"}, "--record needs --self-test"},
		{[]string{"gate", "old.txt", "new.txt", "--require-resolution", "5"}, "would be 500 %"},
		{[]string{"gate", "old.txt", "new.txt", "--require-resolution", "0"}, "--require-resolution is 0"},
		{[]string{"gate", "old.txt", "new.txt", "--slack", "-1%"}, "below 0"},
		{[]string{"gate", "/nonexistent", "/nonexistent"}, "open /nonexistent"},
		{[]string{"gate", ".", "main.go"}, ". is a directory: want a regular file"},
		{[]string{"gate", "--base", "main", "main.go", "main_test.go"}, "main.go is a file and --base measures packages: want two files of benchmark results, or --base, not both"},
		{[]string{"gate", "--self-test", "--skip-unit", "x"}, "--skip-unit means nothing for --self-test"},
		{[]string{"gate", "--slack", "much", "a", "b"}, `"much" is not a number`},
	}
	for _, tt := range tests {
		_, stderr, code := assay(t, tt.args...)
		if code != exitNotJudged || !strings.Contains(stderr, tt.says) {
			t.Errorf("%v: exit %d, want 2 and %q, got %s", tt.args, code, tt.says, stderr)
		}
	}
}

// An incomplete implementation must not exit 0 unless the user accepts the gaps.
func TestUnsupportedOps(t *testing.T) {
	_, stderr, code := assay(t, "check", "--impl", "gonum", "--op", "softmax", "--op", "embedding")
	if code != exitNotJudged || !strings.Contains(stderr, "--allow-unsupported accepts that") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	stdout, stderr, code := assay(t, "check", "--impl", "gonum", "--op", "softmax", "--op", "embedding", "--allow-unsupported")
	if code != exitHolds || !strings.Contains(stdout, "UNSUPPORTED embedding") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

func TestMutants(t *testing.T) {
	stdout, stderr, code := assay(t, "mutants", "--op", "relu", "--json")
	var r struct {
		Mutants, Killed int
		Survivors       []any
		Kills           []struct {
			ID       string
			KilledBy []string `json:"killed_by"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &r); code != 0 || err != nil || r.Mutants == 0 || r.Killed != r.Mutants || len(r.Survivors) != 0 || len(r.Kills) != r.Mutants {
		t.Errorf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	if stdout, _, code = assay(t, "mutants", "--op", "relu"); code != 0 || !strings.Contains(stdout, "relu-leaky") {
		t.Errorf("exit %d: %s", code, stdout)
	}
	if _, stderr, code = assay(t, "mutants", "--op", "conv"); code != exitNotJudged || !strings.Contains(stderr, "matches no op") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func readTensors(t *testing.T, path string) map[string]op.Tensor {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := vector.DecodeSafetensors(data)
	if err != nil {
		t.Fatal(err)
	}
	return tensors
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "x.safetensors"), filepath.Join(dir, "y.safetensors")
	write := func(tensors map[string]op.Tensor) {
		t.Helper()
		data, err := vector.EncodeSafetensors(tensors)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, impl := range []string{"reference", "optimized"} {
		t.Run(impl, func(t *testing.T) {
			// One key sees itself only, so attention returns the values; in the second row both count.
			write(map[string]op.Tensor{
				"q": op.Float64([]float64{0, 0}, 1, 1, 2, 1),
				"k": op.Float64([]float64{5, 5}, 1, 1, 2, 1),
				"v": op.Float64([]float64{1, 3}, 1, 1, 2, 1),
			})
			stdout, stderr, code := assay(t, "run", "attention", "--impl", impl, "--attrs", `{"causal":true}`, "--in", in, "--out", out)
			if code != 0 {
				t.Fatal(stderr)
			}
			y := readTensors(t, out)
			if got := y["out"]; got.Len() != 2 || got.At(0) != 1 || got.At(1) != 2 {
				t.Errorf("got %v", got)
			}
			if !strings.Contains(stdout, "[1 1 2 1]") {
				t.Errorf("printed %q", stdout)
			}
		})
	}
	t.Run("steps", func(t *testing.T) {
		step := func(i, pos int64, v float64) map[string]op.Tensor {
			p := string(rune('0'+i)) + "/"
			one := func(x float64) op.Tensor { return op.Float64([]float64{x}, 1, 1, 1, 1) }
			return map[string]op.Tensor{p + "q": one(0), p + "k": one(1), p + "v": one(v), p + "pos": op.Int64([]int64{pos})}
		}
		all := step(0, 0, 2)
		for k, v := range step(1, 1, 4) {
			all[k] = v
		}
		write(all)
		if _, stderr, code := assay(t, "run", "attention.cached", "--impl", "reference", "--attrs", `{"capacity":2}`, "--in", in, "--out", out); code != 0 {
			t.Fatal(stderr)
		}
		y := readTensors(t, out)
		if y["0/out"].At(0) != 2 || y["1/out"].At(0) != 3 {
			t.Errorf("got %v", y)
		}
	})
	t.Run("errors", func(t *testing.T) {
		write(map[string]op.Tensor{"x": op.Float32([]float32{1}, 1), "z": op.Float32([]float32{1}, 1)})
		for _, tt := range []struct {
			args []string
			says string
		}{
			{[]string{"softmax"}, `the input file has a tensor "z"`},
			{[]string{"conv2d"}, `unknown op "conv2d"`},
			{[]string{"matmul"}, `the input file has a tensor`},
		} {
			_, stderr, code := assay(t, append([]string{"run", "--in", in, "--out", out}, tt.args...)...)
			if code != exitNotJudged || !strings.Contains(stderr, tt.says) {
				t.Errorf("%v: exit %d, want %q: %s", tt.args, code, tt.says, stderr)
			}
		}
		write(map[string]op.Tensor{"x": op.Float32([]float32{1}, 1)})
		if _, stderr, code := assay(t, "run", "softmax", "--in", in, "--out", filepath.Join(dir, "no", "y")); code != exitNotJudged || !strings.Contains(stderr, "--out:") {
			t.Errorf("a directory that is not there: exit %d: %s", code, stderr)
		}
	})
}

func TestVectorsListAndShow(t *testing.T) {
	stdout, _, code := assay(t, "vectors", "list", "--op", "softmax", "--json")
	var cases []vector.Case
	if err := json.Unmarshal([]byte(stdout), &cases); code != 0 || err != nil || len(cases) == 0 {
		t.Fatalf("exit %d, %d cases, %v", code, len(cases), err)
	}
	stdout, _, code = assay(t, "vectors", "show", cases[0].ID)
	if code != 0 || !strings.Contains(stdout, cases[0].Comment) || !strings.Contains(stdout, "gauge") {
		t.Errorf("exit %d: %s", code, stdout)
	}
	stdout, _, code = assay(t, "vectors", "verify")
	if code != 0 || !strings.Contains(stdout, "hashes, schema and contents hold") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}

func TestGate(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, ns ...string) string {
		var b strings.Builder
		for _, x := range ns {
			b.WriteString("BenchmarkX 100 " + x + " ns/op\n")
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base := []string{"1000", "1001", "1002", "1003", "999", "998", "997", "1004", "1005", "996"}
	slow := []string{"1200", "1201", "1202", "1203", "1199", "1198", "1197", "1204", "1205", "1196"}
	again := []string{"1000.5", "1001.5", "1002.5", "1003.5", "999.5", "998.5", "997.5", "1004.5", "1005.5", "996.5"}
	oldFile := file("old.txt", base...)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"the same", []string{oldFile, file("same.txt", again...)}, exitHolds, "pass"},
		{"slower", []string{oldFile, file("slow.txt", slow...)}, exitVerdict, "REGRESSION X"},
		{"faster", []string{file("slow.txt", slow...), oldFile}, exitHolds, "improved"},
		{"too few runs", []string{file("few.txt", base[:3]...), file("few2.txt", slow[:3]...)}, exitNotJudged, "-count"},
		{"markdown", []string{"--markdown", oldFile, file("slow.txt", slow...)}, exitVerdict, "| regression |"},
		{"json", []string{"--json", oldFile, file("slow.txt", slow...)}, exitVerdict, `"verdict": "regression"`},
		{"a unit left out", []string{"--skip-unit", "ns/op", oldFile, file("slow.txt", slow...)}, exitNotJudged, "nothing is left to judge"},
		{"slack", []string{"--slack", "30%", "--require-resolution", "40%", oldFile, file("slow.txt", slow...)}, exitHolds, "pass"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := assay(t, append([]string{"gate"}, tt.args...)...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", code, tt.code, tt.says, stdout, stderr)
			}
		})
	}
}

// Every command explains itself and shows an example.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: short %q, example %q", c.CommandPath(), c.Short, c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
	stdout, _, code := assay(t, "check", "--help")
	if code != 0 || !strings.Contains(stdout, "assay check --impl reference") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}
