package binary

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suite has a benchmark A that reaches the declarations with a, and a benchmark B that reaches none of them.
var suite = map[string]string{
	"m.go": "package m\n\nfunc Work(n int) int { return n }\n",
	"a_test.go": `package m

import (
	"fmt"
	"math/rand"
	"testing"
)

const (
	zero = iota
	one
)

const two = 2

var table = []int{one, two}

type set struct{ n int }

func (s *set) add(i int) { s.n += i }

func (s *set) unnamed() { s.n++ }

func help(s *set, xs ...int) {
	for _, x := range xs {
		s.add(x + rand.Int())
	}
}

func BenchmarkA(b *testing.B) {
	for b.Loop() {
		help(&set{}, table...)
	}
}

func BenchmarkB(b *testing.B) {
	fmt.Sprint(Work(1))
	for range b.N {
	}
}

func TestOther(t *testing.T) {}
`,
	"main_test.go": "package m\n\nimport \"testing\"\n\nvar ready bool\n\nfunc TestMain(m *testing.M) {\n\tready = true\n\tm.Run()\n}\n",
	"x_test.go":    "package m_test\n\nimport \"testing\"\n\nfunc BenchmarkX(b *testing.B) { shared() }\n\nfunc shared() {}\n",
	"e_test.go":    "package m\n\nimport (\n\t_ \"embed\"\n\t\"testing\"\n)\n\n//go:embed in.txt\nvar in string\n\nfunc BenchmarkE(b *testing.B) { _ = in }\n",
	"g_test.go":    "package m\n\nimport (\n\t_ \"embed\"\n\t\"testing\"\n)\n\nvar (\n\t//go:embed in.txt\n\tgrouped string\n\n\tplain = 1\n)\n\nfunc BenchmarkG(b *testing.B) { _ = grouped }\n",
	"in.txt":       "input",
}

// hashes returns those of a package that is written to a directory.
func hashes(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	l := listed{Dir: dir, TestEmbedFiles: []string{"in.txt"}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case name == "x_test.go":
			l.XTestGoFiles = append(l.XTestGoFiles, name)
		case strings.HasSuffix(name, "_test.go"):
			l.TestGoFiles = append(l.TestGoFiles, name)
		}
	}
	benchmarks, err := (&tree{Side: Side{Root: dir}}).benchmarks(l)
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	for name, b := range benchmarks {
		hashes[name] = b.Hash
	}
	return hashes
}

// TestHash changes the suite and looks at whose hash changes.
func TestHash(t *testing.T) {
	edit := func(file string, pairs ...string) map[string]string {
		data := suite[file]
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(data, pairs[i]) {
				t.Fatalf("%s has no %q", file, pairs[i])
			}
			data = strings.ReplaceAll(data, pairs[i], pairs[i+1])
		}
		return map[string]string{file: data}
	}
	const all = "BenchmarkA BenchmarkB BenchmarkE BenchmarkG BenchmarkX"
	for _, test := range []struct {
		name   string
		change map[string]string
		want   string // benchmarks with another hash
	}{
		{"nothing", nil, ""},
		{"code", edit("m.go", "return n", "return 2 * n"), ""},
		{"comments", edit("a_test.go", "\tfor", "\t// why\n\t/* and */ for", "func", "// Doc.\nfunc", "n int }", "\n\t// Doc.\n\tn int // n\n} // set",
			"\tone\n", "\t// Doc.\n\tone // 1\n", "const two", "// Doc.\nconst two", "table =", "/* a */ table =", "two}", "two} // table", "type set", "// Doc.\ntype set"), ""},
		{"layout", edit("a_test.go", "{one, two}", "{\n\tone,\n\ttwo,\n}", "{ s.n += i }", "{\n\n\ts.n += i\n}", "s.add(x + ", "s.add(\n\t\t\tx + ",
			"rand.Int())", "rand.Int(),\n\t\t)"), ""},
		{"another test", edit("a_test.go", "TestOther(t *testing.T) {", "TestOther(t *testing.T) {\n\tt.Log()"), ""},
		{"another import", edit("a_test.go", "\t\"testing\"", "\t\"strings\"\n\t\"testing\"", "TestOther(t *testing.T) {", "TestOther(t *testing.T) { t.Log(strings.ToUpper(\"\"))"), ""},
		{"moved within", edit("a_test.go", "const two = 2\n", "", "func TestOther", "const two = 2\n\nfunc TestOther"), ""},
		{"methods moved", edit("a_test.go", "func (s *set) add(i int) { s.n += i }\n", "", "func TestOther", "func (s *set) add(i int) { s.n += i }\n\nfunc TestOther"), ""},
		{"moved to another file", changed(edit("a_test.go", "const two = 2\n", ""), map[string]string{"z_test.go": "package m\n\nconst two = 2\n"}), ""},
		{"body", edit("a_test.go", "range b.N", "range 2 * b.N"), "BenchmarkB"},
		{"function it calls", edit("a_test.go", "x + rand", "x - rand"), "BenchmarkA"},
		{"variable", edit("a_test.go", "{one, two}", "{two, one}"), "BenchmarkA"},
		{"variadic", edit("a_test.go", "table...)", "len(table))"), "BenchmarkA"},
		{"constant", edit("a_test.go", "two = 2", "two = 3"), "BenchmarkA"},
		{"constant by its place", edit("a_test.go", "zero = iota\n", "zero = iota\n\t_\n"), "BenchmarkA"},
		{"type", edit("a_test.go", "n int }", "n int; m int }"), "BenchmarkA"},
		{"alias", edit("a_test.go", "type set struct", "type set = struct", "func (s *set) add(i int)", "func add(s *set, i int)", "func (s *set) unnamed()", "func unnamed(s *set)"), "BenchmarkA"},
		{"method", edit("a_test.go", "s.n += i", "s.n -= i"), "BenchmarkA"},
		{"method of its type", edit("a_test.go", "s.n++", "s.n--"), "BenchmarkA"},
		{"import by the same name", edit("a_test.go", "\"math/rand\"", "\"math/rand/v2\""), "BenchmarkA"},
		{"directive", edit("a_test.go", "func help", "//go:noinline\nfunc help"), "BenchmarkA"},
		{"TestMain", edit("main_test.go", "m.Run()", "_ = m.Run()"), all},
		{"what TestMain uses", edit("main_test.go", "var ready bool", "var ready = false"), all},
		{"init", map[string]string{"i_test.go": "package m\n\nfunc init() {}\n"}, all},
		{"external test", edit("x_test.go", "shared() {}", "shared() { println() }"), "BenchmarkX"},
		{"embedded file", map[string]string{"in.txt": "other"}, "BenchmarkE BenchmarkG"},
	} {
		t.Run(test.name, func(t *testing.T) {
			x, y := hashes(t, suite), hashes(t, changed(suite, test.change))
			maps.DeleteFunc(x, func(name, hash string) bool { return y[name] == hash })
			if got := strings.Join(slices.Sorted(maps.Keys(x)), " "); got != test.want {
				t.Errorf("changed: %q, want %q", got, test.want)
			}
		})
	}
}

