package main

import (
	"flag"
	"io"
	"path/filepath"
	"testing"

	"github.com/assaykit/assay/conformance/vector"
)

var quiet = func(int, int) {}

// little is a set that takes no time to generate.
func little() (spec, []family) {
	f := family{
		op: "softmax", flags: []vector.Flag{{Name: "rows", Bug: "rows are confused"}},
		cases: []testCase{
			{name: "first", comment: "A case.", clauses: "SM-1", flags: "rows", src: args{"x": normal(2, 2, 3)}},
			{name: "second", comment: "Another.", clauses: "SM-1", flags: "rows", src: args{"x": normal(2, 2, 3).set(nan, 1)}},
		},
	}
	return spec{version: "0", clauses: []string{"SM-1"}}, []family{f, {op: "ffn", cases: ffnFamily().cases[:1], flags: nil}}
}

func generateLittle(t *testing.T) map[string][]byte {
	t.Helper()
	s, fams := little()
	fams[1].cases[0].clauses, fams[1].cases[0].flags = "SM-1", ""
	files, err := generate(s, fams, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestUsageErrors(t *testing.T) {
	for name, arguments := range map[string][]string{
		"an unknown flag": {"-nonsense"}, "an argument": {"golden"}, "an empty pattern": {"-op", ""},
		"a pattern that matches nothing": {"-spec", filepath.Join("..", "..", "SPEC.md"), "-op", "nothing", "-check"},
		"no specification":               {"-spec", filepath.Join(t.TempDir(), "SPEC.md")},
	} {
		if status := exitStatus(run(arguments, io.Discard, io.Discard)); status != 2 {
			t.Errorf("%s: exit status %d, want 2", name, status)
		}
	}
	if status := exitStatus(flag.ErrHelp); status != 0 {
		t.Errorf("-help: exit status %d, want 0", status)
	}
}
