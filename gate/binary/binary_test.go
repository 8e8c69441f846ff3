package binary

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
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

// slow leaves a test out that builds much, but for CI, where ASSAY_GATE is "all".
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("ASSAY_GATE") != "all" {
		t.Skip("not run: ASSAY_GATE=all runs it, as CI does")
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
func changed(files map[string]string, changes ...map[string]string) map[string]string {
	files = maps.Clone(files)
	for _, change := range changes {
		maps.Copy(files, change)
	}
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

// mustOpen opens the trees as if their binaries could run here.
func mustOpen(t *testing.T, base, head Side, set Settings) *Builder {
	t.Helper()
	b, err := open(t.Context(), base, head, set)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mustMatch holds an error to a regular expression; that of no error is empty.
func mustMatch(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !regexp.MustCompile("(?s)"+want).MatchString(err.Error())):
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestRefusals(t *testing.T) {
	quiet(t)
	outside := t.TempDir()
	write(t, outside, map[string]string{"go.mod": "module example.com/out\n", "go.work": "go 1.24\n"})
	gomod := func(rest string) map[string]string { return map[string]string{"go.mod": plain["go.mod"] + rest} }
	for _, test := range []struct {
		name       string
		env        [2]string
		base, head map[string]string
		set        Settings
		want       string // "" accepts
	}{
		{name: "nothing"},
		{name: "dependency that is not there", head: gomod("require example.com/absent v1.0.0\n")},
		{name: "no module", base: map[string]string{"go.mod": ""}, want: "base: .*base is in no module: go mod init"},
		{name: "newer language", head: map[string]string{"go.mod": "module example.com/m\n\ngo 1.99\n"}, want: "head: go list .*requires go >= 1.99"},
		{name: "older language", base: map[string]string{"go.mod": "module example.com/m\n\ngo 1.21\n"}},
		{name: "toolchain line, local", head: gomod("toolchain go1.99.0\n")},
		{name: "toolchain line, not local", env: [2]string{"GOTOOLCHAIN", "auto"}, head: gomod("toolchain go1.99.0\n"),
			want: "head: go env .*go1.99.0.*\n.*GOTOOLCHAIN=local"},
		{name: "replace by a copy", head: changed(gomod("replace example.com/x => ./x\n"), map[string]string{"x/go.mod": "module example.com/x\n"})},
		{name: "replace by a version", head: gomod("replace example.com/x => example.com/y v1.0.0\n")},
		{name: "replace outside", head: gomod("replace example.com/x => ../x\n"),
			want: `head: go.mod replaces example.com/x by ../x, outside of the repository: .* a copy`},
		{name: "replace outside, absolute", base: gomod("replace example.com/x => " + outside + "\n"), want: "base: go.mod replaces example.com/x by /"},
		{name: "replace outside, vendored", head: changed(gomod("replace example.com/x => ../x\n"),
			map[string]string{"vendor/modules.txt": "# example.com/x => ../x\n"})},
		{name: "replace outside, vendored in vain", env: [2]string{"GOFLAGS", "-mod=mod"}, head: changed(gomod("replace example.com/x => ../x\n"),
			map[string]string{"vendor/modules.txt": "# example.com/x => ../x\n"}), want: "head: go.mod replaces"},
		{name: "replace outside in a workspace", head: map[string]string{"go.work": "go 1.24\n\nuse .\n\nreplace example.com/x => ../x\n"},
			want: "head: go.work replaces example.com/x by ../x, outside"},
		{name: "replace outside in another go.mod", env: [2]string{"GOFLAGS", "-modfile=ci.mod"}, base: map[string]string{"ci.mod": plain["go.mod"]},
			head: map[string]string{"ci.mod": plain["go.mod"] + "replace example.com/x => ../x\n"}, want: "head: ci.mod replaces"},
		{name: "workspace", head: map[string]string{"go.work": "go 1.24\n\nuse .\n"}},
		{name: "workspace with a module outside", head: map[string]string{"go.work": "go 1.24\n\nuse (\n\t.\n\t" + outside + "\n)\n"},
			want: "head: the module example.com/out lies outside of the repository"},
		{name: "workspace outside", env: [2]string{"GOWORK", filepath.Join(outside, "go.work")}, want: "head|base: the workspace .* lies outside .*GOWORK=off"},
		{name: "workspace off", env: [2]string{"GOWORK", "off"}, head: map[string]string{"go.work": "go 1.24\n\nuse ../x\n"}},
		{name: "another system", env: [2]string{"GOOS", "plan9"}, want: "GOOS is plan9, so the binaries would not run here"},
		{name: "overlay", env: [2]string{"GOFLAGS", "-overlay=x.json"}, want: "GOFLAGS: -overlay=x.json would put the same files into both trees"},
		{name: "flags of one package", set: Settings{LDFlags: "fmt=-s"}, want: "--ldflags: -ldflags=fmt=-s: .*want flags for all packages"},
		{name: "open quote", set: Settings{LDFlags: "-X 'main.x=a b"}, want: "--ldflags: .*' is not closed"},
		{name: "open quote in GOFLAGS", env: [2]string{"GOFLAGS", `"-ldflags=-s`}, want: `GOFLAGS: " is not closed: put quotes`},
		{name: "no directory for temporary files", set: Settings{Temp: filepath.Join(outside, "missing")}, want: "creating work dir: stat .*missing"},
		{name: "no go", env: [2]string{"PATH", outside}, want: "install Go and put it into the PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.env[0] != "" {
				t.Setenv(test.env[0], test.env[1])
			}
			base, head := trees(t, changed(plain, test.base), changed(plain, test.head), ".")
			_, err := Open(t.Context(), base, head, test.set)
			mustMatch(t, err, test.want)
		})
	}
}

// TestMain is, when so asked, a go command that prints what a file in its directory says.
func TestMain(m *testing.M) {
	if os.Getenv("ASSAY_FAKE_GO") != "" {
		data, err := os.ReadFile("env.json")
		fmt.Printf("%s", data)
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestToolchains opens trees with go commands of other versions than that of the test.
func TestToolchains(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "go")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("ASSAY_FAKE_GO", "1")
	for _, test := range []struct{ base, head, want string }{
		{"go1.26.8", "go1.26.9", "base is built with GOVERSION=go1.26.8 and head with GOVERSION=go1.26.9: .*GOTOOLCHAIN"},
		{"go1.24.9", "go1.24.9", "go1.24.9 cannot vary .*: install Go 1.25 or newer"},
		{"go1.26.8", "go1.26.8", "is in no module"}, // the next thing that is looked at
	} {
		env := func(version string) map[string]string {
			return map[string]string{"env.json": `{"GOVERSION":"` + version + `"}`}
		}
		base, head := trees(t, env(test.base), env(test.head), ".")
		_, err := Open(t.Context(), base, head, Settings{})
		mustMatch(t, err, test.want)
	}
}

// TestOffline holds that a toolchain that is not there is not looked for elsewhere.
func TestOffline(t *testing.T) {
	quiet(t)
	var asked atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		http.NotFound(w, r)
	}))
	defer proxy.Close()
	t.Setenv("GOPROXY", proxy.URL)
	t.Setenv("GOTOOLCHAIN", "auto")
	base, head := trees(t, plain, changed(plain, map[string]string{"go.mod": plain["go.mod"] + "toolchain go1.99.0\n"}), ".")
	if _, err := Open(t.Context(), base, head, Settings{}); err == nil || asked.Load() {
		t.Errorf("error %v, the proxy was asked: %v", err, asked.Load())
	}
}

