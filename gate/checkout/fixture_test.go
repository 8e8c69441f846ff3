package checkout

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain makes git the same everywhere. With ASSAY_CHECKOUT it is a process that opens a pair and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("ASSAY_CHECKOUT") != "" {
		holdPair()
	}
	for _, v := range []string{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_TEMPLATE_DIR=", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
	} {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// checkout is a working tree that tests act on as a user does.
type checkout struct {
	t   *testing.T
	dir string
}

// newCheckout returns a repository whose branch main, checked out, has one commit of files.
func newCheckout(t *testing.T, files ...string) checkout {
	t.Helper()
	c := checkout{t, filepath.Join(t.TempDir(), "the checkout")}
	c.git("init", "--quiet", "--initial-branch=main")
	c.write(files...)
	c.commit("first")
	return c
}

// git runs a git command that must succeed.
func (c checkout) git(arg ...string) string {
	c.t.Helper()
	if err := os.MkdirAll(c.dir, 0o777); err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command("git", append([]string{"-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false"}, arg...)...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %q: %v\n%s", arg, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write writes files, each with its name as its content, or what follows the first '='.
func (c checkout) write(files ...string) {
	c.t.Helper()
	for _, file := range files {
		name, content, ok := strings.Cut(file, "=")
		if !ok {
			content = name
		}
		path := filepath.Join(c.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c checkout) remove(name string) {
	c.t.Helper()
	if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
		c.t.Fatal(err)
	}
}

func (c checkout) commit(message string) {
	c.t.Helper()
	c.git("add", "--all")
	c.git("commit", "--quiet", "--allow-empty", "--message", message)
}

// open opens a pair that is closed at the end of the test.
func (c checkout) open(opt Options) *Pair {
	c.t.Helper()
	if opt.Dir == "" {
		opt.Dir = c.dir
	}
	if opt.Temp == "" {
		opt.Temp = c.t.TempDir()
	}
	p, err := Open(c.t.Context(), opt)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			c.t.Error(err)
		}
	})
	return p
}

// files returns mode and content of everything below dir, by slash-separated path.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var content []byte
		switch {
		case info.Mode().IsRegular():
			content, err = os.ReadFile(path)
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(path)
			content = []byte(target)
		}
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same reports what differs between two results of files.
func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for _, path := range differ(got, want) {
		t.Errorf("%s: %s is %q, want %q", what, path, got[path], want[path])
	}
}

// names returns the files below dir without directories and what git keeps.
func names(t *testing.T, dir string) []string {
	t.Helper()
	all := files(t, dir)
	maps.DeleteFunc(all, func(path, content string) bool {
		return content[0] == 'd' || path == ".git" || strings.HasPrefix(path, ".git/") || strings.HasSuffix(path, "/.git") || strings.Contains(path, "/.git/")
	})
	return slices.Sorted(maps.Keys(all))
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (c checkout) changed(p *Pair) []string {
	c.t.Helper()
	changed, err := p.Changed(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return changed
}
