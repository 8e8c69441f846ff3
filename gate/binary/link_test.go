package binary

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// requireC skips the test without a C compiler, which .ci/run needs anyway for the race detector.
func requireC(t *testing.T) {
	t.Helper()
	out, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(strings.TrimSpace(string(out))); err != nil {
		t.Skip("not run: there is no C compiler:", err)
	}
	t.Setenv("CGO_ENABLED", "1")
}

// link links a package of a side and returns the file.
func link(t *testing.T, b *Builder, side int, pkg Package, seed uint32) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if err := b.Link(t.Context(), side, pkg, seed, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// run runs the benchmarks of a binary once each, in its package's directory, and returns what they print.
func run(t *testing.T, pkg Package, file string) string {
	t.Helper()
	cmd := exec.Command(file, "-test.run=^$", "-test.bench=.", "-test.benchtime=1x")
	cmd.Dir = pkg.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// answers holds that the benchmark of a package that prints a number prints the wanted one.
func answers(t *testing.T, b *Builder, side int, pattern string, want int) {
	t.Helper()
	pkgs, err := b.Packages(t.Context(), side, []string{pattern})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) != 1 {
		t.Fatalf("%s: %d packages, want 1", pattern, len(pkgs))
	}
	out := run(t, pkgs[0], link(t, b, side, pkgs[0], 1))
	if !regexp.MustCompile(fmt.Sprintf(`\s%d(\.0+)? answer`, want)).MatchString(out) {
		t.Errorf("side %d: %s prints\n%s\nwant the answer %d", side, pattern, out, want)
	}
}

// prints is a test file whose benchmark reports a number.
func prints(pkg, value string) string {
	return fmt.Sprintf("package %s\n\nimport \"testing\"\n\nfunc BenchmarkPrint(b *testing.B) {\n\tb.ReportMetric(%s, \"answer\")\n}\n", pkg, value)
}

// TestKinds links what modules are made of: the package at the root, a workspace, internal packages, tags, testdata, commands, TestMain.
func TestKinds(t *testing.T) {
	quiet(t)
	files := map[string]string{
		"go.work":               "go 1.24\n\nuse (\n\t.\n\t./sub\n)\n",
		"go.mod":                "module example.com/m\n\ngo 1.24\n",
		"root_test.go":          prints("m", "1"),
		"x/x.go":                "package x\n\nconst X = 2\n",
		"sub/go.mod":            "module example.com/sub\n\ngo 1.24\n\nrequire example.com/m v0.0.0\n",
		"sub/sub_test.go":       strings.Replace(prints("sub", "x.X"), "import ", "import \"example.com/m/x\"\nimport ", 1),
		"internal/c/c.go":       "package c\n\nvar answer = 0.0\n",
		"internal/c/not.go":     "//go:build !special\n\npackage c\n\nfunc init() { answer = -1 }\n",
		"internal/c/test.go":    "//go:build special\n\npackage c\n\nimport \"os\"\n\nfunc init() {\n\tdata, _ := os.ReadFile(\"testdata/x\")\n\tanswer = float64(len(data))\n}\n",
		"internal/c/c_test.go":  prints("c", "answer"),
		"internal/c/testdata/x": "123",
		"cmd/c/main.go":         "package main\n\nvar answer float64\n\nfunc main() {}\n",
		"cmd/c/main_test.go":    prints("main", "answer") + "\nfunc TestMain(m *testing.M) {\n\tanswer = 4\n\tm.Run()\n}\n",
	}
	base, head := trees(t, files, files, ".")
	b := mustOpen(t, base, head, Settings{Tags: "special"})
	for i, pattern := range []string{".", "./sub", "./internal/...", "example.com/m/cmd/c"} {
		answers(t, b, 1, pattern, i+1)
	}
}

func TestVendor(t *testing.T) {
	quiet(t)
	files := map[string]string{
		"go.mod":                        "module example.com/m\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n",
		"m_test.go":                     strings.Replace(prints("m", "dep.Dep"), "import ", "import \"example.com/dep\"\nimport ", 1),
		"vendor/modules.txt":            "# example.com/dep v1.0.0\n## explicit; go 1.24\nexample.com/dep\n",
		"vendor/example.com/dep/dep.go": "package dep\n\nconst Dep = 1\n",
	}
	change := map[string]string{"vendor/example.com/dep/dep.go": "package dep\n\nconst Dep = 2\n"}
	base, head := trees(t, files, changed(files, change), ".")
	answers(t, mustOpen(t, base, head, Settings{}), 1, "./...", 2)
}

// TestOwnWorkspace holds that a workspace that the environment names is each tree's own, and so are paths in its flags.
func TestOwnWorkspace(t *testing.T) {
	quiet(t)
	files := map[string]string{
		"ci/go.work":  "go 1.24\n\nuse ../m\nuse ../dep\n",
		"m/go.mod":    "module example.com/m\n\ngo 1.24\n",
		"m/m_test.go": strings.Replace(prints("m", "dep.Dep"), "import ", "import \"example.com/dep\"\nimport ", 1),
		"dep/go.mod":  "module example.com/dep\n\ngo 1.24\n",
		"dep/dep.go":  "package dep\n\nconst Dep = 1\n",
	}
	change := map[string]string{"dep/dep.go": "package dep\n\nconst Dep = 2\n"}
	base, head := trees(t, files, changed(files, change), "m")
	t.Setenv("GOWORK", filepath.Join(head.Root, "ci", "go.work"))
	t.Setenv("GOFLAGS", "-ldflags=-X=example.com/m.a="+head.Root)
	b := mustOpen(t, base, head, Settings{LDFlags: "-X=example.com/m.b=" + head.Dir})
	answers(t, b, 0, ".", 1)
	for _, tree := range b.trees {
		if want := fmt.Sprintf("-X=example.com/m.a=%s -X=example.com/m.b=%s", tree.Root, tree.Dir); tree.ldflags != want {
			t.Errorf("%s has the flags %s, want %s", tree.name, tree.ldflags, want)
		}
	}
}

// TestLDFlags holds that the flags of GOFLAGS, of the user, and of the package all reach the linker.
func TestLDFlags(t *testing.T) {
	quiet(t)
	t.Setenv("GOFLAGS", "'-ldflags=-X example.com/m.a=2 -X example.com/m.b=30' -tags=special")
	files := map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.24\n",
		"m_test.go": "//go:build special\n\n" + prints("m", "number()") + `
var a, b, c string

func number() (n float64) {
	for _, s := range []string{a, b, c} {
		for _, d := range s {
			n = 10*n + float64(d-'0')
		}
	}
	return n
}
`,
	}
	base, head := trees(t, files, files, ".")
	answers(t, mustOpen(t, base, head, Settings{LDFlags: "-X 'example.com/m.b=4' -X=example.com/m.c=5"}), 0, ".", 245)
}

