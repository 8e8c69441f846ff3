package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

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

func TestEveryOpHasCases(t *testing.T) {
	all, err := families()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(registered) {
		t.Errorf("cases are registered of %d ops, and there are %d", len(registered), len(all))
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

func TestMistakesInCases(t *testing.T) {
	ok := args{"x": normal(1, 2, 3)}
	for name, c := range map[string]struct {
		op   string
		c    testCase
		want string
	}{
		"an argument that the op lacks": {"softmax", testCase{src: ok.with("z", normal(1, 2))}, "takes 1 of the 2 arguments"},
		"an error that does not come": {"embedding", testCase{consts: args{"table": normal(1, 3, 2)}, src: args{"ids": ids(1)}, err: "index"},
			`want an error that says "index out of range", got <nil>`},
		"another error than wanted": {"embedding", testCase{consts: args{"table": normal(1, 3, 2)}, src: args{"ids": ids(7)}, err: "capacity"},
			`want an error that says "cache capacity"`},
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
