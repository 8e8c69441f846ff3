// Package binary makes the test binaries that a benchmark gate compares: the Go half of it, beside the git half in package checkout.
//
// It finds the benchmarks of two trees, links each package's tests at layouts of one's choice, says where both trees have the same code and data,
// so that nothing needs to be measured, and where a benchmark's own source is another.
//
// # Equal settings
//
// Both trees are built by one toolchain with the same settings, or Open refuses. The environment counts as it does for go test, including GOFLAGS
// and what go env -w has stored, with these exceptions: the -ldflags of GOFLAGS, the user's and the package's own are joined; paths below the
// head's root, in GOWORK and in flags, mean each tree's own copy; -mod=mod is -mod=readonly, since it could write to the checkout. Modules may be
// downloaded, a toolchain never is.
package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/assaykit/assay/gate/internal/child"
)

// Settings is what the user asks of the builds.
type Settings struct {
	Tags    string // as go's -tags
	LDFlags string // as go's -ldflags
	Temp    string // GOTMPDIR of the go commands, which may leave files there when they are killed; "" means the environment's
}

// Side is one of the two trees.
type Side struct {
	Root string // top of the tree, which nothing that is built may leave, the module cache apart
	Dir  string // where the go command runs, in or below Root
}

// Builder builds from both trees. Its methods may be called concurrently.
type Builder struct {
	trees   [2]*tree // base, head
	goos    string
	version string
}

// tree is one side with the go command as it runs there.
type tree struct {
	Side
	name    string            // base or head
	roots   []string          // what the head's Root is called: as given, and without symbolic links
	env     []string          // of the go command
	goenv   map[string]string // what go env says
	tags    string
	ldflags string // of GOFLAGS and the user
	mod     string // -mod, or ""
}

// Open looks at both trees. It refuses what could not be compared, and names the remedy.
func Open(ctx context.Context, base, head Side, set Settings) (*Builder, error) {
	b, err := open(ctx, base, head, set)
	if err != nil {
		return nil, err
	}
	if b.goos != runtime.GOOS {
		return nil, fmt.Errorf("GOOS is %s, so the binaries would not run here, on %s: unset it", b.goos, runtime.GOOS)
	}
	return b, nil
}

// open is Open for binaries that need not run here.
func open(ctx context.Context, base, head Side, set Settings) (*Builder, error) {
	b := &Builder{trees: [2]*tree{{name: "base", Side: base}, {name: "head", Side: head}}}
	for _, t := range b.trees {
		t.roots = []string{head.Root}
		for _, dir := range []*string{&t.Root, &t.Dir} {
			abs, err := filepath.Abs(*dir)
			if err != nil {
				return nil, err
			}
			if *dir, err = filepath.EvalSymlinks(abs); err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if !within(t.Root, t.Dir) {
			return nil, fmt.Errorf("%s: the directory %s is not below the root %s", t.name, t.Dir, t.Root)
		}
	}
	env := os.Environ()
	if set.Temp != "" {
		temp, err := filepath.Abs(set.Temp)
		if err != nil {
			return nil, err
		}
		env = append(env, "GOTMPDIR="+temp)
	}
	baseTree, headTree := b.trees[0], b.trees[1]
	for _, t := range []*tree{headTree, baseTree} { // the base translates what the head has
		t.roots = append(t.roots, headTree.Root)
		t.env = append(slices.Clip(env), "PWD="+t.Dir, "GOWORK="+t.own(os.Getenv("GOWORK")))
		for _, key := range withPaths {
			if v := headTree.goenv[key]; v != t.own(v) {
				t.env = append(t.env, key+"="+t.own(v))
			}
		}
		if err := t.readEnv(ctx); err != nil {
			return nil, err
		}
	}
	if err := equalEnv(baseTree, headTree); err != nil {
		return nil, err
	}
	b.goos, b.version = headTree.goenv["GOOS"], headTree.goenv["GOVERSION"]
	if err := supported(b.version); err != nil {
		return nil, err
	}
	for _, t := range b.trees {
		t.tags = t.own(set.Tags)
		if err := t.readFlags(t.own(set.LDFlags)); err != nil {
			return nil, err
		}
		if err := t.requireInside(ctx); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// supported refuses Go before 1.25, whose linker has not both -randlayout and -funcalign.
func supported(goversion string) error {
	if before(goversion, "go1.25") {
		return fmt.Errorf("%s cannot vary the layout of code as this needs: install Go 1.25 or newer", goversion)
	}
	return nil
}

// before reports whether a Go version is older than another. One that says not which, as a development version may, is new.
func before(goversion, other string) bool {
	return version.IsValid(goversion) && version.Compare(goversion, other) < 0
}

// withPaths are the variables whose values may name files of the tree.
var withPaths = []string{"GOFLAGS", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_FFLAGS", "CGO_LDFLAGS"}

// perTree are the variables that differ between trees of equal settings.
var perTree = map[string]bool{"GOMOD": true, "GOWORK": true, "GOGCCFLAGS": true}

func (t *tree) readEnv(ctx context.Context) error {
	out, err := t.run(ctx, true, "env", "-json")
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = fmt.Errorf("%w\nif it lacks a toolchain, install that, or set GOTOOLCHAIN=local to use the one that is there", err)
		}
		return err
	}
	if err := json.Unmarshal(out, &t.goenv); err != nil {
		return fmt.Errorf("%s: go env -json: %w", t.name, err)
	}
	return nil
}

// equalEnv refuses different toolchains and settings.
func equalEnv(base, head *tree) error {
	keys := []string{"GOVERSION"} // the cause of other differences
	for key := range head.goenv {
		keys = append(keys, key)
	}
	for key := range base.goenv {
		keys = append(keys, key)
	}
	slices.Sort(keys[1:])
	for _, key := range keys {
		b, h := base.goenv[key], head.goenv[key]
		if slices.Contains(withPaths, key) {
			h = base.own(h)
		}
		if b != h && !perTree[key] {
			return fmt.Errorf("base is built with %s=%s and head with %s=%s: set it in the environment, so that both use one (for GOVERSION, GOTOOLCHAIN)",
				key, b, key, h)
		}
	}
	return nil
}

// run runs the go command in the tree's directory and returns its standard output. Offline, it may not download anything.
func (t *tree) run(ctx context.Context, offline bool, args ...string) ([]byte, error) {
	cmd := child.Command(ctx, "go", args...)
	cmd.Dir, cmd.Env = t.Dir, t.env
	if offline {
		cmd.Env = append(slices.Clip(t.env), "GOPROXY=off")
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%w: install Go and put it into the PATH", err)
	}
	return nil, fmt.Errorf("%s: go %s: %w\n%s", t.name, strings.Join(args, " "), err, lastLines(stderr.String()+stdout.String()))
}

// lastLines returns the end of what a command printed.
func lastLines(s string) string {
	const few = 20
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > few {
		lines = append([]string{"..."}, lines[len(lines)-few:]...)
	}
	return strings.Join(lines, "\n")
}

// within reports whether path is root or below it; both are absolute. Where path exists, symbolic links count.
func within(root, path string) bool {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// own returns s with paths of the head's tree made those of t.
func (t *tree) own(s string) string {
	for _, root := range t.roots {
		re := regexp.MustCompile(regexp.QuoteMeta(root) + `($|[/\\\s'",:;])`)
		s = re.ReplaceAllString(s, strings.ReplaceAll(t.Root, "$", "$$")+"$1")
	}
	return s
}