// TestLayout holds that a seed permutes the functions and that each starts a line of the cache.
func TestLayout(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not run: reads ELF symbols")
	}
	quiet(t)
	base, head := trees(t, plain, plain, ".")
	b := mustOpen(t, base, head, Settings{LDFlags: "-s=false -funcalign=32 -randlayout=9"}) // the package's own come last
	_, pkg := both(t, b, ".")
	var text [3][]byte
	var at [3]uint64 // sums of addresses, each with its own weight
	for i, seed := range []uint32{1, 1<<32 - 2, 1} {
		file := link(t, b, 1, pkg, seed)
		if data, err := os.ReadFile(file); err != nil || bytes.Contains(data, []byte(head.Root)) {
			t.Errorf("the path of the tree is in the binary, or error %v", err)
		}
		f, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if text[i], err = f.Section(".text").Data(); err != nil {
			t.Fatal(err)
		}
		symbols, err := f.Symbols()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range symbols {
			if elf.ST_TYPE(s.Info) == elf.STT_FUNC && strings.HasPrefix(s.Name, "testing.") {
				at[i] += s.Value * uint64(1+len(s.Name))
				if s.Value%64 != 0 {
					t.Errorf("seed %d: %s at %#x, want a multiple of 64", seed, s.Name, s.Value)
				}
			}
		}
	}
	if at[0] == 0 || at[0] == at[1] {
		t.Errorf("the functions lie alike with other seeds: sums %d and %d", at[0], at[1])
	}
	if !bytes.Equal(text[0], text[2]) {
		t.Error("two links with one seed differ")
	}
}

// TestLinkFails holds that a failure says whose it is and why.
func TestLinkFails(t *testing.T) {
	quiet(t)
	base, head := trees(t, changed(plain, replace(t, "m.go", "17", "undefined")), plain, ".")
	b := mustOpen(t, base, head, Settings{})
	pkg, headPkg := both(t, b, ".")
	out := filepath.Join(t.TempDir(), "out")
	err := b.Link(t.Context(), 0, pkg, 1, out)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"base: ", "example.com/m", "undefined: undefined", "m.go:14", "the base has to build"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nwant one with %q", err, want)
		}
	}
	if _, err := b.Same(t.Context(), pkg, headPkg, t.TempDir()); err == nil {
		t.Error("Same: no error")
	}
	t.Setenv("GOFLAGS", "-n")
	if err := mustOpen(t, base, head, Settings{}).Link(t.Context(), 1, pkg, 1, out); err == nil || !strings.Contains(err.Error(), "wrote no binary") {
		t.Errorf("with -n: error %v", err)
	}
}
