package main

import (
	"bytes"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
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

func TestGoldenIsWhole(t *testing.T) {
	dir := filepath.Join("..", "..", "golden")
	set, err := vector.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		if len(f.Cases) == 0 {
			t.Errorf("%s has no cases", f.Op)
		}
	}
	if got := len(set.Files); got != len(op.Names()) {
		t.Errorf("the set has %d ops, the op table %d", got, len(op.Names()))
	}
	schema, err := os.ReadFile(filepath.Join(dir, vector.SchemaName))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(schema, schemaJSON) {
		t.Error("the schema beside the vectors is not the generator's")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "SPEC.md"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.clauses, set.Manifest.Clauses) || s.version != set.Manifest.Spec {
		t.Error("the manifest is not of this SPEC.md")
	}
}

func TestGenerateTwiceGivesTheSameBytes(t *testing.T) {
	a, b := generateLittle(t), generateLittle(t)
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs from one run to the next", name)
		}
	}
}

func TestCheckFindsWhatChanged(t *testing.T) {
	files := generateLittle(t)
	tensors, err := vector.DecodeSafetensors(files["softmax.safetensors"])
	if err != nil {
		t.Fatal(err)
	}
	const key = "first/0/y"
	edited := func(f func(want []float64)) func(string) error {
		return func(dir string) error {
			changed := map[string]op.Tensor{}
			for k, v := range tensors {
				changed[k] = v
			}
			y := op.New(op.F64, tensors[key].Shape...)
			copy(y.F64, tensors[key].F64)
			f(y.F64)
			changed[key] = y
			data, err := vector.EncodeSafetensors(changed)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "softmax.safetensors"), data, 0o666)
		}
	}
	for _, c := range []struct {
		name         string
		edit         func(dir string) error
		exactly      []string // what the message must hold; nil where there must be none
		withinULPs   []string
		isDifference bool
	}{
		{"nothing", func(string) error { return nil }, nil, nil, false},
		{"a value by one ulp", edited(func(y []float64) { y[4] = math.Nextafter(y[4], 2) }), []string{"softmax.safetensors", key, "element 4"}, nil, true},
		{"a value", edited(func(y []float64) { y[4] *= 1 + 1e-9 }), []string{"softmax.safetensors", key, "element 4"},
			[]string{"softmax.safetensors", key, "element 4"}, true},
		{"a comment", replaceIn("softmax.json", "Another.", "Different."), []string{"softmax.json", "case softmax/second:"},
			[]string{"softmax.json", "case softmax/second:"}, true},
		{"a byte of the schema", replaceIn(vector.SchemaName, "One sentence", "One Sentence"), []string{vector.SchemaName}, []string{vector.SchemaName}, true},
		{"the manifest", replaceIn(vector.ManifestName, `"cases": 3`, `"cases": 4`), []string{vector.ManifestName}, nil, true},
		{"a missing file", func(dir string) error { return os.Remove(filepath.Join(dir, "ffn.json")) }, []string{"ffn.json is missing"},
			[]string{"ffn.json is missing"}, true},
		{"a stale file", func(dir string) error { return os.WriteFile(filepath.Join(dir, "old.json"), nil, 0o666) }, []string{"old.json"},
			[]string{"old.json"}, true},
		{"a cut file", func(dir string) error { return os.Truncate(filepath.Join(dir, "softmax.safetensors"), 100) }, []string{"softmax.safetensors"},
			[]string{"softmax.safetensors"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := write(dir, files); err != nil {
				t.Fatal(err)
			}
			if err := c.edit(dir); err != nil {
				t.Fatal(err)
			}
			for exactly, want := range map[bool][]string{true: c.exactly, false: c.withinULPs} {
				err := check(dir, files, exactly)
				if (err != nil) != (want != nil) {
					t.Fatalf("exactly %v: got error %v, want one that holds %q", exactly, err, want)
				}
				if err != nil && exitStatus(err) != 1 {
					t.Errorf("exit status %d, want 1", exitStatus(err))
				}
				for _, part := range want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error %q does not name %q", err, part)
					}
				}
			}
		})
	}
	if err := check(filepath.Join(t.TempDir(), "nowhere"), files, true); exitStatus(err) != 2 {
		t.Errorf("a directory that is not there: error %v, want exit status 2", err)
	}
}

func replaceIn(name, old, new string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed := bytes.Replace(data, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, data) {
			return os.ErrNotExist
		}
		return os.WriteFile(path, changed, 0o666)
	}
}

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

