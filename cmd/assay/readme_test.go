package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the README shows of the main job is what it prints: the same ops, cases, clauses and verdict. Ratios and seconds are the machine's.
func TestReadmeShowsTheMainJob(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := assay(t, "check")
	if code != exitHolds {
		t.Fatalf("exit %d:\n%s%s", code, stdout, stderr)
	}
	if lines := strings.Count(stdout, "\n"); lines > 10 {
		t.Errorf("the default output has %d lines, want at most ten", lines)
	}
	machine := regexp.MustCompile(`\d+\.\d+|[\w.]+/[\w-]+| +`)
	stable := func(s string) string { return machine.ReplaceAllString(s, " ") }
	shown := map[string]bool{}
	for _, line := range strings.Split(string(readme), "\n") {
		shown[stable(line)] = true
	}
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		if !shown[stable(line)] {
			t.Errorf("README.md does not show this line: %s", line)
		}
	}
}
