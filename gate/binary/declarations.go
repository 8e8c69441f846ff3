package binary

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// benchmarks returns the benchmarks of a package.
func (t *tree) benchmarks(l listed) (map[string]Benchmark, error) {
	fset := token.NewFileSet()
	var src declarations
	found := map[string]Benchmark{}
	for _, name := range slices.Concat(l.TestGoFiles, l.XTestGoFiles) {
		path := filepath.Join(l.Dir, name)
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !isBenchmark(f) {
				continue
			}
			if _, twice := found[f.Name.Name]; twice {
				return nil, fmt.Errorf("%s is in the package and in its external tests: rename one, so that each can be run alone", f.Name.Name)
			}
			rel, err := filepath.Rel(t.Root, path)
			if err != nil {
				return nil, err
			}
			found[f.Name.Name] = Benchmark{Name: f.Name.Name, File: filepath.ToSlash(rel), Line: fset.Position(f.Pos()).Line}
		}
		src.add(file)
	}
	if src.err != nil {
		return nil, src.err
	}
	for name, bench := range found {
		hash := sha256.New()
		for _, d := range src.reach(name, "TestMain", "init") {
			fmt.Fprintf(hash, "%d\n%s", len(d.text), d.text)
			if !d.embeds {
				continue
			}
			for _, file := range slices.Concat(l.TestEmbedFiles, l.XTestEmbedFiles) {
				data, err := os.ReadFile(filepath.Join(l.Dir, file))
				if err != nil {
					return nil, err
				}
				fmt.Fprintf(hash, "%s %d\n%s", file, len(data), data)
			}
		}
		bench.Hash = fmt.Sprintf("%x", hash.Sum(nil))
		found[name] = bench
	}
	return found, nil
}

// isBenchmark reports whether go test would run f under -bench.
func isBenchmark(f *ast.FuncDecl) bool {
	rest, ok := strings.CutPrefix(f.Name.Name, "Benchmark")
	first, _ := utf8.DecodeRuneInString(rest)
	params := f.Type.Params.List
	if !ok || unicode.IsLower(first) || f.Recv != nil || f.Type.TypeParams != nil || f.Type.Results.NumFields() > 0 ||
		len(params) != 1 || len(params[0].Names) > 1 {
		return false
	}
	star, ok := params[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	switch x := star.X.(type) {
	case *ast.Ident:
		return x.Name == "B"
	case *ast.SelectorExpr:
		return x.Sel.Name == "B"
	}
	return false
}

// declarations is what the test files of a package declare.
type declarations struct {
	decls map[string][]*decl // by name; a method under its own and its receiver's
	err   error
}

// decl is a function, a type, a variable or a group of constants, whose values depend on their order.
type decl struct {
	text   string   // printed without comments and line breaks of its own, after its directives and what it imports
	names  []string // that it mentions
	embeds bool
}

func (s *declarations) add(file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names := []string{d.Name.Name}
			if d.Recv != nil {
				names = append(names, receiver(d.Recv.List[0].Type))
			}
			s.declare(file, names, d, d.Doc)
		case *ast.GenDecl:
			switch {
			case d.Tok == token.CONST:
				var names []string
				for _, spec := range d.Specs {
					names = append(names, specNames(spec)...)
				}
				s.declare(file, names, d)
			case d.Tok != token.IMPORT:
				for _, spec := range d.Specs {
					doc := d.Doc
					if d.Lparen.IsValid() {
						doc = specDoc(spec)
					}
					one := &ast.GenDecl{Tok: d.Tok, Specs: []ast.Spec{spec}}
					s.declare(file, specNames(spec), one, doc)
				}
			}
		}
	}
}

// receiver returns the name of a receiver's type.
func receiver(x ast.Expr) string {
	for {
		switch t := x.(type) {
		case *ast.Ident:
			return t.Name
		case *ast.StarExpr:
			x = t.X
		case *ast.ParenExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		default:
			return ""
		}
	}
}

func specNames(spec ast.Spec) []string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return []string{spec.Name.Name}
	case *ast.ValueSpec:
		var names []string
		for _, id := range spec.Names {
			names = append(names, id.Name)
		}
		return names
	}
	return nil
}

func specDoc(spec ast.Spec) *ast.CommentGroup {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return spec.Doc
	case *ast.ValueSpec:
		return spec.Doc
	}
	return nil
}

// declare adds a declaration and takes its comments away.
func (s *declarations) declare(file *ast.File, names []string, node ast.Node, docs ...*ast.CommentGroup) {
	var d decl
	var text bytes.Buffer
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:") {
				fmt.Fprintln(&text, c.Text)
				d.embeds = d.embeds || strings.HasPrefix(c.Text, "//go:embed")
			}
		}
	}
	packages := map[string]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if n.Name != "_" {
				d.names = append(d.names, n.Name)
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				packages[x.Name] = true
			}
		case *ast.FuncDecl:
			n.Doc = nil
		case *ast.GenDecl:
			n.Doc = nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
	for _, spec := range file.Imports {
		if imports(spec, packages) {
			fmt.Fprintln(&text, "import", spec.Path.Value)
		}
	}
	// A file set that knows no position leaves the printer no line breaks to keep.
	if err := printer.Fprint(&text, token.NewFileSet(), node); err != nil {
		s.err = errors.Join(s.err, err)
	}
	d.text = text.String()
	if s.decls == nil {
		s.decls = map[string][]*decl{}
	}
	for _, name := range names {
		s.decls[name] = append(s.decls[name], &d)
	}
}

// imports reports whether an import may be what one of the names means: its own name, or a word of its path, as yaml is of gopkg.in/yaml.v3.
func imports(spec *ast.ImportSpec, names map[string]bool) bool {
	if spec.Name != nil {
		return spec.Name.Name == "." || names[spec.Name.Name]
	}
	words := strings.FieldsFunc(spec.Path.Value, func(r rune) bool { return strings.ContainsRune(`"`+"`/.-_", r) })
	return slices.ContainsFunc(words, func(word string) bool { return names[word] })
}

// reach returns what the names declare and whatever that mentions, in an order that does not depend on that of the files.
func (s *declarations) reach(names ...string) []*decl {
	var reached []*decl
	seen := map[*decl]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		for _, d := range s.decls[name] {
			if !seen[d] {
				seen[d] = true
				reached = append(reached, d)
				names = append(names, d.names...)
			}
		}
	}
	slices.SortFunc(reached, func(a, b *decl) int { return strings.Compare(a.text, b.text) })
	return reached
}