// TestReadonly holds that GOFLAGS=-mod=mod does not write to the checkout.
func TestReadonly(t *testing.T) {
	quiet(t)
	t.Setenv("GOFLAGS", "-mod=mod")
	files := map[string]string{"go.mod": "module example.com/m\n", "m_test.go": prints("m", "1")} // -mod=mod adds a version of Go
	base, head := trees(t, files, files, ".")
	b := mustOpen(t, base, head, Settings{})
	_, pkg := both(t, b, ".")
	link(t, b, 1, pkg, 1)
	if data, err := os.ReadFile(filepath.Join(head.Root, "go.mod")); err != nil || string(data) != files["go.mod"] {
		t.Errorf("go.mod is now %q, %v", data, err)
	}
}

// TestPaths holds that trees may be named by symbolic links, and that a directory must lie in its tree.
func TestPaths(t *testing.T) {
	quiet(t)
	base, head := trees(t, plain, plain, ".")
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(head.Root, alias); err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), base, Side{Root: head.Root, Dir: alias}, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if _, pkg := both(t, b, "."); pkg.Benchmarks["BenchmarkWork"].File != "m_test.go" {
		t.Errorf("%+v", pkg)
	}
	_, err = Open(t.Context(), base, Side{Root: head.Root, Dir: base.Dir}, Settings{})
	mustMatch(t, err, "head: the directory .*base is not below the root .*head")
	_, err = Open(t.Context(), Side{Root: base.Root, Dir: filepath.Join(base.Root, "new")}, head, Settings{})
	mustMatch(t, err, "base: .*new: no such file")
	if err := os.Symlink(base.Root, filepath.Join(head.Root, "link")); err != nil {
		t.Fatal(err)
	}
	write(t, head.Root, map[string]string{"go.mod": plain["go.mod"] + "\nreplace example.com/x => ./link\n"})
	_, err = Open(t.Context(), base, head, Settings{})
	mustMatch(t, err, "head: go.mod replaces example.com/x by ./link, outside")
}

