package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/vector"
)

func TestWriteRemovesStaleFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"old.json", "old.safetensors", "golden.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(dir, generateLittle(t)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"MANIFEST.json", "ffn.json", "ffn.safetensors", "golden.go", "schema.json", "softmax.json", "softmax.safetensors"}
	if !slices.Equal(names, want) {
		t.Errorf("the directory holds %v, want %v", names, want)
	}
}

func TestWriteOfSome(t *testing.T) {
	dir, s, all := watched(t)
	for _, name := range []string{"softmax.json", "softmax.safetensors"} { // what is to be replaced may be damaged
		if err := os.Truncate(filepath.Join(dir, name), 10); err != nil {
			t.Fatal(err)
		}
	}
	s.clauses = append(s.clauses, "SM-2")
	all[0].cases = append(slices.Clone(all[0].cases), testCase{name: "third", comment: "A third.", clauses: "SM-2", src: args{"x": normal(1, 4)}})
	all = append(all, family{op: "relu", cases: []testCase{{name: "new", comment: "Of an op without files.", clauses: "SM-1", src: args{"x": normal(1, 4)}}}})
	if _, _, err := do(options{dir: dir, choice: choice{ops: list{"softmax", "relu"}}}, s, all); err != nil {
		t.Fatal(err)
	}
	all[1].cases[0].prepare = nil
	want, err := generate(s, all, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(dir, want, true); err != nil {
		t.Errorf("the directory is not what a whole run writes: %v", err)
	}
}

func TestWriteOfSomeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(dir string) error
		want string
	}{
		"no manifest":             {func(dir string) error { return os.Remove(filepath.Join(dir, vector.ManifestName)) }, vector.ManifestName},
		"a manifest of no JSON":   {func(dir string) error { return os.Truncate(filepath.Join(dir, vector.ManifestName), 20) }, vector.ManifestName},
		"another generator":       {replaceIn(vector.ManifestName, version, "gengolden 0"), "is of gengolden 0"},
		"another schema":          {replaceIn(vector.SchemaName, "One sentence", "One Sentence"), "schema.json is not the generator's"},
		"another op is altered":   {replaceIn("ffn.json", `"comment":"`, `"comment":"B`), "ffn.json"},
		"another op is half gone": {func(dir string) error { return os.Remove(filepath.Join(dir, "ffn.safetensors")) }, "ffn.safetensors"},
		"a file of no op":         {func(dir string) error { return os.WriteFile(filepath.Join(dir, "old.json"), []byte("{}"), 0o666) }, "old.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, s, all := watched(t)
			if err := tt.edit(dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			all[0].cases[0].comment = "A comment that is new."
			_, _, err := do(options{dir: dir, choice: choice{ops: list{"softmax"}}}, s, all)
			if exitStatus(err) != 2 || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "run gengolden without -op") {
				t.Errorf("got error %v, want one that says %q, and what to run", err, tt.want)
			}
			if !maps.Equal(snapshot(t, dir), before) {
				t.Error("something was written")
			}
		})
	}
	dir, s, all := watched(t)
	s.clauses = []string{"SM-2"} // ffn's clause is gone
	all[0].cases = []testCase{{name: "first", comment: "A case.", clauses: "SM-2", flags: "rows", src: args{"x": normal(2, 2, 3)}}}
	_, _, err := do(options{dir: dir, choice: choice{ops: list{"softmax"}}}, s, all)
	if err == nil || !strings.Contains(err.Error(), "clause SM-1 is not among those of MANIFEST.json") {
		t.Errorf("another op cites a clause that is gone: got error %v", err)
	}
}
