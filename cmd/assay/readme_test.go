package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's main job is assay check without a flag: the optimized implementation, all ops. Package conformance's tests hold what it prints
// to the README, and package optimized's hold the implementation to all cases; one op shows here that the command prints just that.
func TestMainJob(t *testing.T) {
	flags := checkCommand().Flags()
	for name, want := range map[string]string{"impl": "optimized", "profile": "all", "op": "", "case": "", "vectors": ""} {
		if got := flags.Lookup(name).DefValue; got != want {
			t.Errorf("--%s is %q unless given, want %q", name, got, want)
		}
	}
	stdout, stderr, code := assay(t, "check", "--op", "relu")
	want := regexp.MustCompile(`^ops +cases +error/bound +worst at +clauses\nrelu +\d+ +\S+ +\S+ +ACT\nPASS optimized \(float32, accumulating float32\): (\d+) of (\d+) cases judged, 0 failed; 1 of 1 ops, \d+ of \d+ clauses; \d+\.\d s\n$`)
	if code != exitHolds || !want.MatchString(stdout) || stderr != "" {
		t.Errorf("exit %d:\n%s%s", code, stdout, stderr)
	}
}

// What the README shows of a planted bug is what is printed: its first failure, the command that repeats it, and the verdict.
func TestReadmeShowsAPlantedBug(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(readme), "$ go run ./cmd/assay check --impl mutant:attention-causal-off-by-one --op attention\n")
	shown, _, _ = strings.Cut(shown, "```")
	stdout, stderr, code := assay(t, "check", "--impl", "mutant:attention-causal-off-by-one", "--op", "attention")
	if !found || code != exitVerdict {
		t.Fatalf("README.md shows the command: %v; exit %d: %s", found, code, stderr)
	}
	stable := func(s string) string { return regexp.MustCompile(`\d+\.\d+(e[-+]\d+)?`).ReplaceAllString(s, " ") }
	begin, end, _ := strings.Cut(stable(shown), "…\n")
	if got := stable(stdout); !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, "\n"+end) || begin == "" || end == "" {
		t.Errorf("README.md shows\n%s\nand not\n%s", shown, stdout)
	}
}

// The README's test of a kernel author is one that a right kernel passes: docs/mykernel has both.
func TestReadmeShowsTheTestOfAKernel(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	test, err := os.ReadFile("../../docs/mykernel/attention_test.go")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+string(test)+"```\n")
}
