package reference

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plumbing are exported functions that hold no equation: SPEC.md need not name them.
var plumbing = []string{
	"NewMatrix", "Matrix.At", "Matrix.Row", "Matrix.T", "Matrix.Columns", "Add", "ScaleBy",
	"NewKVCache", "KVCache.Len", "KVCache.Capacity", "KVCache.Keys", "KVCache.Values", "KVCache.Clone",
	"NewGPTState", "GPTState.Len", "GPTState.Clone",
	"AdamState.Clone", "NewTrainState",
	"Primitives.GroupedAttention", "Primitives.CachedAttention", // the functions of the same names
	"Primitives.GroupedAttentionGrad", "Primitives.CrossEntropyRows", "Primitives.CrossEntropyRowsGrad",
	"MHAWeights.Parameters", "FFNWeights.Parameters", "SwiGLUWeights.Parameters", "BlockWeights.Parameters", "GPTWeights.Parameters",
}

func readSpec(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// declared returns the package's exported names: functions as "F", methods as "T.M", types and variables as "N". Those of
// functions and methods map to true.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					receiver := d.Recv.List[0].Type
					if star, ok := receiver.(*ast.StarExpr); ok {
						receiver = star.X
					}
					name = receiver.(*ast.Ident).Name + "." + name
				}
				if d.Name.IsExported() {
					names[name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						names[s.Name.Name] = false
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[n.Name] = false
						}
					}
				}
			}
		}
	}
	return names
}

// SPEC.md names only what exists here, and every function here that holds an equation.
func TestSpecNames(t *testing.T) {
	names := declared(t)
	cited := map[string]bool{}
	for _, m := range regexp.MustCompile("`reference\\.([A-Za-z.]+)`").FindAllStringSubmatch(readSpec(t), -1) {
		cited[m[1]] = true
		if _, ok := names[m[1]]; !ok {
			t.Errorf("SPEC.md names reference.%s, which does not exist", m[1])
		}
	}
	for name, isFunc := range names {
		if isFunc && !cited[name] && !slices.Contains(plumbing, name) {
			t.Errorf("SPEC.md does not name reference.%s", name)
		}
	}
	for _, name := range plumbing {
		if !names[name] {
			t.Errorf("plumbing lists %s, which is not a function here", name)
		}
	}
}

// Clauses are numbered 1, 2, 3, ... within their family, families come in order, and references to clauses resolve.
func TestSpecClauses(t *testing.T) {
	spec := readSpec(t)
	count := map[string]int{}
	var order []string
	for _, m := range regexp.MustCompile(`(?m)^\*\*([A-Z]+-\d+)\*\*`).FindAllStringSubmatch(spec, -1) {
		family, number, _ := strings.Cut(m[1], "-")
		if count[family]++; strconv.Itoa(count[family]) != number {
			t.Errorf("%s is number %d of its family", m[1], count[family])
		}
		if !slices.Contains(order, family) {
			order = append(order, family)
		}
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## ([A-Z]+): `).FindAllStringSubmatch(spec, -1) {
		sections = append(sections, m[1])
	}
	if !slices.Equal(order, sections) {
		t.Errorf("clauses are of the families %v, sections of %v", order, sections)
	}
	for _, m := range regexp.MustCompile("`([A-Z]+)-(\\d+)`").FindAllStringSubmatch(spec, -1) {
		if n, err := strconv.Atoi(m[2]); err != nil || n < 1 || n > count[m[1]] {
			t.Errorf("SPEC.md refers to %s-%s, which does not exist", m[1], m[2])
		}
	}
	total := 0
	for _, n := range count {
		total += n
	}
	t.Logf("%d clauses", total)
}

// Every source that SPEC.md or this package cites is listed in Appendix B.
func TestSpecSources(t *testing.T) {
	text, sources, ok := strings.Cut(readSpec(t), "## Appendix B: sources")
	if !ok {
		t.Fatal("SPEC.md has no Appendix B")
	}
	sources, _, _ = strings.Cut(sources, "\n## ")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text += string(source)
		}
	}
	cited := regexp.MustCompile(`([A-Z]\w+)((?:, [A-Z]\w+)* and [A-Z]\w+| et al\.| Team)?\s((?:19|20)\d\d)\b`).FindAllStringSubmatch(text, -1)
	if len(cited) < 30 {
		t.Fatalf("only %d citations found", len(cited))
	}
	for _, c := range cited {
		if !regexp.MustCompile(`(?m)^- .*\b` + c[1] + `\b.*\b` + c[3] + `\b`).MatchString(sources) {
			t.Errorf("Appendix B does not list %s%s %s", c[1], c[2], c[3])
		}
	}
}