func TestEqualEnv(t *testing.T) {
	env := func(change ...string) map[string]string {
		m := map[string]string{"GOVERSION": "go1.26.8", "GOAMD64": "v1", "GOMOD": "/b/go.mod", "CGO_CFLAGS": "-I/b/include -g"}
		for i := 0; i < len(change); i += 2 {
			m[change[i]] = change[i+1]
		}
		return m
	}
	for _, test := range []struct {
		name string
		head map[string]string
		want string
	}{
		{"other paths", env("GOMOD", "/h/go.mod", "CGO_CFLAGS", "-I/h/include -g"), ""},
		{"another path", env("CGO_CFLAGS", "-I/hh/include -g"), "CGO_CFLAGS"},
		{"one side", env("GOARM64", "v8.0"), "GOARM64"},
		{"level", env("GOAMD64", "v3"), "GOAMD64"},
		{"version and what follows", env("GOVERSION", "go1.26.9", "GOAMD64", "v3"), "GOVERSION"},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := &tree{Side: Side{Root: "/b"}, roots: []string{"/h"}, goenv: env()}
			err := equalEnv(base, &tree{goenv: test.head})
			if got := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(got, test.want+"=") && test.want != "" {
				t.Errorf("error %v, want of %q", err, test.want)
			}
		})
	}
}

func TestOwn(t *testing.T) {
	tree := &tree{Side: Side{Root: "/t/$1"}, roots: []string{"/home/u/repo", "/data/repo"}}
	for in, want := range map[string]string{
		"":                        "",
		"/home/u/repo":            "/t/$1",
		"/home/u/repo/ci/go.work": "/t/$1/ci/go.work",
		"-I/home/u/repo/a:/data/repo '-L/data/repo'": "-I/t/$1/a:/t/$1 '-L/t/$1'",
		"/home/u/repo2/x /data/repo.old":             "/home/u/repo2/x /data/repo.old",
	} {
		if got := tree.own(in); got != want {
			t.Errorf("own(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSupported(t *testing.T) {
	for version, want := range map[string]bool{"go1.24.13": false, "go1.25.0": true, "go1.26.8": true, "go1.26.8 X:nosimd": true, "devel go1.28-abc": true} {
		if err := supported(version); (err == nil) != want {
			t.Errorf("%s: error %v", version, err)
		}
	}
}

// TestCanceled holds that nothing runs on, and that the error is the context's.
func TestCanceled(t *testing.T) {
	quiet(t)
	base, head := trees(t, plain, plain, ".")
	b := mustOpen(t, base, head, Settings{})
	x, pkg := both(t, b, ".")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	out := filepath.Join(t.TempDir(), "out")
	_, openErr := Open(ctx, base, head, Settings{})
	_, listErr := b.Packages(ctx, 1, []string{"."})
	_, sameErr := b.Same(ctx, x, pkg, t.TempDir())
	for i, err := range []error{openErr, listErr, sameErr, b.Link(ctx, 1, pkg, 1, out)} {
		if !errors.Is(err, stop) {
			t.Errorf("call %d: error %v, want %v", i, err, stop)
		}
	}
}
