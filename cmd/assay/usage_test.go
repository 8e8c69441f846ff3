package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearestNames(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"chekc"}, `unknown command "chekc": did you mean check?`},
		{[]string{"vectors", "exprot"}, `assay: vectors: unknown command "exprot": did you mean export?`},
		{[]string{"check", "--op", "atention"}, "did you mean attention?"},
		{[]string{"mutants", "--op", "softmaxx"}, "did you mean softmax?"},
		{[]string{"vectors", "list", "--op", "sofmax"}, "did you mean softmax?"},
		{[]string{"check", "--case", "attention/tiles-521"}, "attention/tiles-512"},
		{[]string{"vectors", "show", "attention/tiles-521"}, "attention/tiles-512"},
		{[]string{"check", "--impl", "referense"}, "did you mean reference?"},
		{[]string{"check", "--impl", "mutant:attention-causal-off-by-on"}, "did you mean mutant:attention-causal-off-by-one"},
		{[]string{"run", "matmull", "--in", "/nonexistent", "--out", "y"}, "did you mean matmul?"},
		{[]string{"ops", "matmull"}, "did you mean matmul?"},
	} {
		stdout, stderr, code := assay(t, c.args...)
		require.Equal(t, exitNotJudged, code, c.args)
		require.Contains(t, stderr, c.says, c.args)
		require.Empty(t, stdout, c.args)
		require.Less(t, len(stderr), 500, "%v: a long list is printed", c.args)
	}
	_, stderr, _ := assay(t, "check", "--impl", "mutant:x")
	require.Less(t, len(stderr), 500)
}

func TestUsageIsShownWhereSomethingIsMissing(t *testing.T) {
	for _, args := range [][]string{nil, {"run"}, {"run", "relu"}, {"onnx"}, {"vectors"}, {"vectors", "show"}, {"vectors", "export"}} {
		_, stderr, code := assay(t, args...)
		require.Equal(t, exitNotJudged, code, args)
		require.Contains(t, stderr, "Usage:\n  assay", args)
		require.Contains(t, stderr, "Examples:\n", args)
	}
}

func TestErrorsAreObjectsWithJSON(t *testing.T) {
	for _, args := range [][]string{
		{"check", "--json", "--fast"},
		{"check", "--json", "--vectors", "/nonexistent"},
		{"vectors", "show", "softmax/none", "--json"},
		{"run", "--json"},
		{"onnx", "/nonexistent", "--json"},
		{"gate", "/nonexistent", "/nonexistent", "--json"},
	} {
		stdout, stderr, code := assay(t, args...)
		var object struct {
			Error  string
			Status int
		}
		require.NoError(t, json.Unmarshal([]byte(stderr), &object), "%v: %s", args, stderr)
		require.NotEmpty(t, object.Error, args)
		require.Equal(t, code, object.Status, args)
		require.Equal(t, exitNotJudged, code, args)
		require.Empty(t, stdout, args)
	}
}

func TestVersion(t *testing.T) {
	command, _, code := assay(t, "version")
	require.Equal(t, exitHolds, code)
	flag, _, code := assay(t, "--version")
	require.Equal(t, exitHolds, code)
	require.Equal(t, command, flag)
	require.Regexp(t, `^assay \S+, SPEC\.md \d+\.\d+, go\S+ \w+/\w+\n$`, command)
}

func TestVectorsFlagNamesTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for dir, says := range map[string]string{
		"/nonexistent": "--vectors: stat /nonexistent: no such file or directory",
		file:           "--vectors: " + file + " is not a directory",
		t.TempDir():    "holds no MANIFEST.json: want a directory that `assay vectors export` has written",
	} {
		for _, args := range [][]string{{"check", "--op", "relu"}, {"vectors", "verify"}, {"mutants"}} {
			_, stderr, code := assay(t, append(args, "--vectors", dir)...)
			require.Equal(t, exitNotJudged, code)
			require.Contains(t, stderr, says)
			require.NotContains(t, stderr, "corrupt")
		}
	}
}

func TestCountsAreAtLeastOne(t *testing.T) {
	for _, args := range [][]string{
		{"bench", "--count", "0"}, {"bench", "--count", "-1"}, {"bench", "--count", "x"}, {"run", "relu", "--max-elements", "0"}, {"check", "--max-elements", "0"},
	} {
		_, stderr, code := assay(t, args...)
		require.Equal(t, exitNotJudged, code)
		require.Contains(t, stderr, "want a whole number of at least 1")
	}
	_, stderr, code := assay(t, "bench", "--benchtime", "0s")
	require.Equal(t, exitNotJudged, code)
	require.Contains(t, stderr, "want more than 0")
}

func TestOps(t *testing.T) {
	stdout, _, code := assay(t, "ops")
	require.Equal(t, exitHolds, code)
	require.Contains(t, stdout, "  softmax: x[... n] -> y[... n]\n")
	stdout, _, code = assay(t, "ops", "--json")
	require.Equal(t, exitHolds, code)
	var all []opInfo
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	for _, o := range all {
		require.NotEmpty(t, o.Tensors, o.Op)
		require.NotEmpty(t, o.Clauses, o.Op)
	}
}
