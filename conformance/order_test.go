package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// downwards are the files of the package in the order of the walk of a case: what a user calls and is given, then the options and the cases
// that they choose, executing one, judging its steps, and comparing numbers.
var downwards = []string{
	"doc.go", "run.go", "record.go", "trial.go", "text.go", "report.go", "choose.go", "keeper.go", "execute.go", "trace.go", "judge.go", "case.go", "buffers.go",
	"pages.go", "pages_unix.go", "pages_other.go", "compare.go",
}

// A file uses only what it declares itself, and what the files below it declare.
func TestFilesReadDownwards(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if got, want := slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(downwards)); !slices.Equal(got, want) {
		t.Errorf("the files are %v, the order has %v", got, want)
	}
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// The package's own names are resolved without its imports, whose errors are many and say nothing.
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Error: func(error) {}, Importer: noImports{}}
	pkg, _ := config.Check("conformance", fset, files, &info)
	place := func(p token.Pos) int { return slices.Index(downwards, filepath.Base(fset.Position(p).Filename)) }
	crossings := 0
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		if from, to := place(ident.Pos()), place(object.Pos()); from > to {
			t.Errorf("%s: uses %s of %s, which stands above it", fset.Position(ident.Pos()), ident.Name, downwards[to])
		} else if from < to {
			crossings++
		}
	}
	if crossings < 50 {
		t.Errorf("found %d uses of files below: are the names resolved?", crossings)
	}
}

// noImports finds every package, and nothing in it.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}
