package binary

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPackages(t *testing.T) {
	quiet(t)
	bench := func(pkg, name string) string {
		return "package " + pkg + "\n\nimport \"testing\"\n\nfunc Benchmark" + name + "(b *testing.B) {}\n"
	}
	files := map[string]string{
		"mod/go.mod":               "module example.com/m\n\ngo 1.24\n",
		"mod/root_test.go":         bench("m", "Root"),
		"mod/z/z_test.go":          bench("z", "Z"),
		"mod/z/x_test.go":          bench("z_test", "X"),
		"mod/a/a_test.go":          bench("a", "A"),
		"mod/a/tagged_test.go":     "//go:build special\n\n" + bench("a", "Tagged"),
		"mod/a/a_plan9_test.go":    bench("a", "Plan9"),
		"mod/a/testdata/t_test.go": bench("t", "T"),
		"mod/new/n_test.go":        bench("new", "N"),
		"mod/none/n.go":            "package none\n\nimport \"testing\"\n\nfunc BenchmarkNone(b *testing.B) {}\n",
		"mod/excluded/e.go":        "//go:build never\n\npackage excluded\n",
		"mod/twice/p_test.go":      bench("twice", "P"),
		"mod/twice/x_test.go":      bench("twice_test", "P"),
		"mod/broken/b_test.go":     "package broken\n\nfunc {\n",
		"mod/embed/e_test.go": strings.Replace(bench("embed", "E"), "func BenchmarkE(b *testing.B) {}",
			"import _ \"embed\"\n\n//go:embed *.txt\nvar in string\n\nfunc BenchmarkE(b *testing.B) { _ = in }", 1),
		"mod/embed/in.txt":     "base",
		"mod/nested/go.mod":    "module example.com/nested\n",
		"mod/nested/n_test.go": bench("nested", "N"),
	}
	base, head := trees(t, changed(files, map[string]string{"mod/new/n_test.go": ""}), changed(files, map[string]string{"mod/embed/in.txt": "head"}), "mod")
	b := mustOpen(t, base, head, Settings{Tags: "special"})
	for _, test := range []struct {
		side     int
		patterns string
		want     string // or the error
	}{
		{1, "./z/... . ./a ./a", "example.com/m[Root] example.com/m/a[A Tagged] example.com/m/z[X Z]"},
		{1, "", "example.com/m[Root]"},
		{1, "example.com/m/a", "example.com/m/a[A Tagged]"},
		{1, "./new", "example.com/m/new[N]"},
		{1, "./none", ""},
		{1, "./nowhere", "head: ./nowhere: stat .*nowhere"},
		{1, "./excluded", "head: example.com/m/excluded: build constraints exclude all Go files"},
		{1, "./...", "head: example.com/m/"},
		{1, "fmt", "head: fmt lies outside of the repository, in .*fmt: leave it out"},
		{1, "./twice", "head: example.com/m/twice: BenchmarkP is in the package and in its external tests"},
		{1, "./broken", "head: example.com/m/broken: .*b_test.go:3:6: expected"},
		{0, "./new ./z", "example.com/m/z[X Z]"},
		{0, "./nowhere ./nowhere/... example.com/m/nowhere ./excluded", ""},
		{0, "./broken", "base: example.com/m/broken: .*b_test.go:3:6: expected"},
	} {
		pkgs, err := b.Packages(t.Context(), test.side, strings.Fields(test.patterns))
		if err != nil {
			mustMatch(t, err, test.want)
			continue
		}
		var got []string
		for _, p := range pkgs {
			var names []string
			for _, name := range slices.Sorted(maps.Keys(p.Benchmarks)) {
				names = append(names, strings.TrimPrefix(name, "Benchmark"))
			}
			got = append(got, fmt.Sprint(p.ImportPath, names))
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("side %d: %q: %s, want %s", test.side, test.patterns, s, test.want)
		}
	}
	pkgs, err := b.Packages(t.Context(), 1, []string{"./z"})
	if err != nil {
		t.Fatal(err)
	}
	got := pkgs[0].Benchmarks["BenchmarkX"]
	got.Hash = ""
	if want := (Benchmark{Name: "BenchmarkX", File: "mod/z/x_test.go", Line: 5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if want := filepath.Join(b.trees[1].Root, "mod", "z"); pkgs[0].Dir != want {
		t.Errorf("directory %s, want %s", pkgs[0].Dir, want)
	}
	if x, y := both(t, b, "./embed"); x.Benchmarks["BenchmarkE"].Hash == y.Benchmarks["BenchmarkE"].Hash {
		t.Error("one hash with two embedded files")
	}
}
