package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// rooms are the packages that have a part for each op. Their files are called as families; beside them stand these.
var rooms = map[string]string{
	"reference":                    "doc matrix primitives configs | derivatives fuse helpers preconditions pytorch spec",
	"conformance/op":               "op tensor shape table attrs json names format bound | export",
	"conformance/refimpl":          "refimpl tensors",
	"conformance/oracle":           "oracle gauge functions derived montecarlo propagate sample parallel | naive",
	"conformance/internal/precise": "precise number tape | accuracy",
	"conformance/mutant":           "doc plain catalogue variants judge arithmetic matrix buffer",
	"optimized":                    "optimized engine gemm pack parallel exp | helpers export conformance fuzz",
	"tools/gengolden":              "main case choose set wide draw sample write check expect decide vanishing opticks",
}

// A file is called as its family, or family_part where one would be too long to read; a test as what it tests.
func TestFilesAreCalledAsFamilies(t *testing.T) {
	for room, others := range rooms {
		sources, tests, _ := strings.Cut(others, "|")
		known := append(strings.Fields(sources), op.Families...)
		files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(room), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", room, len(files), err)
		}
		for _, file := range files {
			name, isTest := strings.CutSuffix(strings.TrimSuffix(filepath.Base(file), ".go"), "_test")
			if isTest && slices.Contains(strings.Fields(tests), name) || slices.Contains(known, name) {
				continue
			}
			family, part, _ := strings.Cut(name, "_")
			if !slices.Contains(known, family) || slices.Contains([]string{"", "grad", "trust", "layers", "rows"}, part) {
				t.Errorf("%s/%s: want a family of op.Families, or family_part (no part is called grad), or its name in the list of this test",
					room, filepath.Base(file))
			}
		}
	}
}

// Every op has its part in the file of its family, in every room.
func TestEveryFamilyIsInEveryRoom(t *testing.T) {
	for _, r := range op.Table() {
		for room := range rooms {
			if room == "conformance/oracle" || room == "conformance/internal/precise" && r.Family == "text" { // integers have no gauges, and no digits
				continue
			}
			matches, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(room), r.Family+"*.go"))
			if err != nil || len(matches) == 0 {
				t.Errorf("%s: write %s/%s.go", r.Name, room, r.Family)
			}
		}
	}
}

// sources returns the syntax of every file of the module that is not a test, by its path.
func sources(t *testing.T) map[string]*ast.File {
	files := map[string]*ast.File{}
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(file, ".."+string(filepath.Separator)))
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		files[name], err = parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Nothing imports tools/ or cmd/ from outside, the reference imports nothing of ours, and neither does the gate; the rest as CONTRIBUTING.md has it.
func TestImports(t *testing.T) {
	const module = "github.com/assaykit/assay/"
	// may lists, for some packages, what of ours they import. Packages within one of these are its own.
	may := map[string]string{
		"reference":                    "",
		"internal/input":               "",
		"internal/output":              "",
		"gate":                         "",
		"conformance/op":               "",
		"conformance/vector":           "conformance/op golden internal/input", // golden: its schema alone
		"conformance/refimpl":          "conformance/op reference",
		"conformance/oracle":           "conformance/op conformance/refimpl reference",
		"conformance/internal/precise": "conformance/op conformance/vector conformance/internal/bigmath",
		"conformance/mutant":           "conformance conformance/op conformance/vector golden",
		"conformance/onnx":             "conformance/op conformance/oracle conformance/refimpl internal/input reference",
		"conformance/sampling":         "conformance/op conformance/vector golden",
		"conformance":                  "conformance/op conformance/vector golden",
		"optimized":                    "conformance/op corpus corpus/bpe corpus/philox",
		"benchmarks":                   "conformance/op conformance/oracle conformance/refimpl conformance/vector optimized reference",
	}
	for name, file := range sources(t) {
		dir := path.Dir(name)
		owner := dir
		for may[owner] == "" && owner != "." && owner != "reference" && owner != "internal/input" && owner != "internal/output" && owner != "gate" && owner != "conformance/op" {
			owner = path.Dir(owner)
		}
		for _, spec := range file.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if !ours || imported == owner || strings.HasPrefix(imported, owner+"/") && owner != "conformance" {
				continue
			}
			if top, _, _ := strings.Cut(imported, "/"); (top == "tools" || top == "cmd") && !strings.HasPrefix(dir, top) {
				t.Errorf("%s imports %s: nothing does from outside", name, imported)
			}
			if allowed, ok := may[owner]; ok && !slices.Contains(strings.Fields(allowed), imported) {
				t.Errorf("%s imports %s: %s may import %q", name, imported, owner, allowed)
			}
		}
	}
}

// The bound is one function: nowhere else is there a lambda, or a product of a roundoff with a gauge.
func TestBoundIsOneFunction(t *testing.T) {
	found := 0
	for name, file := range sources(t) {
		for _, d := range file.Decls {
			where := name
			if f, ok := d.(*ast.FuncDecl); ok {
				where += ": " + f.Name.Name
			}
			for _, why := range boundsIn(d) {
				if name == "conformance/op/bound.go" {
					found++
					continue
				}
				t.Errorf("%s: %s: op.Formats.Bound is the only place for that", where, why)
			}
		}
	}
	if found < 2 {
		t.Errorf("op/bound.go has %d of what this test looks for: it has become blind", found)
	}
}

// boundsIn returns what in a declaration belongs to a bound.
func boundsIn(d ast.Decl) (found []string) {
	roundoffs := map[string]bool{} // variables that hold one
	isRoundoff := func(e ast.Expr) bool {
		is := false
		ast.Inspect(e, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				is = is || n.Sel.Name == "UnitRoundoff" || n.Sel.Name == "Roundoff"
			case *ast.Ident:
				is = is || roundoffs[n.Name]
			}
			return !is
		})
		return is
	}
	isGauge := func(e ast.Expr) bool {
		is := false
		ast.Inspect(e, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				is = is || s.Sel.Name == "Acc" || s.Sel.Name == "In"
			}
			return !is
		})
		return is
	}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, r := range n.Rhs {
				if id, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok && isRoundoff(r) {
					roundoffs[id.Name] = true
				}
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				if id.Name == "lambda" {
					found = append(found, "a lambda")
				}
			}
		case *ast.BinaryExpr:
			if n.Op == token.MUL && (isRoundoff(n.X) && isGauge(n.Y) || isRoundoff(n.Y) && isGauge(n.X)) {
				found = append(found, "a product of a roundoff with a gauge")
			}
		}
		return true
	})
	return found
}

// The test above sees what it must see.
func TestBoundsInSeesBounds(t *testing.T) {
	for text, want := range map[string]int{
		"const lambda = 2": 1,
		"func f() float64 { return 2 * op.Float32Format.UnitRoundoff() * e.Acc[i] }":               1,
		"func f() float64 { u := f.Storage.UnitRoundoff(); b := u * 2; return b * (w + g.In[0]) }": 1,
		"func f() float64 { return 2 * g.Acc[i] + u*w }":                                           0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(boundsIn(file.Decls[0])); got != want {
			t.Errorf("%s: %d found, want %d", text, got, want)
		}
	}
}
