package binary

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plain is a module with a benchmark.
var plain = map[string]string{
	"go.mod": "module example.com/m\n\ngo 1.24\n",
	"m.go": `package m

import _ "embed"

//go:embed data/in.txt
var in string

func Work(n int) int {
	total := len(in)
	for i := range n {
		if i%3 == 0 {
			total += int(greeting[i%len(greeting)])
		}
		total ^= i * 17
	}
	return total
}

const greeting = "hello"

var sink int
`,
	"data/in.txt": "input",
	"m_test.go": `package m

import "testing"

func BenchmarkWork(b *testing.B) {
	for b.Loop() {
		sink += Work(100)
	}
}
`,
}

// quiet makes the go command independent of the environment and the network.
func quiet(t *testing.T) {
	t.Helper()
	for key, value := range map[string]string{"GOFLAGS": "", "GOWORK": "", "GOENV": "off", "GOTOOLCHAIN": "local", "GOPROXY": "off", "GO111MODULE": ""} {
		t.Setenv(key, value)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// changed returns files with other contents; an empty file is gone.
func changed(files, change map[string]string) map[string]string {
	files = maps.Clone(files)
	maps.Copy(files, change)
	maps.DeleteFunc(files, func(_, data string) bool { return data == "" })
	return files
}

// trees writes two trees and returns them; dir is where the user stands in each.
func trees(t *testing.T, base, head map[string]string, dir string) (b, h Side) {
	t.Helper()
	top := t.TempDir()
	for i, s := range []*Side{&b, &h} {
		s.Root = filepath.Join(top, []string{"base", "head"}[i])
		s.Dir = filepath.Join(s.Root, dir)
		write(t, s.Root, []map[string]string{base, head}[i])
	}
	return b, h
}

// both returns the package of both sides that match the pattern.
func both(t *testing.T, b *Builder, pattern string) (base, head Package) {
	t.Helper()
	for side, p := range []*Package{&base, &head} {
		pkgs, err := b.Packages(t.Context(), side, []string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) != 1 {
			t.Fatalf("side %d has %d packages that match %s, want 1", side, len(pkgs), pattern)
		}
		*p = pkgs[0]
	}
	return base, head
}

func TestSame(t *testing.T) {
	quiet(t)
	replace := func(file, old, new string) map[string]string {
		if strings.Count(plain[file], old) == 0 {
			t.Fatalf("%s has no %q", file, old)
		}
		return map[string]string{file: strings.ReplaceAll(plain[file], old, new)}
	}
	for _, test := range []struct {
		name   string
		change map[string]string
		want   bool
	}{
		{"nothing", nil, true},
		{"comments", replace("m.go", "\t\t", "\t\t// why"+strings.Repeat("\n", 300)+"\t\t"), true},
		{"local variable", replace("m.go", "total", "sum"), true},
		{"constant", replace("m.go", "17", "19"), false},
		{"string", replace("m.go", "hello", "world"), false},
		{"testdata that is read at run time", map[string]string{"testdata/x": "1"}, false},
		{"embedded file", map[string]string{"data/in.txt": "other"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, head := trees(t, plain, changed(plain, test.change), ".")
			b, err := Open(t.Context(), base, head, Settings{})
			if err != nil {
				t.Fatal(err)
			}
			x, y := both(t, b, ".")
			got, err := b.Same(t.Context(), x, y, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("same code: %v, want %v", got, test.want)
			}
			if got := slices.Collect(maps.Keys(y.Benchmarks)); !slices.Equal(got, []string{"BenchmarkWork"}) {
				t.Errorf("benchmarks %v", got)
			}
		})
	}
}