// TestTextIsStable prints this module's own declarations, parses what is printed, and prints that: layout has no second say.
func TestTextIsStable(t *testing.T) {
	files, err := filepath.Glob("../*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	directive := regexp.MustCompile("(?m)^//go:.*\n") // the printed file has no comments
	texts := func(file *ast.File) map[string][]string {
		var s declarations
		s.add(file)
		if s.err != nil {
			t.Fatal(s.err)
		}
		texts := map[string][]string{}
		for name, decls := range s.decls {
			for _, d := range decls {
				texts[name] = append(texts[name], directive.ReplaceAllString(d.text, ""))
			}
		}
		return texts
	}
	for _, path := range files {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var printed bytes.Buffer
		if err := (&printer.Config{Tabwidth: 1}).Fprint(&printed, token.NewFileSet(), bare); err != nil {
			t.Fatal(err)
		}
		again, err := parser.ParseFile(token.NewFileSet(), path, &printed, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, want := texts(again), texts(file)
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: another text after printing", path)
		}
		if len(want) == 0 {
			t.Errorf("%s declares nothing", path)
		}
	}
}

func TestIsBenchmark(t *testing.T) {
	for src, want := range map[string]bool{
		"func BenchmarkX(b *testing.B) {}":          true,
		"func Benchmark(b *testing.B) {}":           true,
		"func Benchmark_x(*B) {}":                   true,
		"func BenchmarkÄ(b *testing.B) {}":          true,
		"func Benchmarkx(b *testing.B) {}":          false,
		"func Benchmarkä(b *testing.B) {}":          false,
		"func TestX(b *testing.B) {}":               false,
		"func (s) BenchmarkX(b *testing.B) {}":      false,
		"func BenchmarkX[T any](b *testing.B) {}":   false,
		"func BenchmarkX(b *testing.B) int {}":      false,
		"func BenchmarkX(b testing.B) {}":           false,
		"func BenchmarkX(b *testing.T) {}":          false,
		"func BenchmarkX() {}":                      false,
		"func BenchmarkX(a, b *testing.B) {}":       false,
		"func BenchmarkX(a *testing.B, n int) {}":   false,
		"func BenchmarkX(b *[]testing.B, n int) {}": false,
		"func BenchmarkSomething(name *pkg.B) {}":   true, // as go test has it: it compiles with testing's B alone
		"func BenchmarkMap(b map[string]*B) {}":     false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package p\n"+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := isBenchmark(file.Decls[0].(*ast.FuncDecl)); got != want {
			t.Errorf("%s: %v, want %v", src, got, want)
		}
	}
}