func TestAdmission(t *testing.T) {
	// Two terms cancel to a millionth of their size: a bound that follows from theirs would accept any answer.
	cancelling := testCase{name: "cancelling", comment: "A case.", clauses: "MM-1", src: args{
		"a": floats([]float64{1e7, 1e7, 1}, 1, 3), "b": floats([]float64{1, -1, 0.25}, 3, 1)}}
	_, err := cancelling.finish("matmul")
	if err == nil || !strings.Contains(err.Error(), "compare finite") {
		t.Errorf("a case whose bound says nothing: got error %v, want one with a remedy", err)
	}
	for _, compare := range []vector.Compare{vector.Finite, vector.Exact} {
		c := cancelling
		c.compare = compare
		if _, err := c.finish("matmul"); err != nil {
			t.Errorf("the same, compared %s: %v", compare, err)
		}
	}
	hidden := testCase{name: "hidden", comment: "A case.", clauses: "MSK-10",
		src: square(2, 2).args().with("mask", bools(func(i int) bool { return i < 2 }, 1, 1, 2, 2))}
	if _, err := hidden.finish("attention"); err != nil {
		t.Errorf("a row that is exactly 0: %v", err)
	}
}

func TestMistakesInCases(t *testing.T) {
	ok := args{"x": normal(1, 2, 3)}
	for name, c := range map[string]struct {
		op   string
		c    testCase
		want string
	}{
		"an argument that the op lacks": {"softmax", testCase{src: ok.with("z", normal(1, 2))}, "takes 1 of the 2 arguments"},
		"an error that does not come": {"embedding", testCase{consts: args{"table": normal(1, 3, 2)}, src: args{"ids": ids(1)}, err: "index"},
			"want an error about the index, got <nil>"},
		"another error than wanted": {"embedding", testCase{consts: args{"table": normal(1, 3, 2)}, src: args{"ids": ids(7)}, err: "capacity"},
			"want an error about the capacity"},
		"an error that is not expected": {"embedding", testCase{consts: args{"table": normal(1, 3, 2)}, src: args{"ids": ids(7)}}, "out of range"},
	} {
		c.c.name, c.c.comment, c.c.clauses = "c", "A case.", "SM-1"
		if _, err := c.c.finish(c.op); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
	var fams []family
	for name, edit := range map[string]func(){
		"a clause that the specification lacks": func() { fams[0].cases[0].clauses = "SM-99" },
		"a flag that no case carries":           func() { fams[0].flags = append(fams[0].flags, vector.Flag{Name: "unused", Bug: "none"}) },
		"a comment that is no sentence":         func() { fams[0].cases[0].comment = "no" },
		"a flag that is not explained":          func() { fams[0].cases[0].flags = "rows other" },
	} {
		s, all := little()
		fams = all[:1]
		edit()
		if _, err := generate(s, fams, nil, quiet); err == nil {
			t.Errorf("%s: generated all the same", name)
		}
	}
}

func TestParseSpec(t *testing.T) {
	s, err := parseSpec([]byte("# Spec\n\nVersion 1.2. Text.\n\n**AB-1** One.\nNot **AB-2** this.\n**C-10** Ten.\n"))
	if err != nil || s.version != "1.2" || !slices.Equal(s.clauses, []string{"AB-1", "C-10"}) {
		t.Errorf("got %+v, error %v", s, err)
	}
	for _, text := range []string{"", "Version 1.", "**AB-1** One."} {
		if _, err := parseSpec([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestEdges(t *testing.T) {
	if got, want := edges(10), []int{0, 1, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("edges(10) = %v, want %v", got, want)
	}
	if got := edges(1); !slices.Equal(got, []int{0}) {
		t.Errorf("edges(1) = %v", got)
	}
	at := tileEdges([]int{300, 5000})
	if len(at) > maxSamples || at[0] != 0 || at[len(at)-1] != 300*5000-1 || !slices.IsSorted(at) || len(slices.Compact(slices.Clone(at))) != len(at) {
		t.Errorf("tileEdges gives %d positions from %d to %d", len(at), at[0], at[len(at)-1])
	}
}

func TestOpticksText(t *testing.T) {
	tokens, targets, err := opticksText()
	if err != nil {
		t.Fatal(err)
	}
	if len(tokens) != opticksTokens || len(targets) != opticksTokens || !slices.Equal(tokens[1:], targets[:opticksTokens-1]) {
		t.Errorf("%d tokens, %d targets: want %d of both, targets one ahead", len(tokens), len(targets), opticksTokens)
	}
	if want := []int64{3666, 8495, 287, 428, 4897}; !slices.Equal(tokens[:5], want) { // "My Design in this Book"
		t.Errorf("the text begins with tokens %v, want %v", tokens[:5], want)
	}
}
